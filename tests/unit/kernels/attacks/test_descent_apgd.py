"""Fixed-radius attacks on linear models, where whether a sample can fall is known exactly."""

from __future__ import annotations

import pytest
import torch

from redan.kernels import draws
from redan.kernels.attacks import loss as losses
from redan.kernels.attacks import rivals
from redan.kernels.attacks.apgd import ApgdSchedule, apgd, checkpoints
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.descent import Schedule, Work, descend
from redan.kernels.attacks.loss import margin
from redan.kernels.attacks.oracle import Oracle
from redan.kernels.attacks.projection import distance
from redan.kernels.attacks.watch import Watch

WIDE = Box(low=-100.0, high=100.0)
ATTACKS = [
    pytest.param(descend, Schedule(steps=30), id="descent"),
    pytest.param(descend, Schedule(steps=30, funnel=4.0), id="funnel"),
    pytest.param(apgd, ApgdSchedule(steps=50, loss="ce"), id="apgd-ce"),
    pytest.param(apgd, ApgdSchedule(steps=50, loss="margin"), id="apgd-margin"),
    pytest.param(apgd, ApgdSchedule(steps=50, loss="dlr"), id="apgd-dlr"),
]


def problem(linear, classes, features=20, n=60):
    model = linear(features, classes)
    inputs = torch.from_numpy(draws.normal(draws.sample_keys(0, "points", range(n)), (features,), stream=0))
    return model, inputs, model(inputs).argmax(1)


def nearest(model, inputs, labels, norm):
    """Exact distance of each input from the decision boundary of a linear model."""
    with torch.no_grad():
        logits, weight = model(inputs), model.weight
        gaps = logits.gather(1, labels[:, None]) - logits
        slopes = (weight[labels][:, None] - weight[None]).norm(p=1 if norm == "linf" else 2, dim=2)
        return (gaps / slopes.clamp_min(1e-12)).scatter(1, labels[:, None], torch.inf).amin(1)


@pytest.mark.parametrize(("attack", "schedule"), ATTACKS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_those_fall_that_can(linear, attack, schedule, norm, classes):
    model, inputs, labels = problem(linear, classes)
    exact = nearest(model, inputs, labels, norm)
    eps = float(exact.median())
    if isinstance(schedule, ApgdSchedule):
        schedule = schedule.usable(classes)
    work = Work(inputs=inputs, labels=labels, points=inputs)
    found = attack(Oracle(model), work, Ball(norm=norm, eps=eps, box=WIDE), schedule, Watch())
    # with several classes the best other class need not be the nearest: an untargeted attack may miss some
    can = exact < eps * 0.98
    assert found.fallen[can].float().mean() >= (1.0 if classes == 2 else 0.75)
    assert not found.fallen[exact > eps * 1.0001].any()
    assert (distance(found.points, inputs, norm) <= eps * 1.00001).all()
    logits = model(found.points)
    assert torch.equal(logits.argmax(1) != labels, found.fallen)
    assert torch.allclose(margin(logits, labels), found.margin, atol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", [descend, apgd])
def test_those_fall_that_can_when_headed_for_the_nearest_class(linear, attack, norm):
    model, inputs, labels = problem(linear, 10)
    exact = nearest(model, inputs, labels, norm)
    eps = float(exact.median())
    oracle = Oracle(model)
    targets = rivals.nearest(oracle, inputs, labels, rivals.likeliest(oracle.logits(inputs), labels), norm)[:, 0]
    work = Work(inputs=inputs, labels=labels, points=inputs, targets=targets)
    schedule = Schedule(steps=30) if attack is descend else ApgdSchedule(loss="margin")
    found = attack(oracle, work, Ball(norm=norm, eps=eps, box=WIDE), schedule, Watch())
    assert found.fallen[exact < eps * 0.98].all()


@pytest.mark.parametrize("attack", [descend, apgd])
def test_fallen_samples_cost_nothing_more(linear, attack):
    model, inputs, labels = problem(linear, 4)
    oracle = Oracle(model)
    work = Work(inputs=inputs, labels=(labels + 1) % 4, points=inputs)
    schedule = Schedule(steps=9) if attack is descend else ApgdSchedule(steps=9)
    assert attack(oracle, work, Ball(norm="l2", eps=0.1, box=WIDE), schedule, Watch()).fallen.all()
    assert oracle.counts.queries == len(inputs)


@pytest.mark.parametrize(("attack", "schedule"), [ATTACKS[0].values, ATTACKS[2].values])
def test_a_stop_ends_between_steps_with_what_is_known(linear, attack, schedule):
    model, inputs, labels = problem(linear, 3)
    asked = iter([None] * 5 + ["enough"] * 100)
    watch, oracle = Watch(stop=lambda: next(asked)), Oracle(model)
    work = Work(inputs=inputs, labels=labels, points=inputs)
    found = attack(oracle, work, Ball(norm="l2", eps=1e-6, box=WIDE), schedule, watch)
    assert watch.reason == "enough"
    assert oracle.counts.gradient == 5 * len(inputs)
    assert torch.isfinite(found.margin).all()


@pytest.mark.parametrize("attack", [descend, apgd])
def test_an_empty_batch_is_no_work(linear, attack):
    model, oracle = linear(4, 3), None
    oracle = Oracle(model)
    work = Work(inputs=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64), points=torch.zeros(0, 4))
    schedule = Schedule(steps=3) if attack is descend else ApgdSchedule(steps=3)
    assert attack(oracle, work, Ball(norm="l2", eps=1.0, box=WIDE), schedule, Watch()).points.shape == (0, 4)
    assert oracle.counts.queries == 0


def test_targets_are_headed_for(linear):
    model, inputs, labels = problem(linear, 10)
    targets = (labels + 3) % 10
    work = Work(inputs=inputs, labels=labels, points=inputs, targets=targets)
    found = descend(Oracle(model), work, Ball(norm="l2", eps=0.05, box=WIDE), Schedule(steps=20), Watch())
    alive = ~found.fallen
    with torch.no_grad():
        gained = margin(model(inputs), labels, targets) - margin(model(found.points), labels, targets)
    # a linear margin falls by eps times the norm of its slope, and only so for the class that was aimed at
    slope = (model.weight[labels] - model.weight[targets]).norm(dim=1)
    assert torch.allclose(gained[alive], 0.05 * slope[alive], rtol=0.2)


def test_checkpoints_are_the_papers():
    assert checkpoints(100) == (22, 41, 57, 70, 80, 87, 93, 99)
    assert checkpoints(10) == (3, 5, 6, 7, 8, 9, 10)


@pytest.mark.parametrize(
    ("loss", "classes", "used"),
    [("dlr", 2, "margin"), ("dlr", 3, "dlr"), ("targeted-dlr", 3, "margin"), ("targeted-dlr", 4, "targeted-dlr")],
)
def test_the_margin_stands_in_for_a_dlr_of_too_few_classes(loss, classes, used):
    assert ApgdSchedule(loss=loss).usable(classes).loss == used


def test_targeted_dlr_needs_targets():
    with pytest.raises(ValueError, match="targets"):
        losses.objective("targeted-dlr", torch.zeros(1, dtype=torch.int64), None)


@pytest.mark.parametrize("funnel", [1.0, 3.0])
def test_the_radius_shrinks_to_eps_and_stays(funnel):
    schedule = Schedule(steps=20, funnel=funnel, funnel_share=0.5)
    radii = [schedule.radius(step, 0.1) for step in range(20)]
    assert radii == sorted(radii, reverse=True)
    assert radii[9:] == pytest.approx([0.1] * 11)
    assert radii[0] == pytest.approx(0.1 * funnel**0.9)
