"""A reference's bins hold their share of it, and hold a value whatever precision it comes in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redan.kernels.drift.profile import BINS, profile


def test_a_price_in_cents_falls_into_the_same_bin_as_a_float_of_the_model() -> None:
    # a model takes float32, a file of test rows holds float64: 0.1 is another number in each
    prices = np.round(np.random.default_rng(0).random((4000, 1)) * 3, 1)
    made = profile(prices, ("price",))
    assert np.array_equal(made.counted(prices.astype(np.float32)), made.counts)


def test_bins_of_many_values_hold_about_as_many_rows() -> None:
    made = profile(np.random.default_rng(0).normal(size=(4000, 1)), ("x",))
    assert made.counts[0, :BINS].tolist() == [500] * BINS


@pytest.mark.parametrize("value", [0.0, -3.5, 0.1, 1e30])
def test_a_column_that_never_varied_sees_whatever_else_comes(value: float) -> None:
    made = profile(np.full((20, 1), value), ("x",))
    assert made.counts[0].tolist() == [0, 20, 0, 0, 0, 0, 0, 0, 0]
    assert np.array_equal(made.counted(np.full((20, 1), value, np.float32)), made.counts)
    assert made.counted(np.array([[value - 1 - abs(value)], [value + 1 + abs(value)]]))[0, :3].tolist() == [1, 0, 1]


@pytest.mark.parametrize("n", [2, 5, 8])
def test_few_values_have_a_bin_each(n: int) -> None:
    made = profile(np.repeat(np.arange(n, dtype=float), 10)[:, None], ("x",))
    assert made.counts[0].tolist() == [10] * n + [0] * (BINS + 1 - n)


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=60),
)
def test_every_row_has_one_bin_and_edges_are_in_order(values: list[float]) -> None:
    rows = np.array(values)[:, None]
    made = profile(rows, ("x",))
    inner = made.edges[0][np.isfinite(made.edges[0])]
    assert (np.diff(inner) > 0).all()
    assert made.counts.sum() == len(rows)
    assert made.counts[0, BINS] == np.isnan(rows).sum()
    assert not made.counts[0, len(inner) + 1 : BINS].any()
