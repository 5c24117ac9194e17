"""Small honest nets for scikit-learn's digits, trained where a test asks for them."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.masking.suite import examine

UNIT = Box(low=0.0, high=1.0)
N = 16
TRAINED = 400


@cache
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 1797 images (n, 1, 8, 8) in [0, 1] and their classes."""
    x, y = load_digits(return_X_y=True)
    return torch.from_numpy(x / 16).float().reshape(-1, 1, 8, 8), torch.from_numpy(y).long()


def fill(model: nn.Module, seed: int) -> nn.Module:
    """Draw the weights anew, without a glance at global random state."""
    for number, parameter in enumerate(model.parameters()):
        if parameter.ndim > 1:
            shape = tuple(parameter.shape)
            values = draws.normal(draws.sample_keys(seed, f"weights {number}", [0]), shape, stream=0)[0]
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(values) * (2 / parameter[0].numel()) ** 0.5)
    return model


def fit(model, loss, *, steps=40, lr=0.01, eps=0.0, classes=10, seed=0):
    """Train on the first images, with one step of the sign of the gradient where eps is not 0."""
    x, y = digits()
    keep = y[:TRAINED] < classes
    x, y = x[:TRAINED][keep], y[:TRAINED][keep]
    model = fill(model, seed).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        seen = x
        if eps:
            moved = x.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(loss(model(moved), y), moved)
            seen = (x + eps * gradient.sign()).clamp(0, 1)
        optimiser.zero_grad()
        loss(model(seen), y).backward()
        optimiser.step()
    return model.eval()


@cache
def honest() -> nn.Module:
    """Return a small convolutional net that is right about most digits and easily fooled."""
    layers = (nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
    return fit(nn.Sequential(*layers), nn.functional.cross_entropy)


def look(model, *, eps=0.2, norm="linf", n=N, classes=10, seed=0, **given):
    """Examine a model on images it was not trained on."""
    x, y = digits()
    keep = (y < classes).nonzero().squeeze(1)
    keep = keep[keep >= 1500][:n]
    keys = draws.sample_keys(seed, "masking", keep.numpy())
    where = Ball(norm=norm, eps=eps, box=UNIT)
    return examine(model, x[keep], y[keep], ball=where, keys=keys, seed=seed, **given)


@pytest.fixture(scope="session")
def small():
    """Return the honest net."""
    return honest()


@pytest.fixture(scope="session")
def examined():
    """Return the function that examines a model."""
    return look


@pytest.fixture(scope="session")
def trained():
    """Return the function that trains a model."""
    return fit


@pytest.fixture(scope="session")
def unseen():
    """Return the images and classes that are examined by default."""
    x, y = digits()
    return x[1500 : 1500 + N], y[1500 : 1500 + N]
