"""The grid of rotations and shifts."""

from __future__ import annotations

import numpy as np

from redan.kernels.corruptions.grid import Grid

GRID = Grid(degrees=30, shift=0.1, n_degrees=3, n_shifts=3)


def test_the_nearest_place_is_no_change_and_the_corners_are_the_most() -> None:
    x = np.random.default_rng(0).random((2, 1, 10, 10), dtype=np.float32)
    nearest = int(np.argmin(GRID.sizes()))
    assert GRID.place(nearest) == (0, 0, 0)
    assert np.array_equal(GRID.moved(x, nearest), x)
    assert len(GRID) == 27
    assert GRID.sizes().max() == 1


def test_a_shift_is_a_share_of_the_side() -> None:
    x = np.zeros((1, 1, 20, 20), np.float32)
    x[0, 0, 10, 10] = 1
    places = [GRID.place(i) for i in range(len(GRID))]
    down = places.index(next(p for p in places if p[0] == 0 and p[1] > 0 and p[2] == 0))
    assert GRID.moved(x, down)[0, 0, 12, 10] == 1


def test_a_grid_without_rotation_has_finite_sizes() -> None:
    flat = Grid(degrees=0, shift=0, n_degrees=1, n_shifts=1)
    assert flat.sizes().tolist() == [0]
