"""Whatever the box, the shape and the norm: attacks that only ask never ask outside of box and ball."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.nes import NesSettings, nes
from redan.kernels.attacks.score_search import ScoreSearchSettings, score_search
from redan.kernels.attacks.simba import SimbaSettings, simba
from redan.kernels.attacks.square import SquareSettings, square

ATTACKS = {
    "square": (square, SquareSettings(queries=12, shorten=True)),
    "scores": (score_search, ScoreSearchSettings(queries=24, shorten=True)),
    "nes": (nes, NesSettings(queries=30, samples=8)),
    "pixels": (simba, SimbaSettings(queries=25, basis="pixels")),
    "cosines": (simba, SimbaSettings(queries=25, basis="cosines")),
}
SHAPES = [(1,), (5,), (2, 3), (3, 4, 4), (5, 6, 3)]


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(ATTACKS)),
    st.sampled_from(SHAPES),
    st.sampled_from(["linf", "l2"]),
    st.sampled_from([Box(low=0.0, high=1.0), Box(low=-1000.0, high=255.0)]),
    st.floats(1e-4, 2.0),
    st.integers(0, 2**64 - 1),
)
def test_every_point_is_inside_and_every_sample_keyed(name, shape, norm, box, share, seed):
    attack, effort = ATTACKS[name]
    eps = share * (box.high - box.low)
    unit = draws.uniform(draws.sample_keys(seed, "inputs", range(3)), shape, stream=0)
    inputs = (box.low + unit * np.float32(box.high - box.low)).clip(box.low, box.high)
    plane = draws.normal(draws.sample_keys(seed, "plane", [0]), (3, int(np.prod(shape))), stream=0)[0]
    owner = []

    def scores(points):
        moves = np.abs(points[:, None].astype(np.float64) - inputs[None])
        flat = moves.reshape(len(points), len(inputs), -1)
        lengths = flat.max(axis=2) if norm == "linf" else np.sqrt((flat**2).sum(axis=2))
        owner.append(lengths.min(axis=1).max())
        assert points.min() >= box.low
        assert points.max() <= box.high
        return points.reshape(len(points), -1) @ plane.T

    labels = scores(inputs).argmax(1)
    keys = draws.sample_keys(seed, "test", range(3))
    ball = Ball(norm=norm, eps=eps, box=box)
    found = attack(scores, inputs, labels, ball=ball, keys=keys, settings=effort)
    assert max(owner) <= eps * (1 + 1e-5)
    alone = attack(scores, inputs[2:], labels[2:], ball=ball, keys=keys[2:], settings=effort)
    assert np.array_equal(found.points[2:], alone.points)
    assert found.queries == found.spent.sum()
