"""Influence is what leaving rows out and fitting again shows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from redan.kernels.influence.head import fit, influence, softmax
from redan.kernels.principal import principal

X, Y = load_digits(return_X_y=True)
COLUMNS = principal(X, 12).of(X)
TRAIN, TEST = slice(0, 300), slice(1000, 1030)
DECAY = 5.0


def loss(columns: np.ndarray, labels: np.ndarray, asked: np.ndarray, wanted: np.ndarray) -> float:
    head = fit(columns, labels, DECAY)
    rows = np.concatenate([asked, np.ones((len(asked), 1))], axis=1)
    return float(-np.log(softmax(rows @ head.weights)[np.arange(len(wanted)), wanted]).sum())


def test_it_predicts_what_leaving_one_row_out_does() -> None:
    head = fit(COLUMNS[TRAIN], Y[TRAIN], DECAY)
    told = influence(head, COLUMNS[TEST], Y[TEST])
    order = np.argsort(told)
    chosen = np.concatenate([order[:15], order[140:150], order[-15:]])
    whole = loss(COLUMNS[TRAIN], Y[TRAIN], COLUMNS[TEST], Y[TEST])
    left_out = [
        loss(np.delete(COLUMNS[TRAIN], i, 0), np.delete(Y[TRAIN], i), COLUMNS[TEST], Y[TEST]) - whole for i in chosen
    ]
    assert np.corrcoef(told[chosen], left_out)[0, 1] > 0.97
    assert np.sign(told[chosen[:15]]).tolist() == np.sign(left_out[:15]).tolist()


def test_leaving_the_top_rows_out_together_hurts_more_than_any_others() -> None:
    told = influence(fit(COLUMNS[TRAIN], Y[TRAIN], DECAY), COLUMNS[TEST], Y[TEST])
    top = np.argsort(-told)[:20]
    random = np.random.default_rng(0).choice(300, 20, replace=False)

    def without(rows: np.ndarray) -> float:
        return loss(np.delete(COLUMNS[TRAIN], rows, 0), np.delete(Y[TRAIN], rows), COLUMNS[TEST], Y[TEST])

    assert without(top) > without(random) + 1


@pytest.mark.parametrize("n_classes", [2, 10])
def test_at_the_fit_the_gradient_of_the_objective_is_nothing(n_classes: int) -> None:
    labels = Y[TRAIN] % n_classes
    head = fit(COLUMNS[TRAIN], labels, DECAY)
    residual = softmax(head.columns @ head.weights) - np.eye(n_classes)[labels]
    assert head.columns.T @ residual + DECAY * head.weights == pytest.approx(0, abs=0.02)
