"""Small networks of every supported kind, with weights that no global random state had a hand in."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from redan.kernels.certify.reading import read


class Residual(nn.Module):
    """Convolutions with batch normalisation, a shortcut and functional activations."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = functional.relu(x + self.second(x), inplace=True)
        return self.last(x.mean((2, 3)))


class Branches(nn.Module):
    """Concatenation, slices, constants and arithmetic, one scalar score."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.last = nn.Linear(32, 6), nn.Linear(32, 6), nn.Linear(12, 1)

    def forward(self, x):
        x = (x.flatten(1) - 0.5) / 0.25
        both = torch.cat([torch.relu(self.left(x[:, :32])), 2 * torch.tanh(self.right(x[:, 32:]))], dim=1)
        score = self.last(1 - both).reshape(len(x))
        return torch.stack([-score / 2, score / 2], dim=1)


def _plain(*layers):
    return nn.Sequential(*layers)


MAKERS = {
    "mlp": lambda: _plain(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 4)),
    "leaky": lambda: _plain(
        nn.Flatten(), nn.Linear(64, 16), nn.LeakyReLU(0.1), nn.Linear(16, 9), nn.LeakyReLU(0.3), nn.Linear(9, 3)
    ),
    "smooth": lambda: _plain(
        nn.Flatten(),
        nn.Linear(64, 12),
        nn.Sigmoid(),
        nn.Linear(12, 10),
        nn.Tanh(),
        nn.Linear(10, 8),
        nn.GELU(),
        nn.Linear(8, 8),
        nn.SiLU(),
        nn.Linear(8, 6),
        nn.Softplus(),
        nn.Linear(6, 3),
    ),
    "windows": lambda: _plain(
        nn.Conv2d(1, 3, 3, stride=2, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 4, 2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(100, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    ),
    "odd": lambda: _plain(
        nn.Conv2d(1, 6, (3, 2), stride=(3, 2), padding=(1, 0), dilation=(1, 2)),
        nn.ReLU(),
        nn.Conv2d(6, 6, 2, groups=3, dilation=2),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.LazyLinear(3),
    ),
    "pooled": lambda: _plain(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(4, 3, 2),
        nn.ReLU(),
        nn.AvgPool2d(2, stride=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 3),
    ),
    "residual": Residual,
    "branches": Branches,
    "softmax": lambda: _plain(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1)),
}
"""Name → maker of a network from (n, 1, 8, 8) inputs in [0, 1] to class scores."""


def net(name, *, dtype=torch.float32):
    """A network in evaluation mode, its weights drawn from a seed of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(1).get_state())
        module = MAKERS[name]()
        module(torch.rand(3, 1, 8, 8))
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.uniform_(-0.3, 0.3)
                part.running_var.uniform_(0.3, 2.0)
    for parameter in module.parameters():
        parameter.data *= 1.5
        parameter.requires_grad_(requires_grad=False)
    return module.eval().to(dtype)


def graph_of(module, *, dtype=torch.float32):
    """Its graph."""
    return read(module, (1, 8, 8), dtype=dtype)


def images(n, *, seed=0, dtype=torch.float32):
    """Inputs (n, 1, 8, 8), some of their pixels at the bounds."""
    x = torch.rand((n, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (1.4 * x - 0.2).clamp(0, 1).to(dtype)


def sampled(x, *, eps, norm, count, seed=0):
    """Points of the ball around one input (1, …) and of the box: inside, on the sphere, at corners; (count, …)."""
    generator = torch.Generator().manual_seed(seed)
    flat = x.flatten().double()
    noise = torch.randn((count, len(flat)), generator=generator, dtype=torch.float64)
    kinds = torch.arange(count).reshape(-1, 1) % 3
    if norm == "linf":
        even = (torch.rand((count, len(flat)), generator=generator, dtype=torch.float64) * 2 - 1) * eps
        moves = torch.where(kinds == 0, even, noise.sign() * eps)
    elif norm == "l2":
        moves = noise / noise.norm(dim=1, keepdim=True) * eps * torch.where(kinds == 0, 0.7, 1 - 1e-9)
    else:
        sparse = noise * (torch.rand(noise.shape, generator=generator) < torch.where(kinds == 0, 0.5, 0.05))
        moves = sparse / sparse.abs().sum(dim=1, keepdim=True).clamp_min(1e-9) * eps * (1 - 1e-9)
    return (flat + moves).clamp(0, 1).reshape(count, *x.shape[1:])
