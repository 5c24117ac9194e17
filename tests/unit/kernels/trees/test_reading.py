"""Each library's trees, read: their scores are the library's, to the last comparison."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from redan.core.errors import Skipped
from redan.kernels.trees.forest import Tree, grow
from redan.kernels.trees.reading import read, readable

TWO = load_breast_cancer(return_X_y=True)
THREE = load_iris(return_X_y=True)
MANY = {"n_estimators": 8, "random_state": 0}
SKLEARN = {
    "tree": DecisionTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(**MANY),
    "extra trees": ExtraTreesClassifier(**MANY),
    "boosting": GradientBoostingClassifier(**MANY),
    "boosting from zero": GradientBoostingClassifier(init="zero", **MANY),
    "histograms": HistGradientBoostingClassifier(max_iter=8, random_state=0),
}


def margins(model, x):
    """What a model adds up, one column a class."""
    if hasattr(model, "decision_function"):
        said = model.decision_function(x)
    elif type(model).__module__.startswith("xgboost"):
        said = model.predict(x, output_margin=True)
    elif type(model).__module__.startswith("lightgbm"):
        said = model.predict(x, raw_score=True)
    else:
        said = model.predict_proba(x)
    return np.column_stack([np.zeros(len(x)), said]) if said.ndim == 1 else said


def at_thresholds(forest, x, seed=0):
    """Rows some of whose cells lie exactly on the ends of leaves."""
    random, rows = np.random.default_rng(seed), forest.read(x[:12])
    for row in rows:
        for leaf in random.integers(0, len(forest.tree), 3):
            known = np.flatnonzero((forest.feature[leaf] < forest.d) & np.isfinite(forest.high[leaf]))
            row[forest.feature[leaf, known]] = forest.high[leaf, known]
        column = int(random.integers(forest.d))
        row[column] = forest.after(row[[column]], np.array([column]))[0]
    return rows


def boosters():
    xgboost, lightgbm = pytest.importorskip("xgboost"), pytest.importorskip("lightgbm")
    plain = {"n_estimators": 6, "n_jobs": 1}
    leaves = {**plain, "verbose": -1, "min_child_samples": 5}
    return {
        "xgboost": xgboost.XGBClassifier(**plain),
        "xgboost dart": xgboost.XGBClassifier(booster="dart", rate_drop=0.5, **plain),
        "xgboost forest": xgboost.XGBClassifier(num_parallel_tree=3, subsample=0.5, **plain),
        "lightgbm": lightgbm.LGBMClassifier(**leaves),
        "lightgbm forest": lightgbm.LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, **leaves),
        "lightgbm dart": lightgbm.LGBMClassifier(boosting_type="dart", **leaves),
    }


BOOSTERS = ("xgboost", "xgboost dart", "xgboost forest", "lightgbm", "lightgbm forest", "lightgbm dart")


@pytest.mark.parametrize("name", [*SKLEARN, *BOOSTERS])
@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three classes"])
def test_the_leaves_add_up_to_what_the_library_says_even_on_a_threshold(name, data):
    x, y = data
    model = (SKLEARN[name] if name in SKLEARN else boosters()[name]).fit(x[::2], y[::2])
    forest = read(model)
    assert readable(model)
    rows = np.concatenate([x[1:40:2], at_thresholds(forest, x[1::2])]).astype(forest.grid)
    np.testing.assert_allclose(forest.scores(rows), margins(model, rows), rtol=0, atol=max(forest.slack, 1e-9))


def test_a_best_iteration_ends_the_trees_that_are_read():
    xgboost = pytest.importorskip("xgboost")
    x, y = TWO
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, n_jobs=1, learning_rate=1.0)
    model.fit(x[::2], y[::2], eval_set=[(x[1::2], y[1::2])], verbose=False)
    forest = read(model)
    assert forest.n_trees == model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    np.testing.assert_allclose(forest.scores(x[:20]), margins(model, x[:20]), atol=forest.slack)


def test_what_is_no_interval_is_refused_with_the_reason():
    lightgbm = pytest.importorskip("lightgbm")
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    kinds = random.integers(0, 6, 200)
    frame = pandas.DataFrame({"kind": pandas.Categorical(kinds), "size": random.normal(size=200)})
    y = np.isin(kinds, [1, 4]).astype(int)
    few = {"min_data_per_group": 5, "cat_smooth": 1, "min_child_samples": 5}
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1, **few).fit(frame, y)
    with pytest.raises(Skipped, match="categorical"):
        read(model)
    histograms = HistGradientBoostingClassifier(max_iter=3, categorical_features=[0])
    with pytest.raises(Skipped, match="categorical"):
        read(histograms.fit(np.column_stack([kinds, frame["size"]]), y))
    linear = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1, linear_tree=True)
    with pytest.raises(Skipped, match="linear"):
        read(linear.fit(*TWO))
    custom = GradientBoostingClassifier(n_estimators=2, init=LogisticRegression(max_iter=20, tol=1.0))
    with pytest.raises(Skipped, match="init"):
        read(custom.fit(THREE[0], THREE[1]))


def test_other_ensembles_are_not_readable():
    model = AdaBoostClassifier(n_estimators=2, random_state=0).fit(*THREE)
    assert not readable(model)
    with pytest.raises(Skipped, match="AdaBoostClassifier"):
        read(model)


def test_nodes_in_a_circle_and_columns_that_are_none_are_refused():
    value, one = np.zeros((2, 2)), np.zeros(2)
    circle = Tree(left=np.array([1, 0]), right=np.array([1, 0]), feature=np.array([0, 0]), threshold=one, value=value)
    with pytest.raises(ValueError, match="circle"):
        grow([circle], 1, grid=np.float32)
    stray = Tree(left=np.array([1, -1]), right=np.array([1, -1]), feature=np.array([7, 0]), threshold=one, value=value)
    with pytest.raises(ValueError, match="column 7 of 1"):
        grow([stray], 1, grid=np.float32)
