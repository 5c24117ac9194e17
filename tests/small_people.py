"""Made-up people with a decision each: whom a small model treats by a group that it is given."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from redan.core.inputs import Dataset, Inputs
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject

COLUMNS = ("merit", "male", "postcode", "noise")
SENSITIVE = ("male", "region")


@cache
def people(seed: int, n: int) -> Dataset:
    """Rows of four numbers: merit, sex, a postcode that follows sex, and noise; men get the favourable class easier."""
    rng = np.random.default_rng(seed)
    male = rng.integers(0, 2, n)
    merit = rng.normal(size=n)
    x = np.column_stack([merit, male, male + rng.normal(size=n), rng.normal(size=n)]).astype(np.float32)
    y = (merit + 1.2 * male - 0.6 + 0.5 * rng.normal(size=n) > 0).astype(np.int64)
    region = np.array(["north", "south"])[rng.integers(0, 2, n)]
    return Dataset(
        x=x,
        y=y,
        name=f"people {seed}",
        sha256="",
        indices=np.arange(n),
        columns=COLUMNS,
        groups={"male": male.astype(np.str_), "region": region},
    )


def people_inputs(n: int = 240) -> Inputs:
    """Training and test rows, with the columns that describe people."""
    return Inputs(test=copied(people(1, n)), train=copied(people(2, n)), sensitive=SENSITIVE)


def copied(data: Dataset) -> Dataset:
    """The same with arrays of its own."""
    return data.rows(np.arange(len(data)))


def people_subject() -> SklearnSubject:
    """A linear classifier of such people."""
    data = people(2, 240)
    model = LogisticRegression().fit(data.x, data.y)
    return SklearnSubject(model, options=Options(name="loans"))


def people_network() -> TorchSubject:
    """A small network of such people, trained a little."""
    data = people(2, 240)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    optimiser: Any = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    optimiser.zero_grad()
    return TorchSubject(net, options=Options(name="loans-net", classes=("no", "yes")), sample=data.x[:2])
