"""Arithmetic of membership inference against its plain definitions."""

from __future__ import annotations

from math import log
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redan.kernels.draws import sample_keys
from redan.kernels.inference import lira
from redan.kernels.inference.confidence import margins, shares
from redan.kernels.inference.halves import halves
from redan.kernels.inference.label_only import LADDER, noisy, smoothed
from redan.kernels.inference.rmia import outdone, usual, usual_offline

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_margins_of_logits_and_of_their_probabilities_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, y = rng.normal(0, 3, (20, 5)), rng.integers(0, 5, 20)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    one, other = margins(logits, y, kind="logits"), margins(p, y, kind="probabilities")
    np.testing.assert_allclose(one, other, atol=1e-9)
    np.testing.assert_allclose(shares(one), p[np.arange(20), y], rtol=1e-9)


def test_margins_of_sure_models_are_numbers() -> None:
    y = np.array([0, 1])
    for scores, kind in (([[900.0, -900.0], [900.0, -900.0]], "logits"), ([[1.0, 0.0], [1.0, 0.0]], "probabilities")):
        found = margins(np.array(scores), y, kind=kind)
        assert np.isfinite(found).all()
        assert found[0] > 20
        assert found[1] < -20


def test_margins_leave_the_scores_as_they_were() -> None:
    scores = np.array([[1.0, 2.0]])
    margins(scores, np.array([0]), kind="logits")
    assert scores.tolist() == [[1.0, 2.0]]


@given(SEEDS, st.integers(2, 60), st.integers(1, 4))
def test_halves_are_complements_and_split_each_class_evenly(seed: int, n: int, pairs: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    inside = halves([rng.random(n) for _ in range(pairs)], y)
    assert inside.shape == (2 * pairs, n)
    assert (inside[::2] == ~inside[1::2]).all()
    for mask in inside:
        for kind in range(4):
            assert abs(int(mask[y == kind].sum()) - int((~mask)[y == kind].sum())) <= 1


def test_halves_belong_to_records_and_not_to_their_order() -> None:
    rng = np.random.default_rng(0)
    y, draw, order = rng.integers(0, 3, 50), rng.random(50), rng.permutation(50)
    assert (halves([draw], y)[:, order] == halves([draw[order]], y[order])).all()


@given(SEEDS)
def test_outdone_is_the_share_of_the_matrix_of_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, z = rng.integers(0, 9, 30) / 8, rng.integers(0, 9, 17) / 8
    assert outdone(x, z).tolist() == (x[:, None] > z[None, :]).mean(axis=1).tolist()


def test_usual_is_the_mean_of_models_inside_and_outside() -> None:
    said = np.array([[0.9, 0.2], [0.1, 0.6]])
    inside = np.array([[True, False], [False, True]])
    assert usual(said, inside) == pytest.approx([0.5, 0.4])
    assert usual_offline(said, inside, 1.0) == pytest.approx([0.1, 0.2])
    assert usual_offline(said, inside, 0.0) == pytest.approx([0.55, 0.6])


@pytest.mark.parametrize("fixed", [True, False])
def test_lira_is_the_ratio_of_two_normals(fixed: bool) -> None:
    rng = np.random.default_rng(1)
    inside = halves([rng.random(40) for _ in range(6)], np.zeros(40, int))
    said, target = rng.normal(0, 1, inside.shape) + 2 * inside, rng.normal(1, 1, 40)

    def normal(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        columns = [said[chosen[:, k], k] for k in range(40)]
        mean = np.array([c.mean() for c in columns])
        each = np.array([c.var(ddof=1) for c in columns])
        return mean, np.sqrt(np.full(40, each.mean()) if fixed else each)

    within, without = normal(inside), normal(~inside)
    expected = [
        log(NormalDist(m, d).pdf(t) / NormalDist(o, e).pdf(t))
        for t, m, d, o, e in zip(target, *within, *without, strict=True)
    ]
    np.testing.assert_allclose(lira.online(target, said, inside, fixed_variance=fixed), expected, rtol=1e-9)
    np.testing.assert_allclose(
        lira.offline(target, said, inside, fixed_variance=fixed), (target - without[0]) / without[1], rtol=1e-9
    )


def test_noise_belongs_to_the_record_and_keeps_within_bounds() -> None:
    x = np.linspace(0, 1, 12).reshape(3, 4)
    keys = sample_keys(0, "rule", [5, 6, 7])
    many = list(noisy(x, keys, np.full(4, 0.5), (0.0, 1.0), 2))
    alone = list(noisy(x[1:2], keys[1:2], np.full(4, 0.5), (0.0, 1.0), 2))
    assert len(many) == 2 * len(LADDER)
    for whole, single in zip(many, alone, strict=True):
        np.testing.assert_array_equal(whole[1:2], single)
        assert whole.min() >= 0
        assert whole.max() <= 1
    free = [np.abs(moved - x).mean() for moved in noisy(x, keys, np.full(4, 0.5), None, 50)]
    assert free[0] < free[60] < free[-1]


def test_smoothed_shares_are_never_zero_or_one() -> None:
    assert smoothed(np.array([0.0, 19.0]), 19).tolist() == [0.025, 0.975]
