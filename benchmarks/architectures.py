"""Nets of several architectures on Fashion-MNIST, trained once and kept, for the benchmarks of evasion.

    python benchmarks/architectures.py                 # the four published ones, about 8 CPU minutes
    python benchmarks/architectures.py gelu-adversarial

Only training images are used. The same name and seed give the same weights on one machine and one version of torch;
they are kept in `.cache/architectures`, which git ignores, and named by the digest of their file in every result. One
JSON line a net: clean accuracy on the test images, CPU seconds of training.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("REDAN_SHARED", ROOT.parent / "shared"))
CACHE = ROOT / ".cache" / "architectures"
DATA = Path("/usr/share/datasets/fashion-mnist")
SUBCLASSES = 10
"""Clusters in each class of the problem with a hundred classes."""


class SmallCNN(nn.Module):
    """Two strided convolutions and two linear layers: the net of the shared weights std.pt and at01.pt."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 4, stride=2, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 100)
        self.fc2 = nn.Linear(100, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images (n, 1, 28, 28)."""
        hidden = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        logits: Tensor = self.fc2(torch.relu(self.fc1(hidden.flatten(1))))
        return logits


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut (He et al. 2016, figure 2)."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inward, outward, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outward)
        self.conv2 = nn.Conv2d(outward, outward, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outward)
        straight = inward == outward and stride == 1
        self.short = nn.Identity() if straight else nn.Conv2d(inward, outward, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, outward, h, w)."""
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + self.short(x))


def resnet(classes: int) -> nn.Module:
    """Three stages of 8, 16 and 32 channels on 14, 7 and 4 pixels."""
    stem = (nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    stages = (Block(8, 8, 1), Block(8, 16, 2), Block(16, 32, 2))
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, classes))


def mlp(classes: int, widths: tuple[int, ...] = (256, 128), between: type[nn.Module] = nn.ReLU) -> nn.Module:
    """Linear layers with an activation between."""
    sizes = (784, *widths)
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), between())]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(sizes[-1], classes))


def pooled(classes: int, between: type[nn.Module]) -> nn.Module:
    """Two convolutions, each followed by an average over 2x2 pixels."""
    first = (nn.Conv2d(1, 12, 3, 2, 1), between(), nn.AvgPool2d(2))
    second = (nn.Conv2d(12, 24, 3, 1, 1), between(), nn.AvgPool2d(2, ceil_mode=True))
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(24 * 16, classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a net is built and trained."""

    build: Callable[[int], nn.Module]
    """Number of classes -> untrained net."""
    classes: int = 10
    """2: even or odd class; 10: the data set's own; 100: ten clusters in each class."""
    epochs: int = 4
    """Passes over the 60 000 training images."""
    steps: int = 0
    """Steps of PGD against each batch; 0: natural training."""
    eps: float = 0.1
    """Linf radius of PGD."""
    rate: float = 2e-3
    """Highest learning rate of the one-cycle schedule."""


RECIPES = {
    "mlp-natural": Recipe(build=mlp, epochs=8),
    "mlp-adversarial": Recipe(build=mlp, epochs=8, steps=5),
    "resnet-natural": Recipe(build=resnet, rate=8e-3),
    "resnet-adversarial": Recipe(build=resnet, epochs=3, steps=3, rate=8e-3),
    "wide-adversarial": Recipe(build=lambda k: mlp(k, (1024,)), epochs=2, steps=3),
    "tanh-adversarial": Recipe(build=lambda k: mlp(k, (256, 128), nn.Tanh), epochs=3, steps=3),
    "tanh-natural": Recipe(build=lambda k: mlp(k, (256, 128), nn.Tanh), epochs=4),
    "gelu-natural": Recipe(build=lambda k: pooled(k, nn.GELU), epochs=2, rate=5e-3),
    "two-adversarial": Recipe(build=mlp, classes=2, epochs=3, steps=3),
    "hundred-adversarial": Recipe(build=mlp, classes=100, epochs=3, steps=3),
}
PUBLISHED = ("mlp-natural", "mlp-adversarial", "resnet-natural", "resnet-adversarial")
SHARED_WEIGHTS = {"cnn-natural": "std.pt", "cnn-adversarial": "at01.pt"}


def read(folder: Path, split: str, rows: slice = slice(None)) -> tuple[Tensor, Tensor]:
    """Images (n, 1, 28, 28) in [0, 1] and labels (n,) of "train" or "t10k"."""

    def idx(name: str, header: int) -> Tensor:
        with gzip.open(folder / f"{split}-{name}-ubyte.gz") as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

    return idx("images-idx3", 16).reshape(-1, 1, 28, 28)[rows].float() / 255, idx("labels-idx1", 8)[rows].long()


def centroids(images: Tensor, labels: Tensor) -> Tensor:
    """Centres of ten clusters in each of ten classes, shape (10, 10, 784): Lloyd's algorithm, twelve rounds."""
    found = []
    for one in range(10):
        flat = images[labels == one][:3000].flatten(1)
        centres = flat[:SUBCLASSES].clone()
        for _ in range(12):
            nearest = torch.cdist(flat, centres).argmin(1)
            centres = torch.stack([flat[nearest == place].mean(0) for place in range(SUBCLASSES)])
        found.append(centres)
    return torch.stack(found)


def relabel(images: Tensor, labels: Tensor, classes: int, folder: Path) -> Tensor:
    """Labels of the problem with so many classes."""
    if classes == 10:
        return labels
    if classes == 2:
        return labels % 2
    centres = centroids(*read(folder, "train"))[labels]
    clusters: Tensor = torch.linalg.vector_norm(centres - images.reshape(-1, 1, 784), dim=2).argmin(1)
    return labels * SUBCLASSES + clusters


def perturbed(model: nn.Module, x: Tensor, y: Tensor, recipe: Recipe, random: torch.Generator) -> Tensor:
    """Inputs after PGD (Madry et al. 2018) with the net in evaluation mode."""
    model.eval()
    points = (x + (2 * torch.rand(x.shape, generator=random) - 1) * recipe.eps).clamp_(0, 1)
    length = 2.5 * recipe.eps / recipe.steps
    for _ in range(recipe.steps):
        points.requires_grad_()
        (slope,) = torch.autograd.grad(functional.cross_entropy(model(points), y), points)
        points = points.detach() + length * slope.sign()
        points = torch.minimum(torch.maximum(points, x - recipe.eps), x + recipe.eps).clamp_(0, 1)
    return points


def train(recipe: Recipe, folder: Path, seed: int = 0) -> nn.Module:
    """Train a net from nothing on the training images."""
    images, labels = read(folder, "train")
    labels = relabel(images, labels, recipe.classes, folder)
    torch.manual_seed(seed)
    model, random, size = recipe.build(recipe.classes), torch.Generator().manual_seed(seed), 256
    optimiser = torch.optim.Adam(model.parameters())
    total = recipe.epochs * -(-len(images) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=total)
    for _ in range(recipe.epochs):
        for places in torch.randperm(len(images), generator=random).split(size):
            x, y = images[places], labels[places]
            points = perturbed(model, x, y, recipe, random) if recipe.steps else x
            model.train()
            optimiser.zero_grad()
            functional.cross_entropy(model(points), y).backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def weights(name: str) -> Path:
    """Where the weights of a net lie."""
    if name in SHARED_WEIGHTS:
        return SHARED / "models" / "fashion_cnn" / SHARED_WEIGHTS[name]
    return CACHE / f"{name}.pt"


def digest(name: str) -> str:
    """First twelve digits of the SHA-256 of a net's weights file."""
    return hashlib.sha256(weights(name).read_bytes()).hexdigest()[:12]


def classes(name: str) -> int:
    """Number of classes of a net."""
    return 10 if name in SHARED_WEIGHTS else RECIPES[name].classes


def load(name: str) -> nn.Module:
    """A trained net, in evaluation mode."""
    model = SmallCNN() if name in SHARED_WEIGHTS else RECIPES[name].build(RECIPES[name].classes)
    model.load_state_dict(torch.load(weights(name), weights_only=True))
    return model.eval()


def prepare(name: str, folder: Path = DATA) -> None:
    """Train a net unless its weights are kept, and print its line."""
    if name in SHARED_WEIGHTS or weights(name).is_file():
        return
    began = time.process_time()
    model = train(RECIPES[name], folder)
    CACHE.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), weights(name))
    x, y = read(folder, "t10k")
    y = relabel(x, y, RECIPES[name].classes, folder)
    with torch.no_grad():
        right = torch.cat([model(part).argmax(1) for part in x.split(1000)]) == y
    line = {
        "benchmark": "architectures",
        "net": name,
        "weights": digest(name),
        "parameters": sum(p.numel() for p in model.parameters()),
        "clean_accuracy": float(right.double().mean()),
        "n": len(x),
        "training_cpu_s": round(time.process_time() - began, 1),
        "torch": torch.__version__,
    }
    print(json.dumps(line), flush=True)


def main(names: list[str]) -> int:
    """Train what is asked for and not yet there."""
    torch.set_num_threads(1)
    unknown = set(names) - set(RECIPES)
    if unknown or not DATA.is_dir():
        sys.stderr.write(f"known nets: {', '.join(RECIPES)}; data: apt-get install dataset-fashion-mnist\n")
        return 3
    for name in names or PUBLISHED:
        prepare(name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
