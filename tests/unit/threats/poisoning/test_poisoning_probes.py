"""The probes of poisoning find what was planted in digits, and say little where nothing was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from redan.core.budget import Budget
from redan.core.errors import CapabilityMissing, SubjectFailed, UsageError
from redan.core.finding import Finding, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.evidence.blobs import load_npy
from redan.kernels.poisons.planting import badnets, label_flips
from redan.subjects.options import Options
from redan.subjects.recipes import own_recipe
from redan.subjects.sklearn import SklearnSubject
from redan.threats.poisoning.mitigations.filter_and_retrain import FilterAndRetrain
from redan.threats.poisoning.probes.influence import Influence
from redan.threats.poisoning.probes.label_errors import LabelErrors
from redan.threats.poisoning.probes.odd_rows import OddRows
from redan.threats.poisoning.probes.poison_simulation import PoisonSimulation
from redan.threats.poisoning.probes.trigger_success import TriggerSuccess

DIGITS, CLASSES = load_digits(return_X_y=True)
X = (DIGITS / 16).astype(np.float32).reshape(-1, 1, 8, 8)


def fit(x: Any, y: Any, seed: int) -> LogisticRegression:
    return LogisticRegression(C=10, max_iter=60, tol=0.01).fit(x.reshape(len(x), -1), y)


def subject(x: Any, y: Any) -> SklearnSubject:
    return SklearnSubject(fit(x, y, 0), options=Options(name="digits", bounds=(0, 1)))


def data(x: Any, y: Any, name: str = "digits") -> Dataset:
    return Dataset(x=x, y=y, name=name, sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))


def only(probe: Any, model: Any, inputs: Inputs, **params: Any) -> Finding:
    made = probe().run(model, inputs, probe.Params.of(params), budget=Budget(), seed=0, observe=SILENT)
    (found,) = list(made)
    assert isinstance(found, Finding)
    return found


def blob(finding: Finding, name: str) -> Any:
    held = finding.blob(name)
    assert held is not None
    assert held.payload is not None
    return load_npy(held.payload)


def test_flipped_labels_are_the_suspects() -> None:
    flipped = label_flips(X[:1000], CLASSES[:1000], 0.05, 1)
    found = only(LabelErrors, subject(flipped.x, flipped.y), Inputs(train=data(flipped.x, flipped.y)))
    suspects = blob(found, "suspects")
    assert flipped.mask[suspects].mean() > 0.6
    assert flipped.mask[suspects].sum() > 0.7 * flipped.mask.sum()
    assert found.tables[0].rows[0][0] == "0"
    assert len(blob(found, "quality")) == 1000


def test_right_labels_give_few_suspects() -> None:
    found = only(LabelErrors, subject(X[:1000], CLASSES[:1000]), Inputs(train=data(X[:1000], CLASSES[:1000])))
    assert found.quantities[0].value < 0.05


def test_one_fold_is_refused() -> None:
    with pytest.raises(UsageError, match="folds"):
        only(LabelErrors, subject(X[:200], CLASSES[:200]), Inputs(train=data(X[:200], CLASSES[:200])), folds=1)


def test_repeats_contradictions_and_near_repeats_are_counted() -> None:
    x = np.concatenate([X[:300], X[:6], X[10:13] * np.float32(0.999)])
    y = np.concatenate([CLASSES[:300], CLASSES[:4], (CLASSES[4:6] + 1) % 10, CLASSES[10:13]])
    found = only(OddRows, subject(x, y), Inputs(train=data(x, y)), near=0.02)
    counted = {q.name: round(q.value * q.n) for q in found.quantities}
    assert counted["repeated_rate"] == 6
    assert counted["contradicted_rate"] == 2
    assert counted["near_repeat_rate"] == 3
    assert sorted(blob(found, "repeated").tolist()) == [[i, 300 + i] for i in range(6)]
    assert "another label" in str(found.tables[1].rows[0][2])


def test_a_trigger_that_works_is_a_high_finding_and_one_that_does_not_is_none() -> None:
    planted = badnets(X[:1000], CLASSES[:1000], 0.1, 0, side=2)
    shown = badnets(X[1000:], CLASSES[1000:], 1.0, 0, side=2)
    canary = data(shown.x[shown.mask], shown.y[shown.mask], "canary")
    bad = only(TriggerSuccess, subject(planted.x, planted.y), Inputs(canary=canary))
    good = only(TriggerSuccess, subject(X[:1000], CLASSES[:1000]), Inputs(canary=canary))
    assert bad.quantities[0].value > 0.8
    assert bad.severity == Severity.HIGH
    assert good.quantities[0].value < 0.2
    assert good.severity == Severity.INFO


def test_more_poison_gives_more_success_and_the_least_rate_is_where_half_is_passed() -> None:
    inputs = Inputs(
        train=data(X[:1000], CLASSES[:1000]),
        test=data(X[1400:], CLASSES[1400:]),
        recipe=own_recipe(fit, Options(name="digits", bounds=(0, 1))),
    )
    found = only(PoisonSimulation, subject(X[:1000], CLASSES[:1000]), inputs, rates="0.002,0.02,0.1")
    curve, accuracy = found.curve("success_by_rate"), found.curve("accuracy_by_rate")
    assert curve is not None
    assert accuracy is not None
    assert curve.y[0] < 0.5 < curve.y[-1]
    assert min(accuracy.y) > 0.8
    least = found.quantities[0]
    assert least.low < least.value <= 0.1
    assert "owner's own recipe" in found.detail


@pytest.mark.parametrize("rates", ["", "0.1,0.05", "0.1,2", "a"])
def test_rates_that_are_no_rising_shares_are_refused(rates: str) -> None:
    inputs = Inputs(train=data(X[:100], CLASSES[:100]), test=data(X[100:200], CLASSES[100:200]))
    with pytest.raises(UsageError, match="rates"):
        only(PoisonSimulation, subject(X[:100], CLASSES[:100]), inputs, rates=rates)


def test_planted_rows_are_what_a_triggered_answer_rests_on() -> None:
    planted = badnets(X[:1000], CLASSES[:1000], 0.03, 0, side=2)
    shown = badnets(X[1000:], CLASSES[1000:], 1.0, 0, side=2)
    model = subject(planted.x, planted.y)
    inputs = Inputs(
        train=data(planted.x, planted.y),
        test=data(X[1000:1100], CLASSES[1000:1100]),
        canary=data(shown.x[shown.mask], shown.y[shown.mask], "canary"),
    )
    weights = blob(only(Influence, model, inputs), "influence")
    top = np.argsort(-weights)[: planted.mask.sum()]
    assert planted.mask[top].mean() > 0.6


def test_without_a_wrong_answer_there_is_nothing_to_explain() -> None:
    model = subject(X[:300], CLASSES[:300])
    right = model.labels(X[300:600]) == CLASSES[300:600]
    inputs = Inputs(train=data(X[:300], CLASSES[:300]), test=data(X[300:600][right], CLASSES[300:600][right]))
    assert only(Influence, model, inputs).quantities[0].name == "explained_answers"


def test_retraining_without_wrong_labels_wins_accuracy_back() -> None:
    flipped = label_flips(X[:1000], CLASSES[:1000], 0.2, 1)
    nearest = KNeighborsClassifier(1).fit(flipped.x.reshape(1000, -1), flipped.y)
    before = SklearnSubject(nearest, options=Options(name="digits", bounds=(0, 1)))
    params: Any = FilterAndRetrain.Params.of({"by": "labels", "most_by_label": 0.3})
    inputs = Inputs(train=data(flipped.x, flipped.y))
    after: Any = FilterAndRetrain().apply(before, inputs, params, budget=Budget(), seed=0, observe=SILENT)
    right = [float((m.labels(X[1000:]) == CLASSES[1000:]).mean()) for m in (before, after)]
    assert right[1] > right[0] + 0.02


def test_activations_alone_need_a_network() -> None:
    params: Any = FilterAndRetrain.Params.of({"by": "activations"})
    inputs = Inputs(train=data(X[:200], CLASSES[:200]))
    model = subject(X[:200], CLASSES[:200])
    with pytest.raises(CapabilityMissing, match="gradients"):
        FilterAndRetrain().apply(model, inputs, params, budget=Budget(), seed=0, observe=SILENT)


def test_nan_in_training_rows_is_refused_with_words() -> None:
    broken = replace(
        data(X[:200], CLASSES[:200]), x=np.where(np.arange(200)[:, None, None, None] == 3, np.nan, X[:200])
    )
    with pytest.raises(SubjectFailed, match="NaN"):
        only(OddRows, subject(X[:200], CLASSES[:200]), Inputs(train=broken))
