"""Minimum-norm attacks on linear models, whose nearest fallen point is known, with and without an active box."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.carlini_wagner import CarliniWagnerSettings, carlini_wagner
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.deepfool import DeepFoolSettings, deepfool
from redan.kernels.attacks.descent import Work
from redan.kernels.attacks.fmn import fmn, settings_within
from redan.kernels.attacks.halfspace import cross
from redan.kernels.attacks.loss import margin
from redan.kernels.attacks.minimum_norm import find_nearest
from redan.kernels.attacks.oracle import Oracle
from redan.kernels.attacks.plans import minimum_norm
from redan.kernels.attacks.projection import distance
from redan.kernels.attacks.watch import Watch

WIDE, UNIT = Box(low=-1000.0, high=1000.0), Box(low=0.0, high=1.0)


def inputs_for(box, features, n):
    """Inputs of which a third lies on the walls where the box is narrow."""
    unit = torch.from_numpy(draws.uniform(draws.sample_keys(0, "points", range(n)), (features,), stream=0))
    return unit if box is WIDE else (unit * 1.5 - 0.25).clamp(0, 1)


def problem(linear, box, features, classes, n):
    model = linear(features, classes)
    inputs = inputs_for(box, features, n)
    with torch.no_grad():
        return model, inputs, model(inputs).argmax(1)


def exact(model, inputs, labels, norm, box):
    """Distance of the nearest point at which any other class wins or draws, and that class."""
    with torch.no_grad():
        logits, weight = model(inputs), model.weight
        lengths = []
        for other in range(weight.shape[0]):
            slopes = weight[labels] - weight[other]
            drop = margin(logits, labels, torch.full_like(labels, other))
            _, far = cross(inputs, slopes, drop, norm, box)
            lengths.append(torch.where(labels == other, torch.inf, far))
        best = torch.stack(lengths, dim=1).min(dim=1)
    return best.values, best.indices


def run(name, model, inputs, labels, norm, box, nearest, targets):
    oracle = Oracle(model)
    if name == "deepfool":
        work = Work(inputs=inputs, labels=labels, points=inputs)
        return deepfool(oracle, work, norm=norm, box=box, settings=DeepFoolSettings(), watch=Watch())
    if name == "cw":
        work = Work(inputs=inputs, labels=labels, points=inputs, targets=targets)
        settings = CarliniWagnerSettings(steps=300)
        return carlini_wagner(oracle, work, box=box, settings=settings, watch=Watch())
    middle = float(nearest[torch.isfinite(nearest)].median())
    ball = Ball(norm=norm, eps=max(middle, 1.0 if norm == "l0" else 1e-6), box=box)
    settings = settings_within(ball, inputs[:1].numel(), 60)
    return fmn(oracle, inputs, labels, norm=norm, box=box, settings=settings, watch=Watch(), targets=targets)


CASES = [("deepfool", "linf"), ("deepfool", "l2"), ("deepfool", "l1"), ("cw", "l2")]
CASES += [("fmn", norm) for norm in ("linf", "l2", "l1", "l0")]


@pytest.mark.parametrize(("name", "norm"), CASES)
@pytest.mark.parametrize("box", [WIDE, UNIT], ids=["wide", "active box"])
@pytest.mark.parametrize(("features", "classes", "n"), [(3, 2, 64), (10, 3, 1), (50, 10, 33), (3000, 4, 7)])
def test_within_one_percent_of_the_optimum(linear, name, norm, box, features, classes, n):
    if name == "cw" and box is WIDE:
        pytest.skip("its change of variables has no resolution in a box a thousand times the distances")
    model, inputs, labels = problem(linear, box, features, classes, n)
    nearest, targets = exact(model, inputs, labels, norm, box)
    reachable = torch.isfinite(nearest)
    found = run(name, model, inputs, labels, norm, box, nearest, targets)
    assert found.success[reachable].all()
    assert (found.distance[reachable] <= 1.01 * nearest[reachable] + 1e-5).all()
    assert (found.distance >= nearest * (1 - 1e-4) - 1e-5).all()
    assert torch.equal(model(found.adversarial).argmax(1) != labels, found.success)
    assert torch.allclose(distance(found.adversarial, inputs, norm)[reachable], found.distance[reachable])


@pytest.mark.parametrize("name", ["fmn", "deepfool", "cw"])
def test_one_logit_is_a_model_of_two_classes(linear, name):
    model, inputs, labels = problem(linear, UNIT, 8, 2, 20)
    single = nn.Linear(8, 1)
    with torch.no_grad():
        single.weight.copy_(model.weight[1:] - model.weight[:1])
        single.bias.copy_(model.bias[1:] - model.bias[:1])
    nearest, targets = exact(model, inputs, labels, "l2", UNIT)
    found = run(name, single, inputs, labels, "l2", UNIT, nearest, targets)
    reachable = torch.isfinite(nearest)
    assert (found.distance[reachable] <= 1.01 * nearest[reachable] + 1e-5).all()


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_wanted_classes_are_answered(linear, name, norm):
    model, inputs, labels = problem(linear, UNIT, 30, 5, 40)
    wanted = (labels + 2) % 5
    work = Work(inputs=inputs, labels=labels, points=inputs, wanted=wanted)
    found = find_nearest(name, Oracle(model), work, Ball(norm=norm, eps=3.0, box=UNIT), 200, Watch())
    assert found.success.float().mean() > 0.8
    assert (model(found.adversarial).argmax(1) == wanted)[found.success].all()


@pytest.mark.parametrize(("name", "norm"), CASES)
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_batch_size_and_order_change_nothing(net, images, keys, name, norm, kind):
    model = net(4).eval().to(kind)
    inputs = images(12).to(kind)
    labels = model(inputs).argmax(1)
    plan, eps = minimum_norm(name, 30), {"linf": 0.05, "l2": 0.4, "l1": 2.0, "l0": 4.0}[norm]
    where, backwards = Ball(norm=norm, eps=eps, box=UNIT), torch.arange(11, -1, -1)
    whole = evade(model, inputs, labels, ball=where, keys=keys(12), plan=plan)
    parts = evade(
        model, inputs[backwards], labels[backwards], ball=where, keys=keys(12)[::-1].copy(), plan=plan, batch_size=5
    )
    assert torch.equal(whole.success, parts.success[backwards])
    tolerance = 1e-9 if kind is torch.float64 else 0.02
    assert torch.allclose(whole.distance, parts.distance[backwards], rtol=tolerance)


@pytest.mark.parametrize("name", ["deepfool", "cw"])
def test_an_empty_batch_and_a_wrong_input_cost_nothing(linear, name):
    model = linear(4, 3)
    empty = Work(inputs=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64), points=torch.zeros(0, 4))
    ball = Ball(norm="l2", eps=1.0, box=UNIT)
    assert find_nearest(name, Oracle(model), empty, ball, 20, Watch()).distance.shape == (0,)
    inputs = torch.full((3, 4), 0.5)
    wrong = (model(inputs).argmax(1) + 1) % 3
    work = Work(inputs=inputs, labels=wrong, points=inputs)
    found = find_nearest(name, Oracle(model), work, ball, 20, Watch())
    assert found.distance.tolist() == [0.0] * 3
    assert torch.equal(found.adversarial, inputs)


def test_carlini_and_wagner_knows_l2_alone(linear):
    model, inputs, labels = problem(linear, UNIT, 4, 2, 2)
    work = Work(inputs=inputs, labels=labels, points=inputs)
    with pytest.raises(ValueError, match="l2"):
        find_nearest("cw", Oracle(model), work, Ball(norm="linf", eps=1.0, box=UNIT), 20, Watch())


@pytest.mark.parametrize("name", ["deepfool", "cw", "fmn"])
def test_a_stop_keeps_what_was_found(linear, name):
    model, inputs, labels = problem(linear, UNIT, 10, 3, 8)
    asked = iter([None] * 3 + ["enough"] * 1000)
    oracle = Oracle(model)
    work = Work(inputs=inputs, labels=labels, points=inputs)
    watch = Watch(stop=lambda: next(asked))
    found = find_nearest(name, oracle, work, Ball(norm="l2", eps=1.0, box=UNIT), 50, watch)
    assert watch.reason == "enough"
    assert oracle.counts.gradient <= 3 * 2 * len(inputs)
    assert torch.equal(model(found.adversarial).argmax(1) != labels, found.success)
