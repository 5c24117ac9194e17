"""SimBA and NES: their bases and estimates, what they find, and that nothing depends on batches."""

from __future__ import annotations

import numpy as np
import pytest

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.nes import NesSettings, nes
from redan.kernels.attacks.simba import SimbaSettings, simba

UNIT = Box(low=0.0, high=1.0)
SHAPE = (1, 8, 8)
NORMAL = draws.normal(draws.sample_keys(0, "plane", [0]), (64,), stream=0)[0]
MEMBERS = {
    "pixels": (simba, SimbaSettings(queries=300, basis="pixels")),
    "cosines": (simba, SimbaSettings(queries=300, basis="cosines")),
    "nes": (nes, NesSettings(queries=300)),
}


def plane(points):
    """Two linear scores."""
    value = (points.reshape(len(points), -1) - 0.5) @ NORMAL
    return np.stack([-value, value], axis=1)


def attack(name, n=12, norm="l2", eps=1.0, **more):
    member, settings = MEMBERS[name]
    inputs = draws.uniform(draws.sample_keys(0, "points", range(n)), SHAPE, stream=0) * 0.5 + 0.25
    inputs = inputs.astype(np.float32)
    labels = plane(inputs).argmax(1)
    keys = draws.sample_keys(0, "test", range(n))
    ball = Ball(norm=norm, eps=eps, box=UNIT)
    return inputs, labels, member(plane, inputs, labels, ball=ball, keys=keys, settings=settings, **more)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("name", MEMBERS)
def test_most_samples_near_a_plane_fall(name, norm):
    eps = 0.2 if norm == "linf" else 1.2
    inputs, labels, found = attack(name, norm=norm, eps=eps)
    flat = np.abs((inputs.reshape(12, -1) - 0.5) @ NORMAL)
    distance = flat / (np.abs(NORMAL).sum() if norm == "linf" else np.linalg.norm(NORMAL))
    assert (distance < eps).sum() >= 8
    near = distance < eps / 2
    assert found.success[near].all()
    assert not found.success[distance > eps].any()
    assert np.array_equal(plane(found.points).argmax(1) != labels, found.success)


@pytest.mark.parametrize("name", MEMBERS)
def test_batches_change_nothing_and_budgets_are_kept(name):
    _, _, whole = attack(name, eps=0.4)
    _, _, parts = attack(name, eps=0.4, batch_size=100)
    _, _, short = attack(name, eps=0.01, max_queries=150)
    assert np.array_equal(whole.points, parts.points)
    assert whole.spent.max() <= 300
    assert short.queries <= 150
    assert "query budget" in short.reason


def test_nes_asks_in_few_calls():
    _, _, found = attack("nes", eps=0.01)
    assert found.calls <= 1 + 2 * 6


@pytest.mark.parametrize("name", MEMBERS)
def test_points_are_brought_back_when_asked(name):
    member, settings = MEMBERS[name]
    inputs, labels, first = attack(name, eps=3.0)
    kind = type(settings)
    told = {f: getattr(settings, f) for f in settings.__slots__} | {"shorten": True}
    keys = draws.sample_keys(0, "test", range(12))
    ball = Ball(norm="l2", eps=3.0, box=UNIT)
    second = member(plane, inputs, labels, ball=ball, keys=keys, settings=kind(**told))
    fell = first.success & second.success
    before, after = (np.linalg.norm((f.points - inputs).reshape(12, -1), axis=1)[fell] for f in (first, second))
    assert fell.any()
    assert (after <= before + 1e-6).all()
    assert after.mean() < before.mean()
    assert (plane(second.points).argmax(1) != labels)[fell].all()
