"""The decision-based attack on models whose boundary is known, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from redan.core.errors import ShapeMismatch
from redan.kernels import draws
from redan.kernels.attacks.ball import Box
from redan.kernels.attacks.hopskipjump import HopSkipJumpSettings, hopskipjump

UNIT = Box(low=0.0, high=1.0)
FEATURES = 12
NORMAL = draws.normal(draws.sample_keys(0, "plane", [0]), (FEATURES,), stream=0)[0]


def plane(points):
    """A linear classifier of two classes through the middle of the box."""
    return ((points.reshape(len(points), FEATURES) - 0.5) @ NORMAL > 0).astype(np.int64)


def samples(n):
    """Samples in the middle half of the box."""
    unit = draws.uniform(draws.sample_keys(0, "points", range(n)), (FEATURES,), stream=0)
    return unit * np.float32(0.5) + np.float32(0.25)


def keys(n, seed=0):
    return draws.sample_keys(seed, "test", range(n))


def attack(predict=plane, n=20, norm="l2", labels=None, **more):
    inputs = samples(n)
    labels = plane(inputs) if labels is None else labels
    settings = more.pop("settings", HopSkipJumpSettings())
    keyed = more.pop("keys", keys(n))
    return (
        inputs,
        labels,
        hopskipjump(predict, inputs, labels, norm=norm, box=UNIT, keys=keyed, settings=settings, **more),
    )


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_points_are_wrong_inside_and_near_the_plane(norm):
    inputs, labels, found = attack(norm=norm, settings=HopSkipJumpSettings(iterations=20))
    gaps = np.abs((inputs - 0.5) @ NORMAL)
    exact = gaps / (np.abs(NORMAL).sum() if norm == "linf" else np.linalg.norm(NORMAL))
    assert (plane(found.adversarial) != labels).all()
    assert found.adversarial.min() >= 0
    assert found.adversarial.max() <= 1
    moves = np.abs(found.adversarial.astype(float) - inputs)
    lengths = moves.max(1) if norm == "linf" else np.sqrt((moves**2).sum(1))
    assert found.distance == pytest.approx(lengths, rel=1e-5)
    assert (found.distance >= exact * 0.999).all()
    assert np.median(found.distance / exact) < 1.1
    assert found.complete


def test_misclassified_samples_stay_at_distance_zero():
    labels = plane(samples(10))
    labels[:4] = 1 - labels[:4]
    inputs, _, found = attack(n=10, labels=labels)
    assert (found.distance[:4] == 0).all()
    assert np.array_equal(found.adversarial[:4], inputs[:4])
    assert (found.distance[4:] > 0).all()


def test_calls_do_not_grow_with_samples():
    _, _, few = attack(n=2)
    _, _, many = attack(n=40)
    assert many.calls <= few.calls * 1.5 + 10
    assert many.calls < 120
    assert many.queries > 10 * few.queries


def test_answers_do_not_depend_on_batches_or_company():
    _, _, whole = attack(n=20)
    _, _, small = attack(n=20, batch_size=64)
    assert np.array_equal(whole.adversarial, small.adversarial)
    assert small.calls > whole.calls
    assert whole.queries == small.queries


def test_seeds_count():
    _, _, first = attack(n=5)
    _, _, again = attack(n=5)
    _, _, other = attack(n=5, keys=keys(5, seed=1))
    assert np.array_equal(first.adversarial, again.adversarial)
    assert not np.array_equal(first.adversarial, other.adversarial)


@pytest.mark.parametrize("most", [0, 10, 500, 4000])
def test_the_query_budget_is_never_overdrawn(most):
    asked = []

    def counted(points):
        asked.append(len(points))
        return plane(points)

    _, labels, found = attack(counted, n=10, max_queries=most)
    assert sum(asked) == found.queries <= most
    assert len(asked) == found.calls
    assert not found.complete
    assert "budget" in found.reason
    moved = np.isfinite(found.distance)
    assert (plane(found.adversarial[moved]) != labels[moved]).all()


def test_a_stop_leaves_what_was_found():
    reasons = iter([None] * 12 + ["time is up"] * 100)
    _, labels, found = attack(stop=lambda: next(reasons))
    assert found.reason == "time is up"
    assert found.calls == 12
    moved = np.isfinite(found.distance)
    assert moved.any()
    assert (plane(found.adversarial[moved]) != labels[moved]).all()


def test_samples_rest_once_near_enough():
    _, _, free = attack()
    _, _, resting = attack(rest_within=10.0)
    assert resting.queries < free.queries / 3
    assert np.isfinite(resting.distance).all()


def test_alone_a_sample_finds_a_random_start():
    _, labels, found = attack(n=1)
    assert np.isfinite(found.distance).all()
    assert (plane(found.adversarial) != labels).all()


def test_a_constant_model_is_given_up():
    _, _, found = attack(lambda x: np.zeros(len(x), dtype=np.int64), n=3, labels=np.zeros(3, dtype=np.int64))
    assert np.isinf(found.distance).all()
    assert found.complete


def test_no_samples_are_no_calls():
    _, _, found = attack(n=0)
    assert (found.calls, found.queries, found.complete) == (0, 0, True)


def test_images_of_equal_samples_are_welcome():
    # two equal samples with one label, and a model that looks at one pixel
    inputs = np.full((3, 1, 4, 4), 0.2, dtype=np.float32)
    found = hopskipjump(
        lambda x: (x[:, 0, 0, 0] > 0.5).astype(int),
        inputs,
        np.zeros(3, dtype=int),
        norm="l2",
        box=UNIT,
        keys=keys(3),
        settings=HopSkipJumpSettings(),
    )
    assert found.distance == pytest.approx([0.3] * 3, rel=0.2)


@pytest.mark.parametrize(
    "answer", [lambda x: np.zeros((len(x), 2), dtype=int), lambda x: np.zeros(len(x)), lambda x: np.zeros(1, dtype=int)]
)
def test_answers_that_are_no_labels_are_refused(answer):
    with pytest.raises(ShapeMismatch, match="integer labels"):
        attack(answer, n=5)


def test_labels_and_keys_must_fit():
    with pytest.raises(ShapeMismatch, match="as many labels"):
        attack(n=4, labels=np.zeros(3, dtype=int))
    with pytest.raises(ShapeMismatch, match="as many labels"):
        attack(n=4, keys=keys(3))


def test_torch_is_not_imported():
    code = "import redan.kernels.attacks.hopskipjump, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
