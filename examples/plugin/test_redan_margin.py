"""The plugin keeps every promise of a probe, and counts right where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from redan_margin import Margin, MarginParams

import redan
from redan.core.budget import Budget
from redan.core.inputs import Inputs
from redan.core.progress import SILENT
from redan.testing import Check, ProbeCase, probe_checks

ROWS = np.linspace(0, 1, 40, dtype=np.float32).reshape(20, 2)


def linear(x: np.ndarray) -> np.ndarray:
    """A model whose two probabilities are its own second input and the rest."""
    return np.stack([1 - x[:, 1], x[:, 1]], axis=1)


def target() -> redan.workbench.Target:
    """The model with 20 rows of data."""
    return redan.subject(linear, data=(ROWS, np.arange(20) % 2), bounds=(0, 1), name="linear")


@pytest.mark.parametrize("check", probe_checks(), ids=str)
def test_it_keeps_the_promises_of_a_probe(check: Check) -> None:
    check(ProbeCase(thing=Margin, make_subject=lambda: target().subject, make_inputs=lambda: target().inputs))


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_it_counts_the_rows_near_one_half(batch: int) -> None:
    found = target()
    settings = MarginParams(ratio=0.8, batch=batch)
    (finding,) = Margin().run(found.subject, found.inputs, settings, budget=Budget(), seed=0, observe=SILENT)
    share = finding.quantity("close_calls")
    second = ROWS[:, 1]
    expected = np.minimum(second, 1 - second) >= 0.8 * np.maximum(second, 1 - second)
    assert share.value == expected.mean()
    assert share.low < share.value < share.high
    assert share.n == 20


def test_it_needs_data() -> None:
    with pytest.raises(redan.RedanError, match="test data"):
        list(Margin().run(target().subject, Inputs(), MarginParams(), budget=Budget(), seed=0, observe=SILENT))
