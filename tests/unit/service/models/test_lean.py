"""Scaled linear models answer to the last bit what scikit-learn answers; nothing else is taken for one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from tests import served as made

from redan.core.errors import ShapeMismatch
from redan.service.models.lean import lean


def data(classes: int) -> tuple[Any, Any]:
    if classes == 3:
        found = load_iris()
        return found.data, found.target
    return made.rows()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "scalers",
    [(), (StandardScaler(),), (MinMaxScaler(),), (StandardScaler(with_std=False), MinMaxScaler())],
    ids=["none", "standard", "minmax", "both"],
)
def test_probabilities_are_those_of_the_library(classes: int, scalers: tuple[Any, ...]) -> None:
    x, y = data(classes)
    model = make_pipeline(*scalers, LogisticRegression(max_iter=30, tol=0.1)).fit(x[:, :4], y)
    for fitted in (model, model.steps[-1][1]):
        ask = lean(fitted, "m")
        assert ask is not None
        for rows in (x[:1, :4], x[:, :4], x[:7, :4] * 1e6, -x[:7, :4] * 1e6):
            assert np.array_equal(ask(rows), fitted.predict_proba(rows))


class _Other(LogisticRegression):
    def predict_proba(self, x: Any) -> Any:
        return super().predict_proba(x)[:, ::-1]


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(PCA(2), LogisticRegression(tol=1.0)),
        make_pipeline(StandardScaler(), _Other(tol=1.0)),
        make_pipeline(MinMaxScaler(clip=True), LogisticRegression(tol=1.0)),
    ],
    ids=["pca", "subclass", "clip"],
)
def test_what_is_not_known_here_is_left_to_the_library(model: Any) -> None:
    x, y = data(3)
    assert lean(model.fit(x, y), "m") is None


def test_rows_of_another_width_are_told() -> None:
    ask = lean(made.pipeline(), "m")
    assert ask is not None
    with pytest.raises(ShapeMismatch, match="30 numbers"):
        ask(np.zeros((2, 7)))


def test_one_row_costs_a_fraction_of_what_the_library_takes() -> None:
    model, row = made.pipeline(), made.rows()[0][:1].copy()
    ask = lean(model, "m")
    assert ask is not None

    def cpu_s(work: Any) -> float:
        begin = time.process_time()
        for _ in range(200):
            work(row)
        return time.process_time() - begin

    assert 5 * min(cpu_s(ask) for _ in range(3)) < min(cpu_s(model.predict_proba) for _ in range(3))
