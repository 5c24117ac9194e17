"""Two networks of one shape on the same data: ``weak()`` is trained as usual, ``hardened()`` against an attacker.

Each is trained in seconds when it is first asked for and kept under ``.cache`` afterwards. Every random draw comes from
a generator of its own, so two machines train the same network up to the last bits of their arithmetic.
"""

from __future__ import annotations

import torch
from digits import CACHE, split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import skip_init

EPS = 0.2
"""Largest change of a pixel that the hardened network is trained to bear, on the scale [0, 1]."""

ATTACK_STEPS = 5
BATCH = 128


def weak() -> nn.Module:
    """Return the network trained on clean images only."""
    return _cached("weak", epochs=25, eps=0.0)


def hardened() -> nn.Module:
    """Return the network trained on attacked images (Madry et al. 2018, section 2.1, equation 2.1)."""
    return _cached("hardened", epochs=40, eps=EPS)


def network(generator: torch.Generator) -> nn.Sequential:
    """Build an untrained network: images (n, 1, 8, 8) in [0, 1] to logits (n, 10)."""
    net = nn.Sequential(
        skip_init(nn.Conv2d, 1, 32, 3, padding=1),
        nn.ReLU(),
        skip_init(nn.Conv2d, 32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        skip_init(nn.Linear, 64 * 4 * 4, 128),
        nn.ReLU(),
        skip_init(nn.Linear, 128, 10),
    )
    for parameter in net.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
        else:
            nn.init.zeros_(parameter)
    return net


def train(*, epochs: int, eps: float, seed: int = 0) -> nn.Module:
    """Train a network; ``eps`` above 0 replaces each batch by its worst neighbours within that distance."""
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.from_numpy(array) for array in split()[:2])
    net = network(generator)
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(epochs):
        # the attacker grows during the first third: from a standing start the network learns only to say one class
        strength = eps * min(1.0, 3 * (epoch + 1) / epochs)
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            inputs = attacked(net, x[rows], y[rows], strength, generator) if eps else x[rows]
            optimiser.zero_grad()
            cross_entropy(net(inputs), y[rows]).backward()
            optimiser.step()
        schedule.step()
    return net.eval()


def attacked(net: nn.Module, x: Tensor, y: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """Climb the loss by signed gradient steps from a random start, within ``eps`` of ``x`` and inside [0, 1]."""
    low, high = (x - eps).clamp(0, 1), (x + eps).clamp(0, 1)
    point = low + (high - low) * torch.rand(x.shape, generator=generator)
    for _ in range(ATTACK_STEPS):
        point.requires_grad_()
        (slope,) = torch.autograd.grad(cross_entropy(net(point), y), point)
        point = (point.detach() + eps / 2 * slope.sign()).clamp(low, high)
    return point


def _cached(name: str, *, epochs: int, eps: float) -> nn.Module:
    path = CACHE / f"{name}.pt"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        torch.save(train(epochs=epochs, eps=eps).state_dict(), path)
    net = network(torch.Generator())
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval()
