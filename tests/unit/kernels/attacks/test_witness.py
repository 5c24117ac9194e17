"""The witness of the deep plan sees what gradients hide, and says so."""

from __future__ import annotations

from dataclasses import replace

import torch

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.plans import plan_for

BALL = Ball(norm="linf", eps=0.2, box=Box(low=0.0, high=1.0))


def rounded(points):
    """Two classes by the mean of 64 values in eight levels: the gradient is zero everywhere."""
    means = (points * 7).round().div(7).flatten(1).mean(1) - 0.5
    return torch.stack([-20 * means, 20 * means], dim=1)


def problem():
    inputs = torch.from_numpy(draws.uniform(draws.sample_keys(0, "witness", range(24)), (1, 8, 8), stream=0))
    return inputs, rounded(inputs).argmax(1), draws.sample_keys(0, "test", range(24))


def test_square_turns_what_zero_gradients_hide():
    inputs, labels, keys = problem()
    deep = plan_for("deep", "linf")
    found = evade(rounded, inputs, labels, ball=BALL, keys=keys, plan=deep)
    blind = evade(rounded, inputs, labels, ball=BALL, keys=keys, plan=replace(deep, witness_queries=0))
    turned = dict(found.waterfall())["square"]
    assert turned > 0
    assert blind.robust_accuracy > found.robust_accuracy
    assert any("Square" in note and f"turned {turned} of" in note for note in found.notes)
    assert torch.equal(rounded(found.adversarial).argmax(1) != labels, found.success)
    assert ((found.adversarial - inputs).abs().amax((1, 2, 3)) <= BALL.eps).all()


def test_the_witness_does_not_depend_on_the_batch():
    inputs, labels, keys = problem()
    deep = replace(plan_for("deep", "linf"), rounds=())
    whole, parts = (
        evade(rounded, inputs, labels, ball=BALL, keys=keys, plan=deep, batch_size=size) for size in (500, 5)
    )
    assert torch.equal(whole.adversarial, parts.adversarial)


def test_a_wanted_class_has_no_witness():
    inputs, labels, keys = problem()
    found = evade(rounded, inputs, labels, ball=BALL, keys=keys, plan=plan_for("deep", "linf"), targets=1 - labels)
    assert "square" not in found.stages
