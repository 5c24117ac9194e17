"""Radii of smoothed classifiers: exact where the answer is known, and never too large more often than stated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from redan.kernels.certify.smoothing import ABSTAINED, Smoothing, smooth, verdict, votes_of
from redan.kernels.draws import sample_keys
from redan.kernels.statistics import clopper_pearson, normal_quantile


def half_space(points):
    """Class 1 where the first coordinate is above 0: the true radius is the distance to that plane."""
    return (points[:, 0] > 0).astype(np.int64)


def never():
    return None


def inputs(distances):
    return np.stack([distances, np.zeros_like(distances)], axis=1).astype(np.float32)


def test_radii_of_a_half_space_stay_below_the_distance_and_come_near_it():
    distance = np.linspace(0.05, 0.6, 40)
    found = smooth(
        half_space, inputs(distance), Smoothing(sigma=0.25, n=4000), keys=sample_keys(0, "s", range(40)), stop=never
    )
    told = found.label == 1
    assert set(found.label) <= {1, ABSTAINED}
    assert told[distance > 0.1].all()
    # forty inputs at one in a thousand each: a radius that is too large would be seen once in 25 seeds
    assert (found.radius[told] <= distance[told]).all()
    near = told & (distance < 0.45)
    assert (found.radius[near] >= distance[near] - 0.06).all()
    assert (found.radius[~told] == 0).all()


def test_the_radius_is_that_of_the_paper():
    votes = np.array([3] * 990 + [1] * 10)
    label, radius = verdict(votes[:50], votes, Smoothing(sigma=0.5, alpha=0.01))
    assert label == 3
    assert radius == pytest.approx(0.5 * normal_quantile(clopper_pearson(990, 1000, 0.98)[0]))
    all_agree = verdict(votes[:50], votes[:900], Smoothing(sigma=0.5, alpha=0.01))[1]
    assert all_agree == pytest.approx(0.5 * normal_quantile(0.01 ** (1 / 900)), rel=1e-6)


def test_an_even_vote_abstains():
    votes = np.array([0, 1] * 500)
    assert verdict(votes, votes, Smoothing(sigma=1.0)) == (ABSTAINED, 0.0)


def test_a_radius_is_too_large_at_most_as_often_as_alpha_says():
    distance, alpha, count = 0.2, 0.2, 120
    x = inputs(np.full(count, distance))
    settings = Smoothing(sigma=0.25, n0=10, n=60, alpha=alpha)
    found = smooth(half_space, x, settings, keys=sample_keys(1, "s", range(count)), stop=never)
    share = (found.radius > distance).mean()
    assert 0.02 < share <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / count)


def test_the_result_depends_on_the_inputs_alone_not_on_batches():
    x = inputs(np.linspace(-0.5, 0.5, 11))
    keys, settings = sample_keys(0, "s", range(11)), Smoothing(sigma=0.3, n0=7, n=33, alpha=0.05)
    whole = smooth(half_space, x, settings, keys=keys, stop=never)
    single = smooth(half_space, x[4:5], settings, keys=keys[4:5], stop=never, batch_rows=5)
    assert whole.label[4] == single.label[0]
    assert whole.radius[4] == single.radius[0]


def test_a_spent_budget_keeps_what_was_measured():
    asked = iter([None] * 4 + ["spent"] * 50)
    x = inputs(np.full(6, 0.5))
    settings = Smoothing(sigma=0.25, n0=10, n=50)
    found = smooth(
        half_space, x, settings, keys=sample_keys(0, "s", range(6)), stop=lambda: next(asked), batch_rows=100
    )
    assert found.reason == "spent"
    assert found.done.tolist() == [True, True, True, True, False, False]
    assert found.queries == 4 * 60


def test_votes_are_the_labels_of_the_copies():
    x = inputs(np.array([-0.4, 0.4, 0.0]))
    votes = votes_of(half_space, x, sigma=0.25, copies=50, keys=sample_keys(0, "s", range(3)), batch_rows=60)
    assert votes.shape == (3, 50)
    assert votes[0].mean() < 0.2 < 0.3 < votes[2].mean() < 0.7 < 0.8 < votes[1].mean()


@pytest.mark.parametrize("wrong", [{"sigma": 0.0}, {"sigma": 1.0, "alpha": 1.0}, {"sigma": 1.0, "n": 0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="smoothing needs"):
        Smoothing(**wrong)
