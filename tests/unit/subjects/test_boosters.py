"""XGBoost and LightGBM from objects and from their own files."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer, load_iris

from redan.core.errors import Unreadable, UsageError
from redan.subjects import boosters
from redan.subjects.open import open_subject
from redan.subjects.options import Options

DATA = {"two": load_breast_cancer(return_X_y=True), "three": load_iris(return_X_y=True)}


def xgb(objective: str, n: str):
    x, y = DATA[n]
    extra = {"num_class": 3} if objective.startswith("multi") else {}
    matrix = xgboost.DMatrix(x, y, feature_names=[f"f{i}" for i in range(x.shape[1])])
    return xgboost.train({"objective": objective, "nthread": 1, **extra}, matrix, num_boost_round=4)


def lgb(objective: str, n: str):
    x, y = DATA[n]
    extra = {"num_class": 3} if n == "three" else {}
    return lightgbm.train(
        {"objective": objective, "verbose": -1, "num_threads": 1, **extra}, lightgbm.Dataset(x, y), num_boost_round=4
    )


@pytest.mark.parametrize(
    ("make", "objective", "n", "kind"),
    [
        (xgb, "binary:logistic", "two", "probabilities"),
        (xgb, "binary:logitraw", "two", "logits"),
        (xgb, "binary:hinge", "two", None),
        (xgb, "multi:softprob", "three", "probabilities"),
        (xgb, "multi:softmax", "three", None),
        (lgb, "binary", "two", "probabilities"),
        (lgb, "multiclass", "three", "probabilities"),
    ],
)
def test_boosters_predict(make, objective, n, kind):
    x, y = DATA[n]
    subject = open_subject(make(objective, n))
    assert subject.ref.kind == "booster"
    assert (subject.labels(x) == y).mean() > 0.9
    assert subject.labels(x).dtype == np.int64
    if kind is None:
        assert subject.capabilities == {"labels", "trees"}
    else:
        assert subject.score_kind == kind
        assert subject.scores(x).shape == (len(x), len(set(y)))
        np.testing.assert_array_equal(subject.scores(x).argmax(axis=1), subject.labels(x))


def test_sklearn_manners():
    x, y = DATA["three"]
    for model in (
        xgboost.XGBClassifier(n_estimators=4, n_jobs=1).fit(x, y),
        lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1).fit(x, y),
    ):
        subject = open_subject(model)
        assert subject.ref.kind == "booster"
        assert subject.score_kind == "probabilities"
        assert (subject.labels(x) == y).mean() > 0.9


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_xgboost_files(tmp_path, suffix):
    model = xgb("multi:softprob", "three")
    path = tmp_path / f"model.{suffix}"
    model.save_model(path)
    x, _ = DATA["three"]
    subject = open_subject(path)
    np.testing.assert_allclose(subject.scores(x), open_subject(model).scores(x))
    assert subject.ref.binding.kind == "file"
    assert subject.ref.components[0].size_bytes == path.stat().st_size


def test_lightgbm_files(tmp_path):
    model = lgb("binary", "two")
    path = tmp_path / "model.txt"
    model.save_model(path)
    x, _ = DATA["two"]
    np.testing.assert_allclose(open_subject(path).scores(x), open_subject(model).scores(x))


def test_regressions_are_refused():
    x, y = DATA["two"]
    booster = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(x, y), num_boost_round=1)
    with pytest.raises(UsageError, match="no classification"):
        boosters.from_xgboost(booster, options=Options())
    other = lightgbm.train({"objective": "regression", "verbose": -1}, lightgbm.Dataset(x, y), num_boost_round=1)
    with pytest.raises(UsageError, match="no classification"):
        boosters.from_lightgbm(other, options=Options())


def test_damaged_files_are_unreadable():
    with pytest.raises(Unreadable):
        boosters.read_xgboost(b'{"learner": 3}', "x.json")
    with pytest.raises(Unreadable):
        boosters.read_lightgbm(b"tree\nnonsense", "l.txt")
