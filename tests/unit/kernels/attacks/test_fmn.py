"""Minimum-norm search against the analytic answer of linear models."""

from __future__ import annotations

import pytest
import torch

from redan.kernels import draws
from redan.kernels.attacks import rivals
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.boundary import bisect
from redan.kernels.attacks.fmn import FmnSettings, fmn, settings_within
from redan.kernels.attacks.oracle import Oracle
from redan.kernels.attacks.projection import distance
from redan.kernels.attacks.watch import Watch

WIDE = Box(low=-100.0, high=100.0)


def problem(linear, features, classes, n):
    model = linear(features, classes)
    inputs = torch.from_numpy(draws.normal(draws.sample_keys(0, "points", range(n)), (features,), stream=0))
    with torch.no_grad():
        return model, inputs, model(inputs).argmax(1)


def exact(model, inputs, labels, norm):
    with torch.no_grad():
        logits, weight = model(inputs), model.weight
        gaps = logits.gather(1, labels[:, None]) - logits
        slopes = (weight[labels][:, None] - weight[None]).norm(p=1 if norm == "linf" else 2, dim=2)
        return (gaps / slopes.clamp_min(1e-12)).scatter(1, labels[:, None], torch.inf).amin(1).double()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("features", [2, 10, 784])
@pytest.mark.parametrize(("classes", "n"), [(2, 1), (2, 33), (10, 7), (10, 100)])
def test_within_one_percent_of_the_optimum(linear, norm, features, classes, n):
    model, inputs, labels = problem(linear, features, classes, n)
    best = exact(model, inputs, labels, norm)
    settings = settings_within(Ball(norm=norm, eps=float(best.median()), box=WIDE), features, 200)
    oracle = Oracle(model)
    targets = rivals.nearest(oracle, inputs, labels, rivals.likeliest(oracle.logits(inputs), labels), norm)[:, 0]
    found = fmn(oracle, inputs, labels, norm=norm, box=WIDE, settings=settings, watch=Watch(), targets=targets)
    ratio = found.distance / best
    assert found.success.all()
    assert (found.distance >= best - 1e-5).all()
    assert ratio.max() <= 1.01
    assert (model(found.adversarial).argmax(1) != labels).all()
    assert torch.allclose(distance(found.adversarial, inputs, norm), found.distance)


def test_points_stay_in_the_box(linear):
    model, inputs, labels = problem(linear, 10, 5, 50)
    box = Box(low=-0.5, high=0.5)
    inputs = inputs.clamp(-0.5, 0.5)
    labels = model(inputs).argmax(1)
    found = fmn(Oracle(model), inputs, labels, norm="l2", box=box, settings=FmnSettings(steps=40), watch=Watch())
    assert found.success.any()
    assert found.adversarial.abs().max() <= 0.5


def test_a_constant_model_has_no_adversarial_point():
    model = torch.nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.zero_()
        model.bias.copy_(torch.tensor([1.0, 0.0]))
    inputs, labels = torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)
    found = fmn(Oracle(model), inputs, labels, norm="l2", box=WIDE, settings=FmnSettings(steps=5), watch=Watch())
    assert not found.success.any()
    assert torch.equal(found.adversarial, inputs)


def test_misclassified_inputs_are_their_own_nearest_points(linear):
    model, inputs, labels = problem(linear, 5, 3, 8)
    wrong = (labels + 1) % 3
    found = fmn(Oracle(model), inputs, wrong, norm="l2", box=WIDE, settings=FmnSettings(steps=5), watch=Watch())
    assert found.distance.tolist() == [0.0] * 8
    assert torch.equal(found.adversarial, inputs)


def test_a_stop_keeps_what_was_found(linear):
    model, inputs, labels = problem(linear, 5, 3, 8)
    asked = iter([None] * 30 + ["enough"] * 100)
    watch = Watch(stop=lambda: next(asked))
    oracle = Oracle(model)
    found = fmn(oracle, inputs, labels, norm="l2", box=WIDE, settings=FmnSettings(steps=100), watch=watch)
    assert oracle.counts.gradient == 30 * 8
    assert found.success.any()


def test_bisection_ends_at_the_boundary_and_costs_its_halvings():
    oracle = Oracle(lambda x: torch.cat([0.25 - x, x - 0.25], dim=1))
    inputs, labels = torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)
    points = torch.tensor([[1.0], [0.0]])
    ends = bisect(oracle, inputs, labels, points, halvings=20, watch=Watch())
    assert ends.flatten().tolist() == pytest.approx([0.25, 0.0], abs=1e-5)
    assert oracle.counts.forward == 20
