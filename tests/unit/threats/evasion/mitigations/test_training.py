"""Trained mitigations on digits and tables: stronger than before, whatever the model puts out, within the budget."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn

from redan.core.budget import Budget
from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.plans import plan_for
from redan.kernels.draws import sample_keys
from redan.kernels.training.randomness import own_randomness
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.testing.spending import StopAfter
from redan.threats.evasion.mitigations.adversarial_querying import AdversarialQuerying
from redan.threats.evasion.mitigations.adversarial_training import AdversarialTraining
from redan.threats.evasion.mitigations.defensive_distillation import DefensiveDistillation
from redan.threats.evasion.mitigations.distillation import Distillation, DistillationParams, distilled
from redan.threats.evasion.mitigations.fast_at import FastAt
from redan.threats.evasion.mitigations.regularisation import Regularisation
from redan.threats.evasion.mitigations.trades import Trades

EPS = 0.12
ROBUST = {"eps": EPS, "epochs": 5, "batch_size": 32, "learning_rate": 3e-3}


def rows_of(x, y, name="digits", bounds=(0.0, 1.0)):
    return Dataset(x=x, y=y.astype(np.int64), name=name, sha256="", indices=np.arange(len(x)), bounds=bounds)


@cache
def digits(classes=10):
    x, y = load_digits(return_X_y=True)
    keep = y < classes
    return rows_of((x[keep] / 16).astype(np.float32).reshape(-1, 1, 8, 8), y[keep])


def part(data, start, stop):
    return rows_of(data.x[start:stop], data.y[start:stop], data.name, data.bounds)


def wrapped(make, data, **options):
    with own_randomness(0, "net"):
        net = make()
    return TorchSubject(net, options=Options(name="net", bounds=data.bounds, **options), sample=data.x[:2])


def convolutional(classes=10, *after):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(512, classes), *after
    )


def applied(kind, subject, data, seed=0, budget=None, **params):
    return kind().apply(
        subject, Inputs(train=data), kind.Params.of(params), budget=budget or Budget(), seed=seed, observe=SILENT
    )


@cache
def natural():
    subject = wrapped(convolutional, digits())
    plain = {"penalty": "label-smoothing", "strength": 0.0, "epochs": 5, "batch_size": 32}
    return applied(Regularisation, subject, part(digits(), 0, 640), **plain)


def accuracies(subject, data, eps=EPS):
    low, high = data.bounds
    found = evade(
        subject.logits,
        torch.as_tensor(data.x),
        torch.as_tensor(data.y),
        ball=Ball(norm="linf", eps=eps, box=Box(low=low, high=high)),
        keys=sample_keys(0, "test", data.indices),
        plan=plan_for("quick", "linf"),
    )
    return float((subject.labels(data.x) == data.y).mean()), found.robust_accuracy


@pytest.mark.parametrize(
    ("kind", "params", "gain"),
    [
        (AdversarialTraining, ROBUST, 0.15),
        (AdversarialTraining, {**ROBUST, "keep": False, "steps": 3, "easy": 0.95}, 0.15),
        (FastAt, ROBUST, 0.15),
        (Trades, ROBUST, 0.15),
        (Regularisation, {"epochs": 5, "batch_size": 32, "strength": 10.0}, 0.03),
    ],
)
def test_what_hardens_makes_robust_accuracy_rise_on_unseen_rows_for_little_accuracy(kind, params, gain):
    unseen = part(digits(), 1300, 1400)
    clean, robust = accuracies(natural(), unseen)
    after = accuracies(applied(kind, natural(), part(digits(), 0, 640), **params), unseen)
    assert after[1] > robust + gain
    assert after[0] > clean - 0.06


def test_fresh_weights_do_not_depend_on_those_given():
    data, subject = part(digits(), 0, 300), wrapped(convolutional, digits())
    other = subject.rebuilt(natural().module, note="other weights")
    quick = {**ROBUST, "epochs": 1, "start": "scratch"}
    made = [applied(AdversarialTraining, one, data, **quick) for one in (subject, other)]
    parts = [[piece.sha256 for piece in one.ref.components] for one in made]
    assert parts[0] == parts[1]
    assert "fresh weights" in made[0].ref.binding.detail


@pytest.mark.parametrize(
    ("make", "classes", "options"),
    [
        (lambda: convolutional(10, nn.Softmax(1)), 10, {}),
        (lambda: convolutional(1), 2, {}),
        (lambda: convolutional(1, nn.Sigmoid(), nn.Flatten(0)), 2, {}),
        (convolutional, 10, {"mean": (0.3,), "std": (0.4,)}),
        (lambda: convolutional().double(), 10, {}),
    ],
    ids=["probabilities", "one logit", "one probability", "normalised", "double precision"],
)
@pytest.mark.parametrize("kind", [AdversarialTraining, Trades, Distillation])
def test_every_kind_of_output_is_trained(kind, make, classes, options):
    data = digits(classes)
    subject = wrapped(make, data, **options)
    params = {"epochs": 4, "batch_size": 16, "learning_rate": 5e-3}
    teacher = applied(Regularisation, subject, part(data, 0, 240), **params)
    made = applied(kind, teacher, part(data, 0, 240), **params)
    clean = (made.labels(data.x[240:360]) == data.y[240:360]).mean()
    assert clean > (0.75 if classes == 10 else 0.9)
    assert made.score_kind == subject.score_kind


def test_a_table_with_columns_on_their_own_scales_is_trained():
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    data = rows_of(x, y, "cancer", None)
    subject = TorchSubject(
        nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2)), options=Options(name="mlp"), sample=x[:2]
    )
    made = applied(AdversarialTraining, subject, part(data, 0, 400), eps=0.1, epochs=5, batch_size=32, start="scratch")
    assert (made.labels(x[400:]) == y[400:]).mean() > 0.85


def test_a_student_is_smaller_and_nearly_as_right():
    unseen = part(digits(), 1300, 1400)
    params = {"epochs": 8, "batch_size": 16}
    student = applied(Distillation, natural(), part(digits(), 0, 640), **params)
    sizes = [sum(p.numel() for p in one.module.parameters()) for one in (natural(), student)]
    assert sizes[1] < sizes[0] * 0.51
    assert accuracies(student, unseen)[0] >= accuracies(natural(), unseen)[0] - 0.05
    robust = applied(Distillation, natural(), part(digits(), 0, 640), batch_size=32, epochs=8, steps=1, eps=EPS)
    assert accuracies(robust, unseen)[1] > accuracies(student, unseen)[1] + 0.1


def test_a_student_may_be_given():
    mine = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    params = DistillationParams(epochs=10, batch_size=16)
    made = distilled(natural(), part(digits(), 0, 900), params, budget=Budget(), seed=0, observe=SILENT, student=mine)
    assert (made.labels(digits().x[1300:1400]) == digits().y[1300:1400]).mean() > 0.8
    assert "to 650 weights" in made.ref.binding.detail


def test_defensive_distillation_makes_answers_certain_and_carries_its_warning():
    made = applied(
        DefensiveDistillation, natural(), part(digits(), 0, 640), epochs=8, batch_size=32, learning_rate=0.01
    )
    x = torch.as_tensor(digits().x[1300:1400])
    certain = [float(one.logits(x).softmax(1).amax(1).detach().median()) for one in (natural(), made)]
    assert 1 - certain[1] < (1 - certain[0]) / 100
    assert "masking" in made.ref.binding.detail
    assert accuracies(made, part(digits(), 1300, 1400))[1] < 0.5  # the cascade goes by the margin


def test_a_start_learnt_by_adversarial_querying_is_another_one():
    made = applied(AdversarialQuerying, natural(), part(digits(), 0, 600), epochs=1, eps=0.1)
    assert made.ref.digest != natural().ref.digest
    assert "2 ways, 5 shots, linf 0.1" in made.ref.binding.detail


@pytest.mark.parametrize("kind", [AdversarialTraining, FastAt, Trades, Regularisation, Distillation])
def test_a_budget_ends_training_after_a_batch(kind):
    data = part(digits(), 0, 320)
    with pytest.raises(BudgetSpent, match="first epoch"):
        applied(kind, natural(), data, budget=StopAfter(2), batch_size=64)
    made = applied(kind, natural(), data, budget=StopAfter(14), batch_size=64)
    assert "2 of" in made.ref.binding.detail


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (AdversarialTraining, {"epochs": 0}),
        (AdversarialTraining, {"steps": 0}),
        (Trades, {"learning_rate": 0.0}),
        (Regularisation, {"strength": -1.0}),
        (Distillation, {"width": 0.0}),
        (DefensiveDistillation, {"temperature": 0.0}),
        (AdversarialQuerying, {"ways": 1}),
    ],
)
def test_impossible_parameters_are_refused(kind, wrong):
    with pytest.raises(UsageError, match="expected"):
        applied(kind, natural(), part(digits(), 0, 64), **wrong)


def test_data_with_holes_are_refused():
    x = digits().x[:64].copy()
    x[40, 0, 3, 3] = np.nan
    with pytest.raises(ShapeMismatch, match="NaN"):
        applied(AdversarialTraining, natural(), rows_of(x, digits().y[:64]), eps=0.1)
