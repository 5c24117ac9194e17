"""Fitted ensembles of scikit-learn, XGBoost and LightGBM as plain leaves, each library's comparison kept exactly.

No library is imported: estimators are recognised by the names of their classes and read through public attributes
where they exist. Every reader ends with a constant that makes the leaves answer like the library at one row; callers
compare the answers at more rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import Skipped
from redan.kernels.trees.forest import Floats, Forest, Tree, below, floor_to, grow

_ROUNDING_32 = 1e-5
"""Share of the sum of scores that a library loses that adds in single precision."""
_ROUNDING_64 = 1e-10

_TREES = frozenset({"DecisionTreeClassifier", "ExtraTreeClassifier"})
_FORESTS = frozenset({"RandomForestClassifier", "ExtraTreesClassifier"})
KNOWN = _TREES | _FORESTS | {"GradientBoostingClassifier", "HistGradientBoostingClassifier"}
"""Classes of scikit-learn that are read."""


def readable(estimator: Any) -> bool:
    """Whether a fitted estimator or booster is one whose trees can be read; nothing is read to find out."""
    return _reader(estimator) is not None


def read(estimator: Any) -> Forest:
    """Read a fitted ensemble.

    Raises:
        Skipped: it has no trees, or splits that are not of the form x <= t; the message says which.
    """
    reader = _reader(estimator)
    if reader is None:
        raise Skipped(
            f"the trees of a {type(estimator).__name__} cannot be read",
            hint="trees of scikit-learn, XGBoost and LightGBM are read; others are attacked as a black box",
        )
    return reader(estimator)


def _reader(estimator: Any) -> Callable[[Any], Forest] | None:
    for cls in type(estimator).__mro__:
        library, name = cls.__module__.partition(".")[0], cls.__name__
        if library == "sklearn" and name in KNOWN:
            return _SKLEARN[name]
        if library == "xgboost" and name in {"XGBClassifier", "Booster"}:
            return _xgboost
        if library == "lightgbm" and name in {"LGBMClassifier", "Booster"}:
            return _lightgbm
    return None


def _node_arrays(tree: Any, value: Floats) -> Tree:
    return Tree(
        left=np.asarray(tree.children_left, np.int64),
        right=np.asarray(tree.children_right, np.int64),
        feature=np.asarray(tree.feature, np.int64),
        threshold=floor_to(tree.threshold, np.float32),
        value=value,
    )


def _shares(tree: Any) -> Floats:
    votes = np.asarray(tree.value, np.float64)[:, 0, :]
    return np.asarray(votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-300))


def _single(estimator: Any) -> Forest:
    _one_output(estimator)
    shares = _shares(estimator.tree_)
    return grow([_node_arrays(estimator.tree_, shares)], estimator.n_features_in_, grid=np.float32, slack=1e-12)


def _forest(estimator: Any) -> Forest:
    _one_output(estimator)
    n = len(estimator.estimators_)
    trees = [_node_arrays(e.tree_, _shares(e.tree_) / n) for e in estimator.estimators_]
    return grow(trees, estimator.n_features_in_, grid=np.float32)


def _one_output(estimator: Any) -> None:
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise Skipped("trees with several outputs are not read")


def _gradient_boosting(estimator: Any) -> Forest:
    if estimator.init not in (None, "zero"):
        raise Skipped("the boosting starts from a model of its own (init), which is no tree")
    stages = np.asarray(estimator.estimators_)
    k, rate = stages.shape[1], float(estimator.learning_rate)
    trees = [
        _node_arrays(stage.tree_, _placed(rate * np.asarray(stage.tree_.value, np.float64)[:, 0, 0], place, k))
        for row in stages
        for place, stage in enumerate(row)
    ]
    forest = grow(trees, estimator.n_features_in_, grid=np.float32)
    return _anchored(forest, estimator.decision_function, _ROUNDING_64)


def _histogram_boosting(estimator: Any) -> Forest:
    trees: list[Tree] = []
    stages = estimator._predictors
    for row in stages:
        for place, predictor in enumerate(row):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            if (nodes["is_categorical"].astype(bool) & ~leaf).any():
                raise _categorical("HistGradientBoostingClassifier")
            tree = Tree(
                left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                right=nodes["right"].astype(np.int64),
                feature=nodes["feature_idx"].astype(np.int64),
                threshold=nodes["num_threshold"].astype(np.float64),
                value=_placed(nodes["value"].astype(np.float64), place, len(row)),
            )
            trees.append(tree)
    forest = grow(trees, estimator.n_features_in_, grid=np.float64)
    return _anchored(forest, estimator.decision_function, _ROUNDING_64)


def _xgboost(estimator: Any) -> Forest:
    booster = estimator.get_booster() if hasattr(estimator, "get_booster") else estimator
    best = getattr(estimator, "best_iteration", None) if booster is not estimator else None
    if best is not None:
        booster = booster[: int(best) + 1]
    learner = json.loads(bytes(booster.save_raw(raw_format="json")))["learner"]
    engine, weights = _gbtree(learner["gradient_booster"])
    classes = max(1, int(learner["learner_model_param"]["num_class"]))
    d = int(learner["learner_model_param"]["num_feature"])
    trees = [
        _xgboost_tree(tree, weight, place, classes)
        for tree, place, weight in zip(engine["trees"], engine["tree_info"], weights, strict=True)
    ]

    def margin(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(booster.inplace_predict(rows, predict_type="margin", validate_features=False))

    return _anchored(grow(trees, d, grid=np.float32), margin, _ROUNDING_32)


def _gbtree(booster: Any) -> tuple[Any, list[float]]:
    if booster["name"] == "dart":
        return booster["gbtree"]["model"], [float(weight) for weight in booster["weight_drop"]]
    if booster["name"] != "gbtree":
        raise Skipped(f"an XGBoost booster of the kind {booster['name']!r} has no trees")
    return booster["model"], [1.0] * len(booster["model"]["trees"])


def _xgboost_tree(tree: Any, weight: float, place: int, classes: int) -> Tree:
    if int(tree["tree_param"].get("size_leaf_vector", "1")) > 1:
        raise Skipped("XGBoost trees whose leaves hold a vector (multi_output_tree) are not read")
    if any(tree.get("split_type", ())):
        raise _categorical("XGBoost")
    conditions = np.asarray(tree["split_conditions"], np.float32)
    return Tree(
        left=np.asarray(tree["left_children"], np.int64),
        right=np.asarray(tree["right_children"], np.int64),
        feature=np.asarray(tree["split_indices"], np.int64),
        threshold=below(conditions, np.float32),
        value=_placed(conditions.astype(np.float64) * weight, place, classes),
    )


def _lightgbm(estimator: Any) -> Forest:
    booster = getattr(estimator, "booster_", estimator)
    head, *blocks = booster.model_to_string().split("\nTree=")
    names = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    per_round = int(names.get("num_tree_per_iteration", "1"))
    trees = [
        _lightgbm_tree(dict(line.split("=", 1) for line in block.splitlines() if "=" in line), n, per_round)
        for n, block in enumerate(blocks)
    ]
    forest = grow(trees, int(names["max_feature_idx"]) + 1, grid=np.float64)
    return _anchored(forest, lambda rows: np.asarray(booster.predict(rows, raw_score=True)), _ROUNDING_64)


def _lightgbm_tree(fields: dict[str, str], number: int, per_round: int) -> Tree:
    if int(fields.get("is_linear", "0")):
        raise Skipped("LightGBM trees with linear leaves (linear_tree) are not read")
    leaves = _numbers(fields["leaf_value"], np.float64)
    inner = _numbers(fields.get("split_feature", ""), np.int64).astype(np.int64)
    kinds = _numbers(fields.get("decision_type", ""), np.int64).astype(np.int64)
    if (kinds & 1).any():
        raise _categorical("LightGBM")
    if ((kinds >> 2) & 3 == 1).any():
        raise Skipped("LightGBM trees that take 0 for missing (zero_as_missing) are not read")
    m = len(inner)
    blank = np.zeros(len(leaves))
    return Tree(
        left=np.concatenate([_child(fields.get("left_child", ""), m), np.full(len(leaves), -1)]),
        right=np.concatenate([_child(fields.get("right_child", ""), m), np.full(len(leaves), -1)]),
        feature=np.concatenate([inner, blank.astype(np.int64)]),
        threshold=np.concatenate([_numbers(fields.get("threshold", ""), np.float64), blank]),
        value=_placed(np.concatenate([np.zeros(m), leaves]), number % per_round, per_round),
    )


def _numbers(text: str, kind: Any) -> NDArray[Any]:
    return np.array(text.split(), dtype=np.float64).astype(kind)


def _child(text: str, inner: int) -> NDArray[np.int64]:
    """Inner nodes keep their number; leaf n, stored as ~n, follows the inner nodes."""
    stored = _numbers(text, np.int64)
    return np.where(stored < 0, inner + ~stored, stored)


def _categorical(library: str) -> Skipped:
    return Skipped(
        f"{library} trees with categorical splits are not read: a set of categories is no interval",
        hint="the model is attacked as a black box instead; one-hot columns with [constraints] one_hot are read",
    )


def _placed(value: Floats, place: int, classes: int) -> Floats:
    """What a tree of one class adds to the scores: a single margin belongs to the second of two classes."""
    placed = np.zeros((len(value), max(2, classes)))
    placed[:, 1 if classes == 1 else place] = value
    return placed


def _anchored(forest: Forest, margin: Callable[[NDArray[Any]], NDArray[Any]], rounding: float) -> Forest:
    """Find the scores before the first tree: what the library says of a row beyond its leaves."""
    row = np.zeros((1, forest.d), forest.grid)
    said = np.asarray(margin(row), np.float64).reshape(-1)
    if said.size == 1:
        said = np.array([0.0, said[0]])
    size = np.abs(said).max() + sum(float(np.abs(forest.value[forest.tree == t]).max()) for t in range(forest.n_trees))
    return replace(forest, base=said - forest.scores(row)[0], slack=rounding * max(1.0, size))


_SKLEARN: dict[str, Callable[[Any], Forest]] = {
    **dict.fromkeys(_TREES, _single),
    **dict.fromkeys(_FORESTS, _forest),
    "GradientBoostingClassifier": _gradient_boosting,
    "HistGradientBoostingClassifier": _histogram_boosting,
}
