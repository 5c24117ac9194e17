"""Costly inputs: loops and patterns are found, constant work is not flagged."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from tests.unit.threats.evasion.small_images import halves, number, only

from redan.core.errors import ShapeMismatch, UsageError
from redan.core.finding import Severity
from redan.core.inputs import Dataset, Inputs
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.threats.evasion.probes.costly_inputs import CostlyInputs


def callable_of(function: object) -> CallableSubject:
    return CallableSubject(function, options=Options(name="function", answers="labels"))  # type: ignore[arg-type]


def looping(x: np.ndarray) -> np.ndarray:
    """Goes round more often the brighter the image, beyond what the data show."""
    labels = []
    for row in x:
        value, rounds = float(row.mean()), 0
        while rounds < 3000 * max(0.0, value - 0.4) ** 2 + 5:
            rounds += 1
            value = value * 0.999 + 0.001
        labels.append(int(value > 0.5))
    return np.array(labels)


def words(n: int = 30) -> Dataset:
    x = np.array([f"item {i} is fine {'so ' * (i % 3)}" for i in range(n)], dtype=object)
    return Dataset(x=x, y=np.zeros(n, np.int64), name="words", sha256="", indices=np.arange(n))


@pytest.mark.parametrize("meter", ["cpu", "lines"])
def test_a_loop_that_depends_on_the_input_is_found_with_its_ratio(meter: str) -> None:
    found = only(CostlyInputs, callable_of(looping), Inputs(test=halves(20)), plan="quick", meter=meter)
    ratio = found.quantity("cost_ratio")
    assert ratio is not None
    assert ratio.low > 10
    assert ratio.n == 11
    assert found.severity >= Severity.HIGH
    assert "beyond noise" in found.detail


def test_a_network_of_constant_cost_is_not_flagged() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(800, 10))
    subject = TorchSubject(net, options=Options(name="cnn", bounds=(0.0, 1.0)), sample=halves(2).x)
    found = only(CostlyInputs, subject, Inputs(test=halves(20)), plan="quick")
    ratio = found.quantity("cost_ratio")
    assert ratio is not None
    assert ratio.low < 1.3
    assert found.severity == Severity.INFO


def test_a_pattern_that_backtracks_is_found_with_the_text_that_does_it() -> None:
    bad = re.compile(r"^(([a-z0-9])+\s?)+$")
    found = only(
        CostlyInputs,
        callable_of(lambda x: np.array([int(bool(bad.match(text))) for text in x])),
        Inputs(test=words()),
        plan="quick",
    )
    assert number(found, "cost_ratio") > 50
    assert found.severity >= Severity.HIGH
    blob = found.blob("dearest")
    assert blob is not None
    assert blob.payload is not None
    assert len(blob.payload) < 40


def test_a_linear_tokeniser_of_bounded_texts_is_not_flagged() -> None:
    good = re.compile(r"\w+|\S")
    found = only(
        CostlyInputs,
        callable_of(lambda x: np.array([len(good.findall(text)) % 2 for text in x])),
        Inputs(test=words()),
        plan="quick",
        longest=40,
    )
    assert found.severity <= Severity.LOW


def test_data_that_are_neither_numbers_nor_texts_are_refused() -> None:
    odd = Dataset(x=np.array([None, 1], dtype=object), y=np.zeros(2), name="odd", sha256="", indices=np.arange(2))
    with pytest.raises(ShapeMismatch, match="numbers or texts"):
        only(CostlyInputs, callable_of(looping), Inputs(test=odd))
    with pytest.raises(UsageError, match="longest"):
        only(CostlyInputs, callable_of(looping), Inputs(test=halves(4)), longest=-1)
