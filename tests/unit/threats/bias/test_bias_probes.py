"""Planted bias is found with its size, fair models raise nothing, and what cannot be judged is never clean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.small_people import people_inputs, people_network, people_subject

import redan
from redan.core import catalogue
from redan.core.budget import Budget
from redan.core.errors import ShapeMismatch, Skipped, UsageError
from redan.core.finding import Finding, Severity
from redan.core.inputs import Inputs
from redan.core.progress import SILENT
from redan.kernels.fairness.scores import adjusted, cramers_v, kolmogorov_p, ndkl
from redan.subjects.callable import CallableSubject
from redan.subjects.data import load_dataset
from redan.subjects.options import Options


def found(name: str, subject: Any, inputs: Inputs, **params: Any) -> list[Finding]:
    probe = catalogue.load(catalogue.entry("probe", name))
    return list(probe().run(subject, inputs, probe.Params.of(params), budget=Budget(), seed=0, observe=SILENT))


def mended(name: str, subject: Any, inputs: Inputs, **params: Any) -> Any:
    cure = catalogue.load(catalogue.entry("mitigation", name))
    return cure().apply(subject, inputs, cure.Params.of(params), budget=Budget(), seed=0, observe=SILENT)


def odds(subject: Any, inputs: Inputs) -> float:
    return found("group-rates", subject, inputs)[0].quantities[0].value


def told(rate: Any, n: int = 4000) -> tuple[CallableSubject, Inputs]:
    """A model that answers what stands in its first column, right with a rate that depends on the group."""
    rng = np.random.default_rng(0)
    group, y = rng.integers(0, 2, n), rng.integers(0, 2, n)
    answer = np.where(rng.random(n) < np.array(rate)[group], y, 1 - y)
    x = np.column_stack([answer, rng.normal(size=n)])
    data = load_dataset(
        (x, y, {"sex": np.array(["f", "m"])[group], "rest": np.array(["a", "b"])[rng.integers(0, 2, n)]})
    )
    subject = CallableSubject(lambda rows: rows[:, 0].astype(int), options=Options(name="told", answers="labels"))
    return subject, Inputs(test=data, sensitive=("sex", "rest"))


def test_a_planted_gap_is_found_with_its_size_and_only_where_it_is() -> None:
    subject, inputs = told((0.9, 0.65))
    sex, rest = found("group-rates", subject, inputs)
    assert sex.quantities[0].name == "equalised_odds_difference"
    assert sex.quantities[0].low < 0.25 < sex.quantities[0].high
    assert sex.severity >= Severity.MEDIUM
    assert rest.severity == Severity.INFO
    assert rest.quantities[0].low == 0
    assert "within chance" in rest.title
    assert [row[0] for row in sex.tables[0].rows] == ["f", "m"]


def test_fair_models_rarely_raise_a_finding() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y, answer = rng.integers(0, 2, (2, 400))
        group = np.array(list("abcd"))[rng.integers(0, 4, 400)]
        data = load_dataset((np.column_stack([answer, y]).astype(float), y, {"g": group}))
        subject = CallableSubject(lambda rows: rows[:, 0].astype(int), options=Options(name="coin", answers="labels"))
        (finding,) = found("group-rates", subject, Inputs(test=data, sensitive=("g",)), resamples=100)
        alarms += finding.severity > Severity.INFO
    assert alarms <= 5


def test_an_intersection_shows_what_its_columns_hide() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    one, two, y = rng.integers(0, 2, (3, n))
    right = rng.random(n) < np.where(one == two, 0.9, 0.6)
    data = load_dataset((np.column_stack([np.where(right, y, 1 - y), y]).astype(float), y, {"one": one, "two": two}))
    subject = CallableSubject(lambda rows: rows[:, 0].astype(int), options=Options(name="xor", answers="labels"))
    inputs = Inputs(test=data, sensitive=("one", "two"))
    assert all(finding.severity == Severity.INFO for finding in found("group-rates", subject, inputs))
    (both,) = found("intersections", subject, inputs)
    assert both.severity >= Severity.MEDIUM
    with pytest.raises(Skipped):
        found("intersections", subject, replace(inputs, sensitive=("one",)))


def test_small_groups_are_not_tested_and_never_clean() -> None:
    subject, inputs = told((0.9, 0.6), n=60)
    for finding in found("group-rates", subject, inputs, least=50):
        assert finding.status == "inconclusive"
        assert "not tested" in finding.title


def test_more_classes_are_judged_one_by_one() -> None:
    rng = np.random.default_rng(0)
    y, group = rng.integers(0, 3, 3000), rng.integers(0, 2, 3000)
    answer = np.where((y == 2) & (group == 1) & (rng.random(3000) < 0.4), 0, y)
    data = load_dataset((np.column_stack([answer, y]).astype(float), y, {"g": group}))
    subject = CallableSubject(lambda rows: rows[:, 0].astype(int), options=Options(name="three", answers="labels"))
    inputs = Inputs(test=data, sensitive=("g",))
    assert found("group-rates", subject, inputs)[0].quantities[0].value == pytest.approx(0.4, abs=0.05)
    assert found("group-rates", subject, inputs, favourable=1)[0].quantities[0].value == 0
    with pytest.raises(ShapeMismatch):
        found("group-rates", subject, inputs, favourable=3)


def test_the_four_fifths_rule_is_judged_on_selection_alone() -> None:
    subject, inputs = people_subject(), people_inputs(1000)
    male, region = found("four-fifths", subject, inputs)
    assert male.quantities[0].name == "selection_ratio"
    assert "breaks" in male.title
    assert male.severity >= Severity.MEDIUM
    assert region.severity == Severity.INFO


def test_flips_find_the_column_and_a_blind_model_is_clean() -> None:
    inputs = people_inputs(1000)
    (male,) = found("counterfactual-flip", people_subject(), inputs)
    assert male.locations[0].address == "male"
    assert male.severity == Severity.HIGH
    blind = CallableSubject(lambda x: (x[:, 0] > 0).astype(int), options=Options(name="blind", answers="labels"))
    (clean,) = found("counterfactual-flip", blind, inputs)
    assert clean.quantities[0].value == 0
    with pytest.raises(Skipped):
        found("counterfactual-flip", blind, replace(inputs, sensitive=("region",)))


def test_flags_of_one_column_are_flipped_together() -> None:
    inputs = people_inputs(400)
    assert inputs.test is not None
    x = np.array(inputs.test.x)
    x[:, 3] = 1 - x[:, 1]
    test = replace(
        inputs.test, x=x, columns=("merit", "sex=m", "postcode", "sex=f"), groups={"sex": x[:, 1].astype(str)}
    )
    seen = []
    model = CallableSubject(lambda rows: seen.append(rows[:, [1, 3]].sum(axis=1)) or (rows[:, 1] > 0).astype(int))
    (finding,) = found("counterfactual-flip", model, Inputs(test=test, sensitive=("sex",)))
    assert finding.quantities[0].value == 1
    assert all((sums == 1).all() for sums in seen)


def test_proxies_are_named_and_noise_is_none() -> None:
    male, region = found("proxies", people_subject(), people_inputs(2000))
    assert male.quantities[0].low > 0.2
    assert male.tables[0].rows[0][0] == "postcode"
    assert region.quantities[0].low <= 0.05
    assert region.severity == Severity.INFO


def test_scores_of_one_group_that_mean_more_are_found() -> None:
    rng = np.random.default_rng(0)
    n = 6000
    group, score = rng.integers(0, 2, n), rng.random(n)
    y = (rng.random(n) < np.clip(score + np.where(group == 1, 0.15, 0.0), 0, 1)).astype(np.int64)
    data = load_dataset((np.column_stack([score, group]), y, {"g": group, "h": rng.integers(0, 2, n)}))
    model = CallableSubject(
        lambda rows: np.column_stack([1 - rows[:, 0], rows[:, 0]]),
        options=Options(name="scores", answers="scores", score_kind="probabilities"),
        sample=data.x[:2],
    )
    inputs = Inputs(test=data, sensitive=("g", "h"))
    g, h = found("calibration-by-group", model, inputs)
    assert g.quantities[0].value == pytest.approx(0.14, abs=0.03)
    assert g.severity >= Severity.MEDIUM
    assert h.severity == Severity.INFO
    assert all(finding.severity == Severity.INFO for finding in found("score-gaps", model, inputs))
    assert all("within chance" in finding.title for finding in found("ranking", model, inputs))


def test_scores_and_places_that_follow_the_group_are_found() -> None:
    inputs = people_inputs(1000)
    male, region = found("score-gaps", people_subject(), inputs)
    assert male.severity > Severity.INFO
    assert region.severity == Severity.INFO
    assert "within chance" not in found("ranking", people_subject(), inputs)[0].title


@pytest.mark.parametrize("name", ["exponentiated-gradient", "threshold-optimiser"])
def test_what_aims_at_equal_odds_brings_them(name: str) -> None:
    subject, inputs = people_subject(), people_inputs(3000)
    before, after = odds(subject, inputs), odds(mended(name, subject, inputs), inputs)
    assert after < 0.6 * before


def test_an_adversary_brings_odds_closer_too() -> None:
    subject, inputs = people_network(), people_inputs(3000)
    made = mended("adversarial-debiasing", subject, inputs, epochs=30, strength=5.0)
    assert odds(made, inputs) < 0.75 * odds(subject, inputs)


@pytest.mark.parametrize("name", ["reweighing", "correlation-removal"])
def test_what_aims_at_equal_selection_brings_it(name: str) -> None:
    subject, inputs = people_subject(), people_inputs(3000)
    before, after = (
        found("four-fifths", one, inputs)[0].quantities[0].value for one in (subject, mended(name, subject, inputs))
    )
    assert after > before + 0.04


def test_the_same_row_is_decided_alike_whatever_the_batch() -> None:
    subject, inputs = people_subject(), people_inputs()
    made = mended("threshold-optimiser", subject, inputs)
    assert inputs.test is not None
    x = inputs.test.x
    assert made.labels(x).tolist() == [int(made.labels(x[i : i + 1])[0]) for i in range(len(x))]


def test_what_cannot_be_mended_says_why() -> None:
    subject, inputs = people_subject(), people_inputs()
    with pytest.raises(UsageError, match="none of the sensitive"):
        mended("threshold-optimiser", subject, replace(inputs, sensitive=("region",)))
    with pytest.raises(UsageError, match="sensitive"):
        mended("reweighing", subject, replace(inputs, sensitive=()))


def test_numbers_of_the_kernel_at_their_ends() -> None:
    assert cramers_v(np.array([[50, 0], [0, 50]])) == pytest.approx(1)
    assert cramers_v(np.array([[25, 25], [25, 25]])) == 0
    assert float(adjusted(np.array([[10, 0], [0, 30]]))) == 1
    assert float(adjusted(np.array([[10, 0], [30, 0]]))) == 0
    assert ndkl(np.tile([0, 1], 2000), 2) < 0.02
    assert ndkl(np.repeat([0, 1], 2000), 2) > 0.4
    assert kolmogorov_p(0.0, 100, 100) == 1
    assert kolmogorov_p(0.5, 200, 200) < 1e-9


def test_an_attack_without_sensitive_columns_skips_with_the_reason() -> None:
    data = (np.eye(40), np.arange(40) % 2)
    report = redan.attack(redan.subject(lambda x: (x[:, 0] > 0).astype(int), data=data), threats=["bias"])
    assert not [finding for finding in report.findings if finding.threat == "bias"]
    assert report.gate.exit_code == 3
