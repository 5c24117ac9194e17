"""The masking probe and the function behind it, on real nets through the whole workbench."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import redan
from redan.core.budget import Budget, Limits
from redan.core.finding import Severity
from redan.core.inputs import Dataset
from redan.core.progress import SILENT
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.threats.evasion.setting import setting
from redan.threats.evasion.trust import COLUMNS, trust


def digits(start, stop):
    x, y = load_digits(return_X_y=True)
    return Dataset(
        x=(x[start:stop] / 16).astype(np.float32),
        y=y[start:stop].astype(np.int64),
        name="digits",
        sha256="",
        indices=np.arange(start, stop),
        bounds=(0.0, 1.0),
    )


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    data = digits(0, 1000)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net.eval()


class Rounded(nn.Module):
    """A net that rounds what it is given and answers sharp probabilities."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return torch.softmax(50 * self.net(torch.round(x * 6) / 6), dim=1)


def attacked(model, **given):
    data = digits(1500, 1540)
    net = redan.subject(model, data=(data.x, data.y), bounds=(0, 1), name="net")
    report = redan.attack(net, probes=["gradient-masking"], seed=0, **{"eps": 0.25, "rows": 24, **given})
    (finding,) = report.findings
    return finding


def test_a_masked_model_is_high_with_both_accuracies_and_every_check(net):
    finding = attacked(Rounded(net))
    assert finding.severity is Severity.HIGH
    assert finding.status == "open"
    before, after = finding.quantity("usual_accuracy"), finding.quantity("repaired_accuracy")
    assert before.value >= 0.7
    assert after.value <= 0.1
    assert before.n == after.n == 24
    (table,) = finding.tables
    assert table.name == "checks"
    assert table.columns == COLUMNS
    verdicts = {row[0]: row[3] for row in table.rows}
    assert verdicts["zero gradients"] == verdicts["piecewise constant"] == "flagged"
    assert finding.quantity("checks_flagged").value == sum(v == "flagged" for v in verdicts.values())
    assert "piecewise constant" in finding.detail


def test_an_honest_model_is_info_and_says_that_this_is_no_proof(net):
    finding = attacked(net)
    assert finding.severity is Severity.INFO
    assert finding.status == "open"
    assert "no proof" in finding.detail
    assert {row[3] for row in finding.tables[0].rows} <= {"passed", "not measured"}


def test_a_spent_budget_decides_nothing(net):
    finding = attacked(net, budget="200 queries")
    assert finding.status == "inconclusive"
    assert "200 queries is spent" in finding.title
    assert finding.quantity("repaired_accuracy").partial


def test_too_few_right_answers_decide_nothing(net):
    finding = attacked(net, rows=4)
    assert finding.status == "inconclusive"
    assert "classified rightly" in finding.title


def test_a_random_model_leaves_global_random_state_alone_and_repeats_itself(net):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x + 0.1 * torch.randn_like(x) + float(np.random.normal()) * 0.01)  # noqa: NPY002

    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002  the state that must survive
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = trusted(Noisy())
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    torch.manual_seed(12)
    again = trusted(Noisy())
    assert first.verdict == "masked"
    assert first.rows() == again.rows()
    assert (first.adversarial == again.adversarial).all()
    assert 0.5 < first.wrong_rate < 1


def trusted(model, rows=24, budget=None):
    data = digits(1500, 1540)
    subject = TorchSubject(model, options=Options(name="net", bounds=(0.0, 1.0), score_kind="logits"))
    return trust(
        subject,
        data,
        setting(subject, data, "linf", 0.25),
        rows=rows,
        batch_size=500,
        budget=budget or Budget(limits=Limits()),
        seed=0,
        rule="RDN-EVA-045",
        observe=SILENT,
    )


def test_mitigations_get_verdict_rows_and_repaired_points(net):
    found = trusted(Rounded(net))
    assert found.verdict == "masked"
    assert all(len(row) == len(COLUMNS) for row in found.rows())
    moved = np.abs(found.adversarial - found.data.x).max(axis=1)
    assert (moved[found.after & found.clean] > 0).all()
    assert (moved <= 0.25 + 1e-6).all()
    with torch.no_grad():
        answers = Rounded(net)(torch.from_numpy(found.adversarial)).argmax(1).numpy()
    assert ((answers != found.data.y) == found.after).all()


def test_every_row_the_model_sees_is_charged(net):
    budget = Budget(limits=Limits())
    found = trusted(net, budget=budget)
    assert budget.queries == found.queries > 0
