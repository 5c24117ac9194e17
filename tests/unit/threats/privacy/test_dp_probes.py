"""Probes of differential privacy: what an audit shows of models that memorise, and what is said of steps with bugs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from redan.core.budget import Budget
from redan.core.errors import CapabilityMissing, ShapeMismatch, Skipped, UnknownName, UsageError
from redan.core.finding import Finding, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject
from redan.threats.privacy.probes.dp_step import DpStep
from redan.threats.privacy.probes.one_run_audit import OneRunAudit


def rows(seed: int, n: int, *, wrong: bool = False) -> Dataset:
    """Rows of two classes; wrong labels can only be known by heart."""
    draws = np.random.default_rng(seed)
    x = draws.normal(size=(n, 8)).astype(np.float32)
    y = draws.integers(0, 2, n) if wrong else (x[:, 0] > 0).astype(np.int64)
    return Dataset(x=x, y=y.astype(np.int64), name=f"rows {seed}", sha256="", indices=np.arange(n))


def found_by(probe: Any, subject: Any, inputs: Inputs, *, seed: int = 0, **params: Any) -> Finding:
    (finding,) = probe().run(subject, inputs, probe.Params(**params), budget=Budget(), seed=seed, observe=SILENT)
    assert isinstance(finding, Finding)
    return finding


def sklearn_subject(estimator: Any) -> SklearnSubject:
    data = rows(0, 300)
    return SklearnSubject(estimator.fit(data.x, data.y), options=Options(name="model", classes=("a", "b")))


CANARIES = Inputs(train=rows(0, 300), canary=rows(1, 400, wrong=True))


def test_a_tree_that_remembers_canaries_refutes_a_claim() -> None:
    tree = sklearn_subject(DecisionTreeClassifier(random_state=0))
    finding = found_by(OneRunAudit, tree, CANARIES, claimed_epsilon=0.5)

    shown = finding.quantity("epsilon_shown")
    assert shown is not None
    assert shown.value > 0.5
    assert finding.severity is Severity.HIGH
    assert "the claimed 0.5 is refuted" in finding.title


def test_a_model_of_few_weights_shows_nothing_and_is_not_called_private() -> None:
    line = sklearn_subject(LogisticRegression(C=0.01))
    finding = found_by(OneRunAudit, line, Inputs(train=rows(0, 3000), canary=rows(1, 100, wrong=True)))

    shown = finding.quantity("epsilon_shown")
    assert shown is not None
    assert shown.value == 0
    assert finding.severity is Severity.INFO
    assert "proves none absent" in finding.detail


def test_coins_are_tossed_by_the_place_of_a_canary_not_by_its_order() -> None:
    tree = sklearn_subject(DecisionTreeClassifier(random_state=0))
    assert CANARIES.canary is not None
    turned = Inputs(train=CANARIES.train, canary=CANARIES.canary.rows(np.arange(400)[::-1]))

    assert found_by(OneRunAudit, tree, turned).quantities == found_by(OneRunAudit, tree, CANARIES).quantities


def test_an_audit_without_a_training_is_skipped() -> None:
    model = CallableSubject(
        lambda x: np.tile([0.5, 0.5], (len(x), 1)), options=Options(name="f", answers="probabilities")
    )

    with pytest.raises(Skipped):
        found_by(OneRunAudit, model, CANARIES)


@pytest.mark.parametrize(
    ("params", "inputs", "error"),
    [
        ({"delta": 1.0}, CANARIES, UsageError),
        ({"claimed_epsilon": -1.0}, CANARIES, UsageError),
        ({"epochs": 0}, CANARIES, UsageError),
        ({}, Inputs(train=rows(0, 300), canary=rows(1, 9)), ShapeMismatch),
        ({}, Inputs(train=rows(0, 300)), UsageError),
    ],
)
def test_an_audit_that_makes_no_sense_is_refused(
    params: dict[str, Any], inputs: Inputs, error: type[Exception]
) -> None:
    with pytest.raises(error):
        found_by(OneRunAudit, sklearn_subject(DecisionTreeClassifier(random_state=0)), inputs, **params)


def network(*layers: nn.Module) -> TorchSubject:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 16), *layers, nn.Tanh(), nn.Linear(16, 2))
    return TorchSubject(net.eval(), options=Options(name="net", classes=("a", "b")))


def test_our_step_over_a_network_keeps_seven_promises() -> None:
    finding = found_by(DpStep, network(), Inputs(test=rows(2, 20)))

    assert finding.severity is Severity.INFO
    assert finding.title == "Redan's own DP-SGD step over this model keeps 7 promises"
    assert [q.value for q in finding.quantities] == [0, 0]


def test_our_step_refuses_batch_normalisation_with_advice() -> None:
    with pytest.raises(CapabilityMissing) as caught:
        found_by(DpStep, network(nn.BatchNorm1d(16)), Inputs(test=rows(2, 20)))

    assert caught.value.hint


STEP = """
import numpy as np

class Step:
    clip, noise_multiplier, sampling_rate, normaliser = 1.0, 1.0, 0.1, 10.0

    def __init__(self, n_rows, seed):
        self.n_rows, self.draws = n_rows, np.random.default_rng(seed)
        {more}

    def rows(self):
        return np.flatnonzero(self.draws.random(self.n_rows) < self.sampling_rate)

    def update(self, x, y):
        lengths = np.maximum(np.linalg.norm(x, axis=1, keepdims=True), {least})
        return ((x / lengths).sum(axis=0) + self.draws.normal(size=x.shape[1])) / self.normaliser

def make(n_rows, seed):
    return Step(n_rows, seed)
"""


@pytest.mark.parametrize(
    ("least", "more", "severity", "title"),
    [
        ("1.0", "pass", Severity.INFO, "step.py:make keeps 7 promises"),
        ("1e-9", "pass", Severity.INFO, "step.py:make keeps 7 promises"),
        ("1.0", "self.normaliser = float(n_rows // 10)", Severity.MEDIUM, "step.py:make breaks public numbers"),
    ],
    ids=["right", "normalised", "normaliser from the data"],
)
def test_a_step_of_somebody_else_is_tested(
    tmp_path: Path, least: str, more: str, severity: Severity, title: str
) -> None:
    path = tmp_path / "step.py"
    path.write_text(textwrap.dedent(STEP.format(least=least, more=more)))
    finding = found_by(DpStep, network(), Inputs(test=rows(2, 20)), step=f"{path}:make")

    assert (finding.title, finding.severity) == (title, severity)


def test_a_step_without_clipping_has_no_epsilon(tmp_path: Path) -> None:
    path = tmp_path / "step.py"
    path.write_text(textwrap.dedent(STEP.format(least="1.0", more="pass")).replace("x / lengths", "x"))
    finding = found_by(DpStep, network(), Inputs(test=rows(2, 20)), step=f"{path}:make")

    assert finding.severity is Severity.HIGH
    assert "breaks clipping" in finding.title
    assert "does not hold" in finding.detail


def test_a_step_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "step.py").write_text("def make(n_rows, seed): ...\n")

    with pytest.raises(UnknownName):
        found_by(DpStep, network(), Inputs(test=rows(2, 20)), step=f"{tmp_path / 'step.py'}:mak")
    with pytest.raises(UsageError):
        found_by(DpStep, network(), Inputs(test=rows(2, 20)), step="step")
