"""The models that membership inference is measured on: ``python benchmarks/membership_models.py FIRST COUNT FOLDER``.

LeNets on random halves of a pool of 6000 training images of Fashion-MNIST, in pairs: the second of a pair learns what
the first did not. No test image is touched. Each model is trained once and kept under FOLDER.
"""

from __future__ import annotations

import gzip
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

IMAGES = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
LABELS = IMAGES.with_name("train-labels-idx1-ubyte.gz")
POOL = 6000
POPULATION = slice(50_000, 55_000)
"""Rows that no model of any pool learns from."""
EPOCHS = 25
BATCH = 32
RATE = 0.05


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Return the training images (60000, 1, 28, 28) between 0 and 1 and their classes."""
    x = np.frombuffer(gzip.decompress(IMAGES.read_bytes()), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    y = np.frombuffer(gzip.decompress(LABELS.read_bytes()), np.uint8, offset=8)
    return torch.from_numpy(x.astype(np.float32) / 255), torch.from_numpy(y.astype(np.int64))


def lenet() -> nn.Sequential:
    """Return LeNet-5 with ReLU, 44 426 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def members(first: int, number: int) -> np.ndarray[Any, Any]:
    """Return (6000,) bool: what model ``number`` of the pool that starts at row ``first`` learns from."""
    order = np.random.default_rng([first, number // 2]).permutation(POOL)
    mask = np.zeros(POOL, bool)
    mask[order[: POOL // 2] if number % 2 == 0 else order[POOL // 2 :]] = True
    return mask


def trained(x: torch.Tensor, y: torch.Tensor, seed: int) -> nn.Sequential:
    """Train one model: SGD with momentum and a cosine, as the peer's trainer does."""
    torch.manual_seed(seed)
    net = lenet()
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9)
    steps = EPOCHS * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            cross_entropy(net(x[rows]), y[rows]).backward()
            optimiser.step()
            schedule.step()
    net.eval()
    return net


def model(first: int, number: int, folder: Path) -> nn.Sequential:
    """Return a model of a pool, trained at the first call."""
    kept = folder / f"{first}-{number}.pt"
    if kept.exists():
        net = lenet()
        net.load_state_dict(torch.load(kept, weights_only=True))
        net.eval()
        return net
    x, y = images()
    rows = first + np.flatnonzero(members(first, number))
    before = time.process_time()
    net = trained(x[rows], y[rows], seed=first * 1000 + number)
    print(f"{kept.name}: {time.process_time() - before:.1f} CPU s", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), kept)
    return net


if __name__ == "__main__":
    torch.set_num_threads(1)
    for one in range(int(sys.argv[2])):
        model(int(sys.argv[1]), one, Path(sys.argv[3]))
