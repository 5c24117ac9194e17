"""Placing, training and scanning with patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from redan.kernels.draws import sample_keys
from redan.kernels.patches.placing import corners, drawn, side_of, stick
from redan.kernels.patches.scanning import scan
from redan.kernels.patches.universal import PatchSettings, train


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 20), (1, 28, 28)])
def test_corners_reach_from_edge_to_edge_and_never_over_it(shape: tuple[int, ...]) -> None:
    side = side_of(shape, 0.1)
    assert side**2 == pytest.approx(0.1 * shape[1] * shape[2], rel=0.45)
    at = corners(shape, side, 5)
    assert at.min() == 0
    assert at[:, 0].max() == shape[1] - side
    assert at[:, 1].max() == shape[2] - side
    assert len(np.unique(at, axis=0)) == len(at) <= 25
    random = drawn(sample_keys(0, "test", np.arange(300)), shape, side, stream=0)
    assert random.min() >= 0
    assert (random.max(axis=0) <= at.max(axis=0)).all()
    assert len(np.unique(random[:, 0])) > 3


def test_a_patch_covers_just_its_square_and_leaves_the_original_alone() -> None:
    x = np.random.default_rng(0).random((2, 3, 10, 12), dtype=np.float32)
    before, patch = x.copy(), np.full((3, 4, 4), 9, np.float32)
    stuck = stick(x, patch, np.array([[0, 8], [6, 0]]))
    assert np.array_equal(x, before)
    assert (stuck[0, :, :4, 8:] == 9).all()
    assert (stuck[1, :, 6:, :4] == 9).all()
    assert (stuck == 9).sum() == 2 * 3 * 16
    assert np.array_equal(stick(x, patch, np.array([1, 2]))[1, :, 1:5, 2:6], patch)


def test_a_scan_says_where_the_model_errs_and_where_it_was_not_asked() -> None:
    x, at = np.zeros((3, 1, 6, 6), np.float32), corners((1, 6, 6), 2, 5)
    asked = 0

    def predict(points: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += 1
        return (points[:, 0, 0, 0] > 0).astype(np.int64)

    whole = scan(predict, x, np.ones((1, 2, 2), np.float32), at)
    assert (~whole.right(np.zeros(3, np.int64))).sum() == 3  # only the first corner covers the first pixel
    cut = scan(predict, x, np.ones((1, 2, 2), np.float32), at, stop=lambda: "enough" if asked > 30 else None)
    assert cut.reason == "enough"
    assert (cut.answers[-1] == -1).all()


def bright_spot(points: torch.Tensor) -> torch.Tensor:
    """Class 1 as soon as any 2 by 2 square is bright in a chequered way; else the class of the mean."""
    pattern = torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]])
    spot = torch.nn.functional.conv2d(points, pattern).amax(dim=(1, 2, 3))
    return torch.stack([torch.ones(len(points)), spot], dim=1)


def test_training_finds_the_pattern_that_works_wherever_it_is_stuck() -> None:
    x = np.random.default_rng(1).uniform(0.4, 0.6, size=(60, 1, 9, 9)).astype(np.float32)
    y = np.zeros(60, np.int64)
    settings = PatchSettings(steps=40, starts=1, batch=20)
    found = train(bright_spot, x, y, side=2, low=0.0, high=1.0, seed=0, settings=settings)
    assert found.accuracy == 0
    assert (found.patch >= 0).all()
    assert (found.patch <= 1).all()
    assert found.patch[0, 0, 0] + found.patch[0, 1, 1] - found.patch[0, 0, 1] - found.patch[0, 1, 0] > 1
    again = train(bright_spot, x, y, side=2, low=0.0, high=1.0, seed=0, settings=settings)
    assert np.array_equal(again.patch, found.patch)
    cut = train(bright_spot, x, y, side=2, low=0.0, high=1.0, seed=0, settings=settings, stop=lambda: "enough")
    assert cut.reason == "enough"
