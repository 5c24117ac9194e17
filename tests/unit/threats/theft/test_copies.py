"""Thefts as findings: fidelity, what hiding answers is worth, and what it costs."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import redan
from redan.core.finding import Severity


@cache
def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


@cache
def model():
    x, y = digits()
    return LogisticRegression(max_iter=300).fit(x[:600], y[:600])


def net(answer=None):
    x, y = digits()
    return redan.subject(answer or model(), data=(x[600:], y[600:]), bounds=(0, 1))


def test_a_copy_is_measured_in_every_way_with_its_price() -> None:
    found = redan.attack(net(), probes=["knockoff"], queries=300, clone_epochs=10, price_per_1000=2.0).findings[0]
    assert found.quantities[0].name == "fidelity"
    assert found.quantities[0].low > 0.8
    assert found.severity >= Severity.LOW
    ways = {(row[0], row[1]) for row in found.tables[0].rows}
    assert ways == {("scores", "random"), ("scores", "active"), ("rounded", "random"), ("labels", "random")}
    assert "for 0.60" in found.title
    assert found.curve("fidelity_random_scores").x == (30.0, 90.0, 300.0)


def test_a_model_that_answers_at_random_cannot_be_copied() -> None:
    def noise(x):
        return np.random.default_rng(abs(int(1e6 * float(x.sum()))) % 2**32).integers(0, 10, len(x))

    report = redan.attack(net(noise), probes=["knockoff"], queries=200, clone_epochs=5, sampling="random")
    found = report.findings[0]
    assert found.quantities[0].high < 0.4
    assert found.severity == Severity.INFO
    assert {row[0] for row in found.tables[0].rows} == {"labels"}


def test_queries_are_counted_and_a_budget_leaves_a_partial_number() -> None:
    report = redan.attack(net(), probes=["knockoff"], queries=300, clone_epochs=5, budget="900 queries")
    found = report.findings[0]
    assert found.quantities[0].partial
    assert report.probes[0].queries >= 300


def test_a_copy_grows_from_a_handful_of_inputs() -> None:
    found = redan.attack(net(), probes=["jbda"], queries=320, start=40, clone_epochs=10).findings[0]
    assert found.curve("fidelity_by_queries").x == (40.0, 80.0, 160.0, 320.0)
    assert found.quantities[0].value > 0.7


@pytest.mark.parametrize("params", [{"queries": 3}, {"clone_epochs": 0}])
def test_impossible_thefts_are_refused(params) -> None:
    report = redan.attack(net(), probes=["knockoff"], **params)
    assert report.probes[0].outcome != "ran"
    assert "expected" in report.probes[0].why
