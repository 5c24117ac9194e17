"""Explanations as findings: which say something, which rules agree, which columns and regions know too much."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

import redan
from redan.core.errors import UnknownName
from redan.core.finding import Severity


@cache
def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32).reshape(-1, 1, 8, 8), y.astype(np.int64)


def trained(x, y):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(512, 10)
        )
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimiser.step()
    return net.eval()


@cache
def forest():
    x, y = load_breast_cancer(return_X_y=True)
    return RandomForestClassifier(20, random_state=0).fit(x[:300], y[:300])


def cancer(**more):
    x, y = load_breast_cancer(return_X_y=True)
    return redan.subject(forest(), data=(x[300:], y[300:]), **more)


def planted(share: float):
    """Return training digits of which a share carries a corner and the label 0."""
    x, y = digits()
    x, y = x[:900].copy(), y[:900].copy()
    marked = np.arange(len(x)) < share * len(x)
    x[marked, :, 6:8, 6:8] = 1.0
    y[marked] = 0
    order = np.random.default_rng(0).permutation(len(x))
    return x[order], y[order]


def test_the_best_explanation_is_beyond_chance_and_the_table_names_the_others() -> None:
    x, y = planted(0.0)
    report = redan.attack(redan.subject(trained(x, y), data=(x[:30], y[:30])), probes=["attribution"])
    found = report.findings[0]
    assert found.quantities[0].name == "faithfulness"
    assert found.quantities[0].low > 0.1
    assert found.severity == Severity.INFO
    assert {row[0] for row in found.tables[0].rows} == {"integrated-gradients", "saliency", "occlusion", "grad-cam"}
    assert found.blob("explained").media_type == "image/png"


def test_a_model_whose_answer_never_moves_has_no_explanation_worth_showing() -> None:
    x, y = digits()
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    torch.nn.init.zeros_(net[1].weight)
    report = redan.attack(redan.subject(net.eval(), data=(x[:20], y[:20])), probes=["attribution"])
    assert report.findings[0].severity == Severity.MEDIUM
    assert "no more than chance" in report.findings[0].title


def test_trees_explain_themselves_and_the_columns_are_ranked() -> None:
    found = redan.attack(cancer(), probes=["attribution"], method="tree-shap", rows=20).findings[0]
    assert found.quantities[0].low > 0
    assert len(found.curve("importance").x) == 20


def test_trees_that_shap_cannot_read_leave_the_other_explanations() -> None:
    x, y = load_wine(return_X_y=True)
    model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(x, y)
    net = redan.subject(model, data=(x, y))
    found = redan.attack(net, probes=["attribution"], rows=6).findings[0]
    assert {row[0] for row in found.tables[0].rows} == {"permutation-shap", "lime"}
    assert not found.quantities[0].partial
    named = redan.attack(net, probes=["attribution"], rows=6, method="tree-shap")
    assert named.probes[0].outcome == "skipped"
    assert "GradientBoosting" in named.probes[0].why


def test_a_method_nobody_knows_is_refused_with_the_nearest() -> None:
    report = redan.attack(cancer(), probes=["attribution"], method="tree-shape")
    assert "tree-shap" in report.probes[0].why + report.probes[0].outcome
    with pytest.raises(UnknownName):
        redan.attack(cancer(), probes=["attribution"], methods="lime")


def test_a_surrogate_is_fitted_on_training_rows_and_measured_on_test_rows() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    found = redan.attack(cancer(train=(x[:300], y[:300])), probes=["surrogate"]).findings[0]
    assert found.quantities[0].name == "surrogate_fidelity"
    assert found.quantities[0].n == 269
    assert found.quantities[0].low > found.quantity("majority_fidelity").value
    assert found.blob("tree") is not None


def test_a_column_written_after_the_decision_is_a_high_finding() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x = np.concatenate([x, y[:, None] + np.random.default_rng(0).normal(scale=0.01, size=(len(x), 1))], axis=1)
    model = RandomForestClassifier(20, random_state=0).fit(x[:300], y[:300])
    net = redan.subject(model, data=(x[300:], y[300:]), train=(x[:300], y[:300]))
    found = redan.attack(net, probes=["leaky-column"]).findings[0]
    assert found.severity == Severity.HIGH
    assert found.locations[0].address == "column column30"
    honest = redan.attack(cancer(train=(x[:300, :30], y[:300])), probes=["leaky-column"]).findings[0]
    assert honest.severity < Severity.HIGH


def test_a_planted_corner_is_found_and_an_honest_model_has_none() -> None:
    shares = {}
    for share in (0.0, 0.15):
        x, y = planted(share)
        net = redan.subject(trained(x, y), data=(x[:20], y[:20]), train=(x, y))
        shares[share] = redan.attack(net, probes=["carried-region"], images=300, size=0.25).findings[0]
    assert shares[0.0].severity < Severity.HIGH
    assert shares[0.15].severity == Severity.HIGH
    assert shares[0.15].tables[0].rows[0][:3] == ("0", 6, 6)
    assert shares[0.15].blob("regions").media_type == "image/png"
