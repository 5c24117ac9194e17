"""DP-SGD learns, says what it promises, and refuses what it cannot keep."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from redan.core.budget import Budget
from redan.core.errors import BudgetSpent, CapabilityMissing, UsageError
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.kernels.dp.accounting import epsilon
from redan.kernels.training.randomness import own_randomness
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.testing.spending import StopAfter
from redan.threats.privacy.mitigations.dp_sgd import DpSgd, DpSgdParams, privacy_of

QUICK = {"epsilon": 0.2, "sampling_rate": 0.1, "epochs": 8, "batch_size": 128, "learning_rate": 0.01}


@cache
def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32).reshape(-1, 1, 8, 8), y.astype(np.int64)


def rows(start, stop):
    x, y = (part[start:stop] for part in digits())
    return Dataset(x=x, y=y, name="digits", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))


def subject_of(*middle):
    with own_randomness(0, "net"):
        net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *middle, nn.Tanh(), nn.Flatten(), nn.Linear(512, 10))
    return TorchSubject(net, options=Options(name="net", bounds=(0.0, 1.0)), sample=digits()[0][:2])


def applied(subject, n=1200, seed=0, budget=None, **params):
    made = {**QUICK, **params}
    return DpSgd().apply(
        subject, Inputs(train=rows(0, n)), DpSgdParams.of(made), budget=budget or Budget(), seed=seed, observe=SILENT
    )


def accuracy(subject):
    held = rows(1200, 1797)
    return float((subject.logits(torch.from_numpy(held.x)).argmax(1).numpy() == held.y).mean())


def test_it_learns_under_a_stated_epsilon_and_less_under_a_smaller_one():
    subject = subject_of()
    before = {name: weight.clone() for name, weight in subject.module.state_dict().items()}
    loose, tight = applied(subject, epsilon=8.0), applied(subject)
    assert accuracy(loose) > 0.8
    assert accuracy(tight) < accuracy(loose) - 0.1
    detail = loose.ref.binding.detail
    privacy = privacy_of(DpSgdParams.of({**QUICK, "epsilon": 8.0}))
    spent = epsilon(privacy.noise_multiplier, 0.1, 80, 1e-5)
    assert 7.9 < spent.pld <= 8.0 < spent.rdp
    assert detail.startswith(f"DP-SGD, ({spent.pld:.4g}, 1e-05)-DP by PLD, epsilon {spent.rdp:.4g} by RDP")
    assert "80 of 80 steps from fresh weights" in detail
    assert all(torch.equal(weight, before[name]) for name, weight in subject.module.state_dict().items())


def test_the_noise_and_the_steps_do_not_depend_on_how_many_records_there_are():
    details = {applied(subject_of(), n=n, epochs=1).ref.binding.detail for n in (128, 129, 640)}
    assert len(details) == 1


def test_the_same_seed_gives_the_same_model_unless_the_noise_is_secret():
    first, again = (applied(subject_of(), n=200, epochs=1, seed=4) for _ in range(2))
    assert first.ref.digest == again.ref.digest
    first, again = (applied(subject_of(), n=200, epochs=1, seed=4, secret=True) for _ in range(2))
    assert first.ref.digest != again.ref.digest
    assert "secret noise" in first.ref.binding.detail
    assert "seed" not in first.ref.binding.detail


def test_batch_norm_is_refused_with_what_to_use_and_group_norm_is_not():
    with pytest.raises(CapabilityMissing, match="normalises each row by the others") as caught:
        applied(subject_of(nn.BatchNorm2d(8)), n=200, epochs=1)
    assert "GroupNorm" in caught.value.hint
    applied(subject_of(nn.GroupNorm(2, 8)), n=200, epochs=1)


def test_a_training_that_ends_early_claims_the_epsilon_of_all_its_steps():
    made = applied(subject_of(), n=200, budget=StopAfter(5))
    assert "5 of 80 steps" in made.ref.binding.detail or "4 of 80 steps" in made.ref.binding.detail
    assert "(0.1999, 1e-05)-DP" in made.ref.binding.detail
    with pytest.raises(BudgetSpent, match="took no step"):
        applied(subject_of(), n=200, budget=StopAfter(0))


@pytest.mark.parametrize(
    "wrong",
    [{"sampling_rate": 0.0}, {"epochs": 0}, {"epsilon": -1.0}, {"delta": 1.0}, {"clip": 0.0}, {"batch_size": 0}],
)
def test_numbers_that_promise_nothing_are_refused(wrong):
    with pytest.raises(UsageError):
        privacy_of(DpSgdParams.of({**QUICK, **wrong}))
