"""Small images that are easy to tell apart, and models that are right about them for reasons that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from redan.core.budget import Budget
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject

if TYPE_CHECKING:
    from redan.core.finding import Finding

SIDE = 12


def halves(n: int, *, start: int = 0) -> Dataset:
    """Images whose left half is brighter (class 0) or whose right half is (class 1)."""
    generator = np.random.default_rng(5 + start)
    y = np.arange(n) % 2
    x = generator.uniform(0.0, 0.25, size=(n, 1, SIDE, SIDE))
    x[y == 0, :, :, : SIDE // 2] += 0.6
    x[y == 1, :, :, SIDE // 2 :] += 0.6
    return Dataset(
        x=x.astype(np.float32),
        y=y.astype(np.int64),
        name="halves",
        sha256="",
        indices=np.arange(start, start + n),
        bounds=(0.0, 1.0),
    )


def by_halves() -> CallableSubject:
    """Right by comparing the brightness of the halves."""

    def predict(x: np.ndarray) -> np.ndarray:
        return (x[..., SIDE // 2 :].mean(axis=(1, 2, 3)) > x[..., : SIDE // 2].mean(axis=(1, 2, 3))).astype(np.int64)

    return CallableSubject(predict, options=Options(name="halves", answers="labels", bounds=(0.0, 1.0)))


def by_one_pixel() -> TorchSubject:
    """Compares the halves, but one corner of four pixels outweighs them: weak against a patch just there."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 2))
    weights = torch.zeros(2, SIDE, SIDE)
    weights[0, :, : SIDE // 2], weights[1, :, SIDE // 2 :] = 0.05, 0.05
    weights[0, :2, :2] += 4.0
    weights[1, :2, :2] -= 4.0
    net[1].weight.data = weights.reshape(2, -1)
    net[1].bias.data = torch.tensor([-4.0, 4.0])
    return TorchSubject(net, options=Options(name="corner", bounds=(0.0, 1.0)), sample=halves(2).x)


def by_halves_net(scale: float = 1.0) -> TorchSubject:
    """The same rule as `by_halves` as a network with gradients."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 2))
    weights = torch.zeros(2, SIDE, SIDE)
    weights[0, :, : SIDE // 2], weights[1, :, SIDE // 2 :] = scale, scale
    net[1].weight.data = weights.reshape(2, -1)
    net[1].bias.data = torch.zeros(2)
    return TorchSubject(net, options=Options(name="halves-net", bounds=(0.0, 1.0)), sample=halves(2).x)


def only(probe: Any, subject: Any, inputs: Inputs, **params: Any) -> Finding:
    """Run a probe and return its one finding."""
    found = list(probe().run(subject, inputs, probe.Params.of(params), budget=Budget(), seed=0, observe=SILENT))
    assert len(found) == 1
    finding: Finding = found[0]
    return finding


def number(finding: Finding, name: str) -> float:
    """Return the value of a quantity that must be there."""
    quantity = finding.quantity(name)
    assert quantity is not None, name
    return quantity.value
