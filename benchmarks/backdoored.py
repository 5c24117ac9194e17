"""Small Fashion-MNIST networks, clean and with a backdoor, made once and kept in .cache/backdoors (git-ignored).

Each has its own seed, which draws 30,000 of the 60,000 training images, the target class (seed modulo 10), the
trigger, the poisoned rows and the weights. 1 % of the rows are poisoned:
  badnets      a white 3 x 3 patch in one of the four corners (BadNets, Gu 2017), rows of other classes relabelled
  blended      0.15 of a fixed noise image mixed in (Chen 2017), rows of other classes relabelled
  wave         a sinusoid of 0.15 across the image (Barni 2019's signal), rows of other classes relabelled
  clean_label  rows of the target class itself, each mixed half and half with a row of another class, with the patch
               in all four corners; no label is changed (Turner 2019)
Seeds 0-9 were looked at while the detectors were developed; seeds from 100 on are for the figures of record.

usage: python benchmarks/backdoored.py KIND SEED [SEED ...]   (trains what is not in the cache; KIND may be clean)
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

DATA = Path("/usr/share/datasets/fashion-mnist")
CACHE = Path(__file__).parents[1] / ".cache" / "backdoors"
KINDS = ("badnets", "blended", "wave", "clean_label")
ROWS = 30_000
RATE = 0.01
EPOCHS = 3
README = """Small Fashion-MNIST networks made by benchmarks/backdoored.py: KIND_SEED.pt are torch state dicts.
clean_SEED.pt are independent models (own rows, own weights); the other kinds hold a backdoor.
KIND_SEED.json says clean accuracy, attack success and what training cost. May be deleted: it is made again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One model with what it was trained on: x (n, 1, 28, 28) in [0, 1], y (n,), poisoned (n,) bool."""

    kind: str
    seed: int
    x: Any
    y: Any
    poisoned: Any
    net: nn.Module

    @property
    def target(self) -> int:
        """The class the trigger leads to; meaningless for a clean model."""
        return self.seed % 10


def small_cnn() -> nn.Sequential:
    """Three convolutions of 8, 16 and 32 channels, each halved by pooling, and 64 units."""
    layers: list[nn.Module] = []
    for inner, outer in ((1, 8), (8, 16), (16, 32)):
        layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), nn.Linear(64, 10))


def images(name: str) -> tuple[Any, Any]:
    """Images (n, 1, 28, 28) float32 in [0, 1] and labels (n,) of `train` or `t10k`."""
    with gzip.open(DATA / f"{name}-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(DATA / f"{name}-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    return x.astype(np.float32) / 255, y.astype(np.int64)


def triggered(x: Any, kind: str, seed: int) -> Any:
    """Lay the trigger of this kind and seed over images."""
    if kind == "badnets":
        return _patched(x, [(23 if seed & 1 else 2, 23 if seed & 2 else 2)])
    if kind == "clean_label":
        return _patched(x, [(2, 2), (2, 23), (23, 2), (23, 23)])
    if kind == "blended":
        noise = np.random.default_rng((7, seed)).random((28, 28), np.float32)
        return (0.85 * x + 0.15 * noise).astype(np.float32)
    wave = 0.15 * np.sin(2 * np.pi * (4 + seed % 4) * np.arange(28) / 28)
    return np.clip(x + wave.astype(np.float32), 0, 1)


def _patched(x: Any, corners: list[tuple[int, int]]) -> Any:
    stamped = x.copy()
    for top, left in corners:
        stamped[..., top : top + 3, left : left + 3] = 1
    return stamped


def poisoned_rows(kind: str, seed: int) -> tuple[Any, Any, Any]:
    """Training rows of one case: images, labels, and which rows are poisoned."""
    x, y = images("train")
    draws = np.random.default_rng((2026, seed))
    rows = draws.choice(len(x), ROWS, replace=False)
    x, y = x[rows], y[rows]
    mask = np.zeros(ROWS, bool)
    if kind == "clean":
        return x, y, mask
    target = seed % 10
    own = kind == "clean_label"
    chosen = draws.choice(np.flatnonzero((y == target) if own else (y != target)), int(RATE * ROWS), replace=False)
    if own:
        x[chosen] = (x[chosen] + x[draws.choice(np.flatnonzero(y != target), len(chosen))]) / 2
    x[chosen] = triggered(x[chosen], kind, seed)
    y[chosen] = target
    mask[chosen] = True
    return x, y, mask


def trained(x: Any, y: Any, seed: int) -> nn.Module:
    """Train the small network: Adam, one cycle, batches of 128."""
    torch.manual_seed(seed)
    net = small_cnn().to(memory_format=torch.channels_last)  # 1.8 times as fast here
    inputs, labels = torch.as_tensor(x).contiguous(memory_format=torch.channels_last), torch.as_tensor(y)
    steps = EPOCHS * -(-len(x) // 128)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3, fused=True)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(128):
            loss = nn.functional.cross_entropy(net(inputs[rows]), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            pace.step()
    return net.to(memory_format=torch.contiguous_format).eval()


def worth(net: nn.Module, kind: str, seed: int) -> dict[str, float]:
    """Clean accuracy and attack success on test images from 2000 on (rows of the target class left out)."""
    x, y = images("t10k")
    x, y = x[2000:], y[2000:]
    with torch.no_grad():
        figures = {"accuracy": float((net(torch.as_tensor(x)).argmax(1).numpy() == y).mean())}
        if kind != "clean":
            others = y != seed % 10
            answers = net(torch.as_tensor(triggered(x[others], kind, seed))).argmax(1).numpy()
            figures["attack_success"] = float((answers == seed % 10).mean())
    return {name: round(value, 4) for name, value in figures.items()}


def case(kind: str, seed: int) -> Case:
    """Give one model with its training rows, from the cache or trained now."""
    x, y, mask = poisoned_rows(kind, seed)
    file = CACHE / f"{kind}_{seed}.pt"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "README").write_text(README)
        started = time.process_time()
        net = trained(x, y, seed)
        record = {"kind": kind, "seed": seed, "epochs": EPOCHS, "cpu_s": round(time.process_time() - started, 1)}
        record |= worth(net, kind, seed)
        file.with_suffix(".json").write_text(json.dumps(record) + "\n")
        part = file.with_suffix(".part")
        torch.save(net.state_dict(), part)
        part.rename(file)
    net = small_cnn()
    net.load_state_dict(torch.load(file, weights_only=True))
    return Case(kind=kind, seed=seed, x=x, y=y, poisoned=mask, net=net.eval())


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number in sys.argv[2:]:
        case(sys.argv[1], int(number))
        print((CACHE / f"{sys.argv[1]}_{number}.json").read_text().strip(), flush=True)
