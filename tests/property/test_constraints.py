"""Projection on the rules of a table: allowed, idempotent, and nothing else moves, whatever the rules and rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from redan.core.constraints import Rules
from redan.kernels.constraints.resolving import resolve

COLUMNS = tuple("abcdefgh")
FREE = st.lists(st.sampled_from("abcd"), unique=True).map(tuple)
RELATIONS = ("d = a + 2 * b", "a <= b + 3", "c >= 0.5 * a - 1")


@st.composite
def any_rules(draw):
    relations = tuple(draw(st.lists(st.sampled_from(RELATIONS), unique=True).map(sorted)))[::-1]
    immutable = set(draw(FREE)) - {text[0] for text in relations}
    return Rules(
        immutable=tuple(sorted(immutable)),
        integer=draw(FREE),
        only_up=draw(FREE),
        only_down=draw(FREE),
        one_hot=draw(st.sampled_from([(), (("e", "f", "g"),), (("e", "f"), ("g", "h"))])),
        range=draw(st.sampled_from([{}, {"a": (-2.0, 6.0)}, {"b": (-np.inf, 3.0), "h": (-9.0, 9.0)}])),
        relations=tuple(t for t in RELATIONS if t in relations),
        cost=draw(st.sampled_from([{}, {"a": 1.0, "e": 3.0}])),
    )


@st.composite
def rows(draw):
    """A clean row with whole numbers and categories, and a row somewhere about."""
    clean = np.array([draw(st.integers(-3, 6)) for _ in COLUMNS], float)
    clean[4:] = [1, 0, 0, 1]
    if draw(st.booleans()):
        clean[3] = clean[0] + 2 * clean[1]
    away = np.array([draw(st.floats(-9, 9, width=32)) for _ in COLUMNS])
    return clean[None], clean[None] + away


@given(any_rules(), rows(), st.floats(0, 4))
def test_a_projected_row_is_allowed_and_stays(declared, pair, radius):
    rules = resolve(declared, COLUMNS)
    clean, x = pair
    low, high = clean - radius, clean + radius
    once = rules.project(x, clean, low=low, high=high)
    if rules.feasible(clean, clean)[0]:
        assert rules.feasible(once, clean)[0], rules.violations(once, clean)
    else:
        assert np.array_equal(once, clean)
    assert np.array_equal(rules.project(once, clean, low=low, high=high), once)
    assert (np.abs(once - clean) <= radius + 1e-5).all()
    assert np.array_equal(rules.project(clean, clean), clean)


@given(any_rules(), rows())
def test_allowed_rows_are_fixed_points(declared, pair):
    rules = resolve(declared, COLUMNS)
    clean, x = pair
    if rules.feasible(clean, clean)[0] and rules.feasible(x, clean)[0]:
        assert np.abs(rules.project(x, clean) - x).max() <= 1e-5
    assert rules.cost(x, clean)[0] >= 0
