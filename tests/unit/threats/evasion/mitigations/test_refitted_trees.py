"""Trees fitted anew: harder to move where that was the aim, at a price that is measured."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import redan
from redan.core.budget import Budget
from redan.core.constraints import Rules
from redan.core.errors import SubjectFailed, UsageError
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.open import open_subject
from redan.threats.evasion.mitigations.monotone_trees import MonotoneTrees, MonotoneTreesParams
from redan.threats.evasion.mitigations.robust_trees import RobustTrees, RobustTreesParams
from redan.threats.evasion.probes.trees import TreesParams, TreesProbe

EPS = 0.1


def rows(x, y, **known):
    return Dataset(x=x, y=y, name="rows", sha256="", indices=np.arange(len(x)), **known)


@cache
def digits():
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int64)
    return Inputs(
        train=rows(x[:1000], y[:1000], bounds=(0.0, 1.0)), test=rows(x[1000:1400], y[1000:1400], bounds=(0.0, 1.0))
    )


def applied(thing, params, subject, inputs):
    return thing().apply(subject, inputs, params, budget=Budget(), seed=0, observe=SILENT)


def measured(subject, inputs, **params):
    kwargs = {"budget": Budget(), "seed": 0, "observe": SILENT}
    (finding,) = TreesProbe().run(subject, inputs, TreesParams(plan="quick", **params), **kwargs)
    return {q.name: q.value for q in finding.quantities}


def test_robust_splits_more_than_double_what_a_tree_withstands_by_proof_and_cost_no_accuracy():
    tree = DecisionTreeClassifier(random_state=0).fit(digits().train.x, digits().train.y)
    subject = open_subject(tree, bounds=(0.0, 1.0))
    safer = applied(RobustTrees, RobustTreesParams(eps=EPS), subject, digits())
    before, after = (measured(s, digits(), eps=EPS) for s in (subject, safer))
    assert before["solved_exactly"] == after["solved_exactly"] == 1
    assert after["certified_accuracy"] > 2 * before["certified_accuracy"]
    assert after["clean_accuracy"] > before["clean_accuracy"] - 0.02
    assert safer.ref.lineage == (subject.ref.digest,)


def test_copies_keep_the_rules_of_a_table_and_an_estimator_keeps_its_parameters():
    seen = []

    class Watched(RandomForestClassifier):
        def fit(self, x, y):
            seen.append(np.asarray(x))
            return super().fit(x, y)

    x, y = table(60)
    subject = open_subject(Watched(3, max_depth=2).fit(x, y))
    rules = Rules(immutable=("0",), integer=("1",), only_up=("2",))
    inputs = Inputs(train=rows(x, y), constraints=rules)
    safer = applied(RobustTrees, RobustTreesParams(eps=0.2, copies=4), subject, inputs)
    copies = seen[-1].reshape(5, *x.shape)
    assert (copies[0] == x).all()
    assert (copies[:, :, 0] == x[:, 0]).all()
    assert (copies[:, :, 1] == np.round(copies[:, :, 1])).all()
    assert (copies[:, :, 2] >= x[:, 2]).all()
    assert (copies[1:, :, 2] > x[:, 2]).any()
    assert safer.estimator.get_params()["max_depth"] == 2
    assert subject.estimator.random_state is None


def table(n, seed=0):
    random = np.random.default_rng(seed)
    x = np.column_stack([random.normal(size=n), random.integers(0, 9, n), random.normal(size=n)])
    return x, (x[:, 0] + 0.2 * x[:, 1] + np.sin(5 * x[:, 2]) > 1).astype(np.int64)


def one_way_models():
    xgboost, lightgbm = pytest.importorskip("xgboost"), pytest.importorskip("lightgbm")
    return {
        "tree": DecisionTreeClassifier(random_state=0),
        "forest": RandomForestClassifier(5, random_state=0),
        "histograms": HistGradientBoostingClassifier(max_iter=10, random_state=0),
        "xgboost": xgboost.XGBClassifier(n_estimators=10, n_jobs=1),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1),
    }


@pytest.mark.parametrize("name", ["tree", "forest", "histograms", "xgboost", "lightgbm"])
def test_what_can_only_grow_moves_no_row_of_the_protected_class_any_more(name):
    x, y = table(400)
    model = one_way_models()[name].fit(x, y)
    rules = Rules(immutable=("0", "1"), only_up=("2",))
    mine = y == 1
    inputs = Inputs(train=rows(x, y), test=rows(x[mine][:30], y[mine][:30]), constraints=rules)
    subject = open_subject(model)
    safer = applied(MonotoneTrees, MonotoneTreesParams(), subject, inputs)
    before, after = (measured(s, inputs, eps=1.0) for s in (subject, safer))
    assert before["robust_accuracy"] < before["clean_accuracy"]
    assert after["certified_accuracy"] == after["robust_accuracy"] == after["clean_accuracy"] > 0.5


def test_what_cannot_be_held_is_refused_with_the_reason():
    x, y = table(60)
    rules = Rules(only_up=("2",))
    boosted = open_subject(GradientBoostingClassifier(n_estimators=2).fit(x, y))
    with pytest.raises(UsageError, match="cannot be held monotone"):
        applied(MonotoneTrees, MonotoneTreesParams(), boosted, Inputs(train=rows(x, y), constraints=rules))
    with pytest.raises(UsageError, match="no column goes one way only"):
        applied(MonotoneTrees, MonotoneTreesParams(), boosted, Inputs(train=rows(x, y)))
    with pytest.raises(SubjectFailed, match="not all of them"):
        applied(RobustTrees, RobustTreesParams(), boosted, Inputs(train=rows(x, np.zeros_like(y))))


def test_hardening_a_forest_takes_the_mitigations_of_trees_and_measures_them_with_the_probe():
    x, y = digits().train.x, digits().train.y
    forest = RandomForestClassifier(8, max_depth=8, random_state=0).fit(x[:600], y[:600])
    target = redan.subject(forest, data=(x[600:640], y[600:640]), train=(x[:600], y[:600]), bounds=(0, 1))
    safer = redan.harden(target, against="evasion", mitigations=("robust-trees",), eps=EPS, plan="quick")
    assert safer.subject.ref.lineage
    assert "trees" in safer.subject.capabilities
