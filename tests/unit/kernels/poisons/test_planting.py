"""Poisoned data is what the papers say, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from redan.kernels.poisons.planting import Poisoned, badnets, blended, clean_label, label_flips
from redan.kernels.poisons.triggers import patch

RNG = np.random.default_rng(0)
X = RNG.random((400, 1, 12, 12)).astype(np.float32) * 0.9
Y = np.arange(400) % 4
ATTACKS: list[Callable[..., Poisoned]] = [badnets, blended, clean_label, label_flips]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_rate_is_met_and_other_rows_stay(attack: Callable[..., Poisoned]) -> None:
    before = X.copy(), Y.copy()
    made = attack(X, Y, 0.05, 3)
    assert made.mask.sum() == 20
    assert (made.x[~made.mask] == X[~made.mask]).all()
    assert (made.y[~made.mask] == Y[~made.mask]).all()
    assert (before[0] == X).all()
    assert (before[1] == Y).all()
    assert made.x.dtype == X.dtype
    assert made.y.dtype == np.int64


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_lower_rate_plants_some_of_the_rows_of_a_higher_one(attack: Callable[..., Poisoned]) -> None:
    few, many = attack(X, Y, 0.01, 3), attack(X, Y, 0.1, 3)
    assert (few.mask <= many.mask).all()
    assert few.mask.sum() < many.mask.sum()
    assert (few.x[few.mask] == many.x[few.mask]).all()


@pytest.mark.parametrize("attack", ATTACKS)
def test_another_seed_chooses_other_rows(attack: Callable[..., Poisoned]) -> None:
    assert (attack(X, Y, 0.05, 3).mask != attack(X, Y, 0.05, 4).mask).any()
    assert (attack(X, Y, 0.05, 3).x == attack(X, Y, 0.05, 3).x).all()


@pytest.mark.parametrize("attack", [badnets, blended])
def test_dirty_labels_come_from_other_classes(attack: Callable[..., Poisoned]) -> None:
    made = attack(X, Y, 0.1, 0, target=2)
    assert (Y[made.mask] != 2).all()
    assert (made.y[made.mask] == 2).all()
    assert made.trigger is not None
    assert np.allclose(made.x[made.mask], made.trigger(X[made.mask]))


def test_the_patch_is_nine_pixels_one_from_the_corner() -> None:
    made = badnets(X, Y, 0.1, 0)
    changed = (made.x != X).any(axis=(0, 1))
    assert changed.sum() == 9
    assert changed[8:11, 8:11].all()
    assert (made.x[made.mask][:, 0, 8:11, 8:11] == 1).all()


def test_clean_labels_stay_as_they_were() -> None:
    made = clean_label(X, Y, 0.1, 0, target=1)
    assert (made.y == Y).all()
    assert (Y[made.mask] == 1).all()
    assert (made.x[made.mask][:, 0, 1:4, 1:4] == 1).all()


def test_clean_label_takes_no_more_rows_than_the_class_has() -> None:
    assert clean_label(X, Y, 0.9, 0, target=1).mask.sum() == 100


def test_flips_always_change_the_class_and_reach_every_other() -> None:
    made = label_flips(X, Y, 0.5, 0)
    assert (made.y[made.mask] != Y[made.mask]).all()
    shifts = (made.y - Y)[made.mask] % 4
    assert set(shifts.tolist()) == {1, 2, 3}
    assert (label_flips(X, Y, 0.2, 0, target=3).y[label_flips(X, Y, 0.2, 0, target=3).mask] == 3).all()


def test_in_a_table_the_last_columns_are_set() -> None:
    rows: Any = RNG.random((50, 6))
    stamped = patch(side=2, bounds=(0.0, 9.0))(rows)
    assert (stamped[:, 4:] == 9).all()
    assert (stamped[:, :4] == rows[:, :4]).all()


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        badnets(X, Y, rate, 0)


def test_a_patch_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        patch(side=12)(X)


def test_one_class_cannot_be_flipped() -> None:
    with pytest.raises(ValueError, match="one class"):
        label_flips(X, np.zeros(400, int), 0.1, 0)
