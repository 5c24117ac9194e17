"""What rows suggest about a table, and what they do not."""

from __future__ import annotations

import numpy as np

from redan.core.constraints import Rules
from redan.kernels.constraints.inferring import suggest

COLUMNS = ("age", "rooms", "city_a", "city_b", "flag_x", "flag_y")


def rows(n=40):
    random = np.random.default_rng(0)
    city = np.eye(2)[random.integers(0, 2, n)]
    flags = random.integers(0, 2, (n, 2))
    return np.column_stack([random.uniform(18, 90, n), random.integers(1, 9, n), city, flags])


def test_whole_numbers_and_groups_are_seen():
    assert suggest(rows(), COLUMNS) == Rules(integer=("rooms", "flag_x", "flag_y"), one_hot=(("city_a", "city_b"),))


def test_one_exception_is_enough_against_a_rule():
    x = rows()
    x[7, 1], x[8, 2:4] = 2.5, 1
    assert suggest(x, COLUMNS) == Rules(integer=("city_a", "city_b", "flag_x", "flag_y"))


def test_few_rows_images_and_missing_cells_suggest_nothing():
    assert not suggest(rows(5), COLUMNS)
    assert not suggest(np.zeros((30, 2, 2)), ("a", "b"))
    assert not suggest(np.full((30, 1), np.nan), ("a",))
