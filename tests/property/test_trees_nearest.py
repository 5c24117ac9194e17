"""Small ensembles of any shape: what the searches find is what trying every cell finds, and nothing is nearer."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.constraints import Rules
from redan.kernels.constraints.resolving import resolve
from redan.kernels.trees.forest import Tree, grow
from redan.kernels.trees.lengths import Meter
from redan.kernels.trees.nearest import Effort, nearest
from redan.kernels.trees.spaces import ground

D, CLASSES = 3, 3
COLUMNS = ("a", "b", "c")
RULES = (
    Rules(),
    Rules(immutable=("a",)),
    Rules(integer=("b",), range={"b": (-2, 1)}),
    Rules(only_up=("a",), only_down=("c",)),
    Rules(immutable=("b",), integer=("a", "c"), only_up=("c",)),
)


@st.composite
def trees(draw, depth=3):
    """A tree of random splits; thresholds repeat so that trees share them."""
    left, right, feature, threshold = [], [], [], []

    def node(level):
        place = len(left)
        for column in (left, right, feature, threshold):
            column.append(-1)
        if level < depth and draw(st.booleans()):
            feature[place] = draw(st.integers(0, D - 1))
            threshold[place] = draw(st.sampled_from([-1.5, -1.0, -0.3, 0.0, 0.1, 0.7, 1.0]))
            left[place] = node(level + 1)
            right[place] = node(level + 1)
        return place

    node(0)
    values = draw(st.lists(st.integers(-8, 8), min_size=len(left) * CLASSES, max_size=len(left) * CLASSES))
    return Tree(
        left=np.array(left),
        right=np.array(right),
        feature=np.array(feature),
        threshold=np.array(threshold, np.float32).astype(np.float64),
        value=np.array(values, float).reshape(-1, CLASSES),
    )


def walked(tree, row):
    node = 0
    while tree.left[node] >= 0:
        node = tree.left[node] if row[tree.feature[node]] <= tree.threshold[node] else tree.right[node]
    return tree.value[node]


def classes(grown, rows):
    return np.array([np.argmax(sum(walked(tree, row) for tree in grown)) for row in rows])


def brute(grown, row, rules, norm, weight):
    """Least length over every cell of every column: the value of the cell nearest to the row."""
    axes = []
    for column in range(D):
        cuts = np.unique(np.concatenate([t.threshold[(t.left >= 0) & (t.feature == column)] for t in grown]))
        after = np.nextafter(cuts.astype(np.float32), np.float32(np.inf)).astype(np.float64)
        values = np.concatenate([[row[column]], cuts, after])
        if rules.integer[column]:
            values = np.concatenate([[row[column]], np.floor(cuts), np.floor(cuts) + 1])
        low, high = (ends[0, column] for ends in rules.interval(row[None]))
        axes.append(np.unique(values[(values >= max(low, -2)) & (values <= min(high, 2))]))
    points = np.array(list(product(*axes)))
    moves = np.abs(points - row) * weight
    lengths = {"linf": moves.max(1), "l2": np.sqrt((moves**2).sum(1)), "l1": moves.sum(1), "l0": (moves > 0).sum(1)}
    wrong = classes(grown, points) != classes(grown, row[None])[0]
    return float(lengths[norm][wrong].min()) if wrong.any() else np.inf


@settings(max_examples=120, deadline=None)
@given(
    grown=st.lists(trees(), min_size=1, max_size=4),
    cells=st.lists(st.integers(-2, 1), min_size=D, max_size=D),
    offset=st.sampled_from([0.0, 0.25]),
    norm=st.sampled_from(["linf", "l2", "l1", "l0"]),
    rule=st.sampled_from(RULES),
)
def test_the_bounds_meet_at_the_least_length_of_all_cells(grown, cells, offset, norm, rule):
    rules = resolve(rule, COLUMNS)
    row = np.array(cells, float) + np.where(rules.integer, 0.0, offset)
    weight = np.array([1.0, 0.5, 2.0])
    forest = grow(grown, D, grid=np.float32)
    at = ground(forest, row[None].astype(np.float32), np.full(D, -2.0), np.full(D, 2.0), rules if rule else None)
    true = classes(grown, row[None])
    found = nearest(
        at.forest,
        at.rows,
        true,
        at.space,
        Meter(norm=norm, weight=np.append(weight, 0.0)),
        Effort(looks=200, boxes=5000),
        labels=lambda points, places: classes(grown, points),
    )
    least = brute(grown, row, rules, norm, weight)
    assert found.reason is None
    assert found.exact.all()
    np.testing.assert_allclose([found.lower[0], found.upper[0]], [least, least], rtol=1e-9)
    if np.isfinite(least):
        assert classes(grown, found.points)[0] != true[0]
        assert rules.feasible(found.points, row[None]).all()


@settings(max_examples=60, deadline=None)
@given(grown=st.lists(trees(4), min_size=2, max_size=6), norm=st.sampled_from(["linf", "l2", "l1", "l0"]))
def test_little_effort_still_brackets_the_truth(grown, norm):
    row, weight = np.array([0.25, -0.4, 0.6], np.float32).astype(float), np.ones(D)
    rules = resolve(Rules(), COLUMNS)
    at = ground(grow(grown, D, grid=np.float32), row[None], np.full(D, -2.0), np.full(D, 2.0), None)
    found = nearest(
        at.forest,
        at.rows,
        classes(grown, row[None]),
        at.space,
        Meter(norm=norm, weight=np.append(weight, 0.0)),
        Effort(looks=5, boxes=2),
        labels=lambda points, places: classes(grown, points),
    )
    least = brute(grown, row, rules, norm, weight)
    assert found.lower[0] <= least * (1 + 1e-9)
    assert found.upper[0] >= least * (1 - 1e-9)
