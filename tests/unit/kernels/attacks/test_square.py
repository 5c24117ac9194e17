"""Square attack: inside ball and box, as good as its paper says, the same whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.errors import ShapeMismatch, SubjectFailed
from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.square import SquareSettings, square

UNIT = Box(low=0.0, high=1.0)
SHAPES = {"image": (2, 6, 6), "channels last": (6, 6, 2), "flat": (72,), "grey": (8, 9), "one column": (1,)}


def weights(shape):
    return draws.normal(draws.sample_keys(0, "plane", [0]), (3, *shape), stream=0)[0]


def linear(shape):
    """Three linear scores."""
    flat = weights(shape).reshape(3, -1)
    return lambda points: (points.reshape(len(points), -1) - 0.5) @ flat.T


def samples(n, shape):
    inside = draws.uniform(draws.sample_keys(0, "points", range(n)), shape, stream=0)
    return inside * np.float32(0.5) + np.float32(0.25)


def attack(shape=(2, 6, 6), n=12, norm="linf", eps=0.1, queries=200, scores=None, seed=0, places=None, **more):
    inputs = samples(n, shape)
    scores = scores or linear(shape)
    labels = scores(inputs).argmax(1)
    places = np.arange(n) if places is None else places
    keys = draws.sample_keys(seed, "test", places)
    ball = Ball(norm=norm, eps=eps, box=UNIT)
    settings = SquareSettings(queries=queries)
    found = square(scores, inputs[places], labels[places], ball=ball, keys=keys, settings=settings, **more)
    return inputs[places], labels[places], found


def lengths(points, inputs, norm):
    moves = np.abs(points.astype(np.float64) - inputs).reshape(len(inputs), -1)
    return moves.max(axis=1) if norm == "linf" else np.sqrt((moves**2).sum(axis=1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_point_asked_lies_in_ball_and_box(shape, norm):
    asked = []
    eps, scores = 0.3, linear(shape)

    def watched(points):
        asked.append(points.copy())
        return scores(points)

    inputs, labels, found = attack(shape, n=5, norm=norm, eps=eps, queries=60)
    attack(shape, n=1, norm=norm, eps=eps, queries=60, scores=watched)
    every = np.concatenate(asked)
    assert every.min() >= 0
    assert every.max() <= 1
    assert lengths(every, np.repeat(inputs[:1], len(every), 0), norm).max() <= eps * (1 + 1e-6)
    assert lengths(found.points, inputs, norm).max() <= eps * (1 + 1e-6)
    assert np.array_equal(linear(shape)(found.points).argmax(1) != labels, found.success)


def test_a_corner_of_the_ball_is_found_where_only_it_is_wrong():
    # of a linear model the worst point of a Linf ball is known, and random search over signs must come near to it
    shape, eps = (1, 8, 8), 0.2
    plane = weights(shape)[:1].reshape(64, 1)

    def binary(points):
        value = (points.reshape(len(points), -1) - 0.5) @ plane
        return np.concatenate([-value, value], axis=1)

    inputs = samples(10, shape)
    labels = binary(inputs).argmax(1)
    worst = np.abs(binary(inputs)[:, 0]) * 2 - 2 * eps * np.abs(plane).sum()
    # labels turned round never fall, so the search goes on to its end
    far = Ball(norm="linf", eps=eps, box=UNIT)
    keys = draws.sample_keys(0, "test", range(10))

    def never_wrong(points):
        return binary(points) + 1000.0 * np.eye(2)[np.resize(labels, len(points))]

    found = square(never_wrong, inputs, labels, ball=far, keys=keys, settings=SquareSettings(queries=600))
    assert not found.success.any()
    assert (found.margin - 1000 <= worst + 0.1 * np.abs(worst)).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_one_sample_gets_the_same_alone_and_among_others(norm):
    _, _, together = attack(norm=norm, eps=0.2)
    _, _, batched = attack(norm=norm, eps=0.2, batch_size=5)
    _, _, alone = attack(norm=norm, eps=0.2, places=np.array([7]))
    _, _, turned = attack(norm=norm, eps=0.2, places=np.arange(12)[::-1].copy())
    _, _, other = attack(norm=norm, eps=0.2, seed=1)
    assert np.array_equal(together.points, batched.points)
    assert np.array_equal(together.points[7:8], alone.points)
    assert np.array_equal(together.points[::-1], turned.points)
    assert not np.array_equal(together.points, other.points)


def test_calls_do_not_grow_with_samples_and_queries_are_counted():
    _, _, few = attack(n=2, eps=0.001, queries=50)
    _, _, many = attack(n=40, eps=0.001, queries=50)
    assert few.calls == many.calls == 50
    assert many.queries == many.spent.sum()
    assert many.spent.max() <= 50


def test_a_budget_ends_the_attack_with_what_it_has():
    _, _, found = attack(n=10, eps=0.001, max_queries=95)
    assert found.queries <= 95
    assert not found.complete
    assert "query budget of 95" in found.reason


def test_a_stop_ends_it_and_tells_why():
    _, _, found = attack(n=10, stop=lambda: "enough")
    assert found.reason == "enough"
    assert found.queries == 0
    assert not found.success.any()


def test_misclassified_inputs_cost_one_query():
    inputs = samples(4, (1, 5, 5))
    scores = linear((1, 5, 5))
    wrong = (scores(inputs).argmax(1) + 1) % 3
    ball = Ball(norm="linf", eps=0.1, box=UNIT)
    keys = draws.sample_keys(0, "test", range(4))
    found = square(scores, inputs, wrong, ball=ball, keys=keys, settings=SquareSettings())
    assert found.success.all()
    assert found.queries == 4
    assert np.array_equal(found.points, inputs)


class Still:
    """Every second column must stay as it was."""

    everywhere = False

    def __init__(self, inputs, still):
        self.inputs, self.still = inputs, still

    def rows(self, points, places):
        return np.where(self.still, self.inputs[places], points).astype(np.float64)


def test_only_what_may_be_asked_is_asked_and_judged():
    still = np.arange(72) % 2 == 0
    inputs = samples(6, (72,))
    asked = []
    scores = linear((72,))

    def watched(points):
        asked.append(points.copy())
        return scores(points)

    reach = Still(inputs, still)
    _, labels, found = attack((72,), n=6, eps=0.2, scores=watched, reach=reach)
    assert (np.concatenate(asked)[:, still][:, :, None] == inputs[:, still].T[None]).any(axis=2).all()
    assert found.success.any()
    assert np.array_equal(scores(reach.rows(found.points, np.arange(6))).argmax(1) != labels, found.success)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (np.zeros, ShapeMismatch),
        (lambda n: np.zeros((n, 1)), ShapeMismatch),
        (lambda n: np.zeros((n, 3), np.int64), ShapeMismatch),
        (lambda n: np.full((n, 3), np.nan), SubjectFailed),
    ],
)
def test_answers_that_are_no_scores_are_refused(answer, error):
    ball = Ball(norm="linf", eps=0.1, box=UNIT)
    keys = draws.sample_keys(0, "test", range(2))
    with pytest.raises(error):
        square(
            lambda p: answer(len(p)),
            samples(2, (9,)),
            np.zeros(2, np.int64),
            ball=ball,
            keys=keys,
            settings=SquareSettings(),
        )


def test_labels_that_do_not_fit_are_refused():
    ball = Ball(norm="linf", eps=0.1, box=UNIT)
    with pytest.raises(ShapeMismatch, match="2 inputs need as many labels"):
        square(
            linear((9,)),
            samples(2, (9,)),
            np.zeros(3, np.int64),
            ball=ball,
            keys=draws.sample_keys(0, "test", range(2)),
            settings=SquareSettings(),
        )


def test_no_samples_is_no_error():
    ball = Ball(norm="linf", eps=0.1, box=UNIT)
    none = np.zeros((0, 9), np.float32)
    found = square(
        linear((9,)),
        none,
        np.zeros(0, np.int64),
        ball=ball,
        keys=draws.sample_keys(0, "t", []),
        settings=SquareSettings(),
    )
    assert found.points.shape == (0, 9)
    assert found.queries == 0
