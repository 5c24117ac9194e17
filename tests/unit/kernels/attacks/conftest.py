"""Small models whose weights depend on nothing global."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch
from torch import nn

from redan.kernels import draws


def fill(module: nn.Module, seed: int, scale: float = 1.0) -> nn.Module:
    """Give every parameter normal values over the root of its fan-in."""
    for number, parameter in enumerate(module.parameters()):
        fan = parameter[0].numel() if parameter.ndim > 1 else 10
        values = draws.normal(draws.sample_keys(seed, f"weights {number}", [0]), tuple(parameter.shape), stream=0)[0]
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(values) * scale / fan**0.5)
    return module


@pytest.fixture(scope="session")
def linear():
    """Return a function (features, classes, seed) -> linear model."""
    return lambda features, classes, seed=0: fill(nn.Linear(features, classes), seed)


@pytest.fixture(scope="session")
def net():
    """Return a function (classes, seed) -> small convolutional net with batch norm for (n, 1, 8, 8)."""

    def build(classes: int, seed: int = 0) -> nn.Module:
        layers = (nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, classes))
        return fill(nn.Sequential(*layers), seed, 2.0)

    return build


@pytest.fixture(scope="session")
def images():
    """Return a function n -> (n, 1, 8, 8) images in [0, 1]."""
    return lambda n: torch.from_numpy(draws.uniform(draws.sample_keys(0, "images", range(n)), (1, 8, 8), stream=0))


@pytest.fixture(scope="session")
def keys():
    """Return a function n -> keys of the first n samples."""
    return lambda n, seed=0: draws.sample_keys(seed, "test", range(n))
