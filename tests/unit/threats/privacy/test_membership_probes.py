"""Membership probes on models that memorise, on records nobody learned from, and where nothing can be trained."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from redan.core.budget import Budget
from redan.core.errors import ShapeMismatch, Skipped, UsageError
from redan.core.finding import Finding
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.subjects.recipes import own_recipe
from redan.subjects.sklearn import SklearnSubject
from redan.testing.spending import StopAfter
from redan.threats.privacy.mitigations.output_noise import OutputNoise
from redan.threats.privacy.mitigations.rounding import Rounding
from redan.threats.privacy.mitigations.temperature import Temperature
from redan.threats.privacy.mitigations.top_k import TopK
from redan.threats.privacy.probes.label_only import LabelOnly
from redan.threats.privacy.probes.lira import Lira
from redan.threats.privacy.probes.rmia import Rmia

ROWS = 250


def rows(number: int, n: int = ROWS) -> Dataset:
    """Rows of three classes whose labels are wrong one time in four, so that only memory can know them."""
    rng = np.random.default_rng(number)
    x = rng.normal(size=(n, 4))
    y = np.where(rng.random(n) < 0.25, rng.integers(0, 3, n), (x[:, 0] > 0).astype(int) + (x[:, 1] > 0))
    return Dataset(x=x, y=y.astype(np.int64), name=f"rows {number}", sha256="", indices=np.arange(n))


@cache
def fitted(number: int) -> SklearnSubject:
    """A tree that remembers its rows."""
    data = rows(number)
    tree = DecisionTreeClassifier(max_depth=9, random_state=0).fit(data.x, data.y)
    return SklearnSubject(tree, options=Options(name="tree", classes=("a", "b", "c")))


@cache
def forest() -> SklearnSubject:
    """Trees that remember their rows together, with shares of votes for scores."""
    data = rows(0)
    trees = RandomForestClassifier(12, random_state=0).fit(data.x, data.y)
    return SklearnSubject(trees, options=Options(name="forest", classes=("a", "b", "c")))


def inputs(train: int = 0) -> Inputs:
    """The rows that the tree learned from, or others, beside rows that nobody saw."""
    return Inputs(train=rows(train), test=rows(1))


def run(
    probe: Any, subject: Any = None, data: Inputs | None = None, budget: Budget | None = None, **params: Any
) -> Finding:
    """Return the one finding of a probe."""
    found = probe().run(
        subject or fitted(0),
        data or inputs(),
        probe.Params.of(params),
        budget=budget or Budget(),
        seed=0,
        observe=SILENT,
    )
    (finding,) = found
    assert isinstance(finding, Finding)
    return finding


ATTACKS = [
    pytest.param(Rmia, {}, id="rmia"),
    pytest.param(Rmia, {"mode": "offline", "references": 4}, id="rmia offline"),
    pytest.param(Lira, {"references": 8}, id="lira"),
    pytest.param(Lira, {"references": 8, "mode": "offline"}, id="lira offline"),
    pytest.param(LabelOnly, {}, id="label-only"),
    pytest.param(LabelOnly, {"references": 2}, id="label-only beside references"),
]


@pytest.mark.parametrize(("probe", "params"), ATTACKS)
def test_a_model_that_memorises_is_caught(probe: Any, params: dict[str, Any]) -> None:
    finding = run(probe, **params)
    assert finding.quantities[0].name == "membership_auc"
    assert finding.quantities[0].low > 0.55
    assert finding.severity > 0


@pytest.mark.parametrize(("probe", "params"), ATTACKS)
def test_records_that_the_model_never_saw_are_not_told_apart(probe: Any, params: dict[str, Any]) -> None:
    area = run(probe, data=inputs(train=7), **params).quantities[0]
    assert area.low - 0.03 < 0.5 < area.high + 0.03


def test_references_find_more_than_labels_alone() -> None:
    alone = run(LabelOnly).quantities[0].value
    assert run(LabelOnly, references=2).quantities[0].value > alone
    assert run(Rmia).quantities[0].value > alone


def test_the_finding_tells_each_record_its_risk_and_names_rows_of_the_source() -> None:
    finding = run(Rmia)
    lines = finding.evidence[0].payload.decode().splitlines()  # type: ignore[union-attr]  # fresh evidence has its bytes
    assert lines[0] == "record,member,class,probability,usual_probability,score,false_positive_rate"
    assert len(lines) == 1 + 2 * ROWS
    table = finding.tables[0]
    assert len(table.rows) == 10
    risks = [row[3] for row in table.rows]
    assert risks == sorted(risks)  # type: ignore[type-var]  # numbers
    assert all(str(row[0]).startswith("train ") for row in table.rows)


def test_the_curve_starts_where_one_record_of_the_others_can_be_seen() -> None:
    finding = run(Rmia)
    curve = finding.curve("roc")
    assert curve is not None
    assert curve.x[0] == 0.005  # 250 others
    assert curve.y == tuple(sorted(curve.y))
    assert curve.y[-1] == 1.0
    assert "cannot resolve 0.1 %" in finding.detail


def test_whose_recipe_trained_the_references_is_said() -> None:
    assert "estimators of the same parameters" in run(Rmia).detail

    def fit(x: Any, y: Any, seed: int) -> Any:
        return DecisionTreeClassifier(max_depth=9, random_state=seed).fit(x, y)

    subject = CallableSubject(
        lambda x: fitted(0).scores(x), options=Options(name="api", answers="scores"), sample=rows(0).x
    )
    recipe = own_recipe(fit, Options(classes=("a", "b", "c")))
    given = Inputs(train=rows(0), test=rows(1), recipe=recipe)
    finding = run(Rmia, subject, given)
    assert "the owner's own recipe" in finding.detail
    assert finding.quantities[0].low > 0.6


def test_a_model_that_cannot_be_trained_anew_is_skipped_with_the_reason() -> None:
    subject = CallableSubject(
        lambda x: fitted(0).scores(x), options=Options(name="api", answers="scores"), sample=rows(0).x
    )
    with pytest.raises(Skipped, match="cannot be trained anew") as caught:
        run(Rmia, subject)
    assert "recipe" in caught.value.hint
    assert run(LabelOnly, subject).quantities[0].value > 0.55


def test_a_budget_that_ends_after_a_pair_leaves_a_partial_figure() -> None:
    # asked before the only batch, and twice for each training
    budget = StopAfter(5)
    finding = run(Rmia, budget=budget, references=6)
    assert all(q.partial for q in finding.quantities)
    assert "2 of 6 reference models" in finding.detail


@pytest.mark.parametrize(
    ("probe", "params", "words"),
    [
        (Rmia, {"references": 3}, "even number"),
        (Rmia, {"records": 5}, "at least 20"),
        (Rmia, {"a": 2.0}, "0 to 1"),
        (Rmia, {"epochs": 0}, "at least 1"),
        (Lira, {"references": 2, "mode": "offline"}, "no variance"),
        (LabelOnly, {"copies": 0}, "1 to"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(probe: Any, params: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(probe, **params)


def test_a_class_with_a_single_record_cannot_be_split() -> None:
    data = rows(0, 40)
    data.y[:] = 0
    data.y[0] = 1
    other = rows(1, 40)
    other.y[:] = 0
    with pytest.raises(ShapeMismatch, match="one record"):
        run(Rmia, data=Inputs(train=data, test=other))


MITIGATIONS = [Rounding, Temperature, TopK, OutputNoise]


def changed(mitigation: Any, **params: Any) -> Any:
    """Return the forest behind a change of its answers."""
    return mitigation().apply(forest(), inputs(), mitigation.Params.of(params), budget=Budget(), seed=0, observe=SILENT)


@pytest.mark.parametrize("mitigation", MITIGATIONS)
def test_changed_answers_keep_labels_and_leave_label_only_attacks_as_strong(mitigation: Any) -> None:
    given, made = forest(), changed(mitigation)
    x = rows(1).x
    assert (made.labels(x) == given.labels(x)).all()
    told = made.scores(x)
    assert (told[np.arange(len(x)), given.labels(x)] == told.max(axis=1)).all()
    assert np.abs(told - given.scores(x)).max() > 0.01
    assert run(LabelOnly, made).quantities == run(LabelOnly, given).quantities


def test_rounding_to_nothing_leaves_less_to_tell_by_scores() -> None:
    before, after = run(Rmia, forest()), run(Rmia, changed(Rounding, digits=0))
    assert after.quantities[0].value < before.quantities[0].value
    assert "pass through the same change" in after.detail


def test_temperature_is_undone_by_whoever_knows_it() -> None:
    x = rows(1).x
    powered = changed(Temperature, temperature=4.0).scores(x) ** 4
    np.testing.assert_allclose(powered / powered.sum(axis=1, keepdims=True), forest().scores(x), atol=1e-9)


def test_what_is_told_once_of_a_row_is_told_again() -> None:
    x, noisy = rows(1).x, changed(OutputNoise)
    np.testing.assert_array_equal(noisy.scores(x)[7:9], noisy.scores(x[7:9]))


def test_what_is_served_offers_labels_and_scores_only() -> None:
    assert changed(Rounding).capabilities == {"labels", "scores"}


@pytest.mark.parametrize(
    ("mitigation", "params"),
    [
        (Rounding, {"digits": -1}),
        (Temperature, {"temperature": 0.0}),
        (TopK, {"k": 0}),
        (OutputNoise, {"deviation": 0.0}),
    ],
)
def test_changes_that_mean_nothing_are_refused(mitigation: Any, params: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        changed(mitigation, **params)
