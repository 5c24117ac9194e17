"""Repeats are found exactly, near repeats all of them, and far rows are those that were put far away."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from redan.kernels.odd_rows.far import distances, outlying
from redan.kernels.odd_rows.repeated import groups, near_pairs, typical_distance

X = (load_digits().data / 16).astype(np.float32)


def test_equal_rows_point_to_the_first_of_them() -> None:
    rows = np.concatenate([X[:10], X[3:5], X[3:4]])
    assert groups(rows).tolist() == [*range(10), 3, 4, 3]


def test_every_pair_within_the_radius_is_found_and_no_other() -> None:
    rows = X[:500]
    radius = 0.35 * typical_distance(rows, 0)
    pairs, whole = near_pairs(rows, radius)
    squared = ((rows[:, None, :].astype(np.float64) - rows[None, :, :]) ** 2).sum(axis=2)
    one, other = np.nonzero(np.triu(squared <= radius**2, 1))
    assert whole
    assert len(one) > 20
    assert pairs.tolist() == np.stack([one, other], axis=1).tolist()


def test_a_search_that_is_stopped_says_so() -> None:
    assert near_pairs(X[:100], 1.0, lambda: "stop")[1] is False


def test_rows_of_another_kind_lie_far() -> None:
    rows = np.concatenate([X[:400], np.random.default_rng(0).random((5, 64)).astype(np.float32) * 3]).astype(float)
    found = distances(rows, np.arange(405), 0)
    assert found is not None
    assert outlying(found)[400:].all()
    assert outlying(found)[:400].sum() < 10


def test_distances_do_not_depend_on_the_order_of_rows() -> None:
    order = np.random.default_rng(1).permutation(300)
    plain, turned = distances(X[:300].astype(float), np.arange(300), 0), distances(X[order].astype(float), order, 0)
    assert plain is not None
    assert turned is not None
    assert np.allclose(plain[order], turned)
