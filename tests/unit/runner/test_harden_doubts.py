"""Hardening takes no candidate whose number an attack with repaired gradients takes away."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from redan.core.budget import Budget, Limits
from redan.core.inputs import Dataset, Inputs
from redan.runner.harden import Wanted, search
from redan.runner.harden_pareto import ORIGINAL
from redan.runner.run import Session
from redan.runner.target import Target
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject

QUICK = {"eps": 0.1, "epochs": 12, "batch_size": 16, "learning_rate": 5e-3}


@cache
def data(start: int, stop: int) -> Dataset:
    x, y = load_digits(return_X_y=True)
    return Dataset(
        x=(x[start:stop] / 16).astype(np.float32).reshape(-1, 1, 8, 8),
        y=y[start:stop].astype(np.int64),
        name="digits",
        sha256="",
        indices=np.arange(start, stop),
        bounds=(0.0, 1.0),
    )


@cache
def target() -> Target:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10))
    x, y = torch.from_numpy(data(0, 300).x), torch.from_numpy(data(0, 300).y)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    subject = TorchSubject(net, options=Options(name="net", bounds=(0.0, 1.0)), sample=x[:2].numpy())
    return Target(subject=subject, inputs=Inputs(train=data(0, 300), test=data(1000, 1100)))


def hardened(*mitigations: str, **params: object):
    wanted = Wanted(against="evasion", mitigations=mitigations, params=QUICK | params)
    return search(target(), wanted, Session(budget=Budget(limits=Limits(cpu_s=120.0)), seed=3))


@pytest.mark.slow
def test_a_rounding_that_hides_its_gradient_is_passed_over_for_training_that_holds() -> None:
    found = hardened("bit-depth", "adversarial-training", gradient="own")
    assert found.taken.name == "adversarial-training"
    (out,) = [one for one in found.untried if one.name == "bit-depth"]
    assert "in doubt: Masked gradients" in out.why
    # it would have won by the number that attacks without repair report
    assert float(out.why.split("%")[0].removeprefix("its ")) / 100 > found.taken.worth.value
    assert "bit-depth" not in {one.name for one in found.tried}


def test_where_only_masking_is_offered_the_model_stays_as_it_was() -> None:
    found = hardened("bit-depth", gradient="own", eps=0.3)
    assert found.taken.name == ORIGINAL
    assert [one.name for one in found.tried] == [ORIGINAL]
    assert "in doubt: Masked gradients" in found.untried[-1].why
