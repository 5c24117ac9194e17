"""What a model does not need is found, and what it needs is left."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from redan.kernels.anonymity.needing import applied, coarsest


def test_only_the_column_that_decides_stays_exact_enough() -> None:
    x = np.random.default_rng(0).normal(size=(400, 3))
    truth = x[:, 1] > 0

    def correct(changed: NDArray[Any]) -> NDArray[np.bool_]:
        return np.asarray((changed[:, 1] > 0) == truth)

    chosen = coarsest(correct, x, tolerance=0.02)
    assert chosen is not None
    assert [each.ranges for each in chosen] == [1, 2, 1]
    assert correct(applied(chosen, x)).mean() >= 0.98
    assert len(np.unique(applied(chosen, x)[:, 1])) == 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 500), tolerance=st.sampled_from([0.0, 0.02, 0.2]))
def test_accuracy_on_the_rows_of_the_choice_never_falls_by_more(seed: int, tolerance: float) -> None:
    draws = np.random.default_rng(seed)
    x = draws.integers(0, 5, size=(80, 4)).astype(float)
    weights = draws.normal(size=4)
    truth = x @ weights > np.median(x @ weights)

    def correct(changed: NDArray[Any]) -> NDArray[np.bool_]:
        return np.asarray((changed @ weights > np.median(x @ weights)) == truth)

    chosen = coarsest(correct, x, tolerance=tolerance)
    assert chosen is not None
    assert correct(applied(chosen, x)).mean() >= correct(x).mean() - tolerance - 1e-12


def test_a_spent_budget_ends_without_a_choice() -> None:
    assert coarsest(lambda changed: None, np.ones((4, 2)), tolerance=0.1) is None


def test_rows_beyond_what_was_seen_fall_into_the_outer_ranges() -> None:
    x = np.linspace(0, 1, 100)[:, None]
    truth = x[:, 0] > 0.5
    chosen = coarsest(lambda changed: (changed[:, 0] > 0.5) == truth, x, tolerance=0.0)
    assert chosen is not None
    found = applied(chosen, np.array([[-5.0], [5.0]]))
    assert found[0, 0] < 0.5 < found[1, 0]
