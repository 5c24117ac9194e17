"""Attributes and classes inferred where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from redan.kernels.inversion.ascent import Ascent, invert
from redan.kernels.inversion.attributes import guess
from redan.kernels.inversion.likeness import likeness


def go_on() -> str | None:
    return None


def table(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    return draws.normal(size=(n, 3)), draws.integers(0, 2, n)


def test_answers_that_tell_the_attribute_are_used_and_imputation_knows_nothing() -> None:
    known, truth = table(300, 0)
    found = guess(known, truth[:, None] + 0.0, truth, np.arange(300), candidate_loss=None, trees=20, seed=1)
    assert (found.attacked == truth).mean() > 0.95
    assert 0.35 < (found.imputed == truth).mean() < 0.65
    assert len(found.lowest_loss) == 0


def test_answers_that_tell_nothing_add_nothing() -> None:
    known, truth = table(600, 1)
    noise = np.random.default_rng(9).normal(size=(600, 2))
    found = guess(known, noise, truth, np.arange(600), candidate_loss=None, trees=20, seed=1)
    assert abs((found.attacked == truth).mean() - (found.imputed == truth).mean()) < 0.08


def test_a_row_is_guessed_the_same_whatever_the_seed_of_others_and_every_row_is_guessed() -> None:
    known, truth = table(60, 2)
    runs = [guess(known, known, truth, np.arange(60), candidate_loss=None, trees=5, seed=4) for _ in range(2)]
    assert (runs[0].attacked == runs[1].attacked).all()
    assert set(runs[0].imputed.tolist()) <= {0, 1}


def test_the_least_loss_wins_and_ties_go_to_imputation() -> None:
    known, truth = table(40, 3)
    loss = np.ones((40, 2))
    loss[:20, 1] = 0
    found = guess(known, loss, truth, np.arange(40), candidate_loss=loss, trees=5, seed=4)
    assert (found.lowest_loss[:20] == 1).all()
    assert (found.lowest_loss[20:] == found.imputed[20:]).all()


def test_ascent_reaches_the_corner_that_a_linear_model_means() -> None:
    weights = torch.tensor([[4.0, -4.0], [-4.0, 4.0]])
    found = invert(
        lambda x: x @ weights.T,
        torch.tensor([0, 1]),
        torch.full((2, 2), 0.5),
        (torch.tensor(0.0), torch.tensor(1.0)),
        Ascent(steps=100, decay=0.0),
        go_on,
    )
    assert torch.allclose(found.x, torch.tensor([[1.0, 0.0], [0.0, 1.0]]), atol=0.05)
    assert (found.confidence > 0.99).all()


def test_ascent_that_is_stopped_says_so() -> None:
    found = invert(
        lambda x: x, torch.tensor([0]), torch.zeros(1, 2), (torch.tensor(0.0), torch.tensor(1.0)), Ascent(), lambda: "x"
    )
    assert found.reason == "x"
    assert torch.equal(found.x, torch.zeros(1, 2))


def blobs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    centres = np.random.default_rng(0).random((3, 30))
    y = np.arange(n) % 3
    return centres[y] + draws.normal(scale=0.2, size=(n, 30)), y


def test_class_means_are_recognised_and_noise_is_not() -> None:
    train, others = blobs(300, 1), blobs(300, 2)
    classes = np.arange(3)
    means = np.stack([train[0][train[1] == c].mean(axis=0) for c in range(3)])
    alike = likeness(means, classes, train, others)
    assert alike.recognised.all()
    assert alike.linear.all()
    assert (alike.to_mean > 0.999).all()
    wrong = likeness(means[[1, 2, 0]], classes, train, others)
    assert not wrong.recognised.any()
    assert not wrong.linear.any()


def test_a_training_row_itself_is_told_from_an_average() -> None:
    train, others = blobs(300, 1), blobs(300, 2)
    rows = np.stack([train[0][train[1] == c][5] for c in range(3)])
    alike = likeness(rows, np.arange(3), train, others)
    assert alike.to_train == pytest.approx(1)
    assert (alike.to_train > alike.to_others + 0.05).all()


def test_a_constant_input_is_like_nothing() -> None:
    alike = likeness(np.full((3, 30), 0.5), np.arange(3), blobs(30, 1), blobs(30, 2))
    assert (alike.to_mean == 0).all()
