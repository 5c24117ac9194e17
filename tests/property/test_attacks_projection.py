"""Projections give the nearest point of ball and box, and crossings of a plane are the shortest."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.halfspace import cross
from redan.kernels.attacks.projection import distance, project
from redan.kernels.attacks.starts import random_points

UNIT = Box(low=0.0, high=1.0)
seeds = st.integers(0, 2**64 - 1)
sizes = st.integers(1, 9)


def numbers(seed, name, width, n=4):
    return torch.from_numpy(draws.normal(draws.sample_keys(seed, name, range(n)), (width,), stream=0)).double()


def inputs_of(seed, width):
    # some inputs lie on the walls of the box
    return (numbers(seed, "inputs", width) * 0.5 + 0.5).clamp(0, 1)


def onto_l1_ball(vector, radius):
    """Euclidean projection of one vector on an L1 ball without a box, by its sorted values."""
    size = np.abs(vector)
    if size.sum() <= radius:
        return vector
    ranked = np.sort(size)[::-1]
    sums = (np.cumsum(ranked) - radius) / np.arange(1, len(size) + 1)
    threshold = sums[np.nonzero(ranked > sums)[0][-1]]
    return np.sign(vector) * np.maximum(size - threshold, 0)


def dykstra(point, center, radius, norm):
    """Nearest point of ball and box by Dykstra's alternating projections, float64."""
    z, p, q = point.copy(), np.zeros_like(point), np.zeros_like(point)
    for _ in range(20_000):
        moved = z + p - center
        if norm == "l2":
            onto = moved * min(1.0, radius / max(np.linalg.norm(moved), 1e-300))
        else:
            onto = onto_l1_ball(moved, radius)
        onto = onto + center
        p = z + p - onto
        after = np.clip(onto + q, 0, 1)
        q = onto + q - after
        if np.abs(after - z).max() < 1e-12 and np.abs(after - onto).max() < 1e-10:
            return after
        z = after
    return z


@pytest.mark.parametrize("norm", ["l2", "l1"])
@given(seed=seeds, width=sizes, radius=st.floats(0.01, 4.0), far=st.sampled_from([0.3, 1.0, 10.0]))
@settings(max_examples=40, deadline=None)
def test_projection_is_the_nearest_point(norm, seed, width, radius, far):
    inputs = inputs_of(seed, width)
    points = inputs + far * numbers(seed, "moves", width)
    got = project(points, inputs, Ball(norm=norm, eps=radius, box=UNIT)).numpy()
    for mine, point, center in zip(got, points.numpy(), inputs.numpy(), strict=True):
        best = dykstra(point, center, radius, norm)
        assert np.linalg.norm(mine - point) <= np.linalg.norm(best - point) + 1e-5
        assert np.abs(mine - best).max() <= 1e-4


@given(seed=seeds, width=st.integers(1, 7), k=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_l0_projection_is_the_best_of_all_choices(seed, width, k):
    inputs = inputs_of(seed, width)
    points = inputs + numbers(seed, "moves", width)
    got = project(points, inputs, Ball(norm="l0", eps=float(k), box=UNIT))
    assert (distance(got, inputs, "l0") <= k).all()
    for mine, point, center in zip(got, points, inputs, strict=True):
        tried = []
        for chosen in combinations(range(width), min(k, width)):
            z = center.clone()
            z[list(chosen)] = point.clamp(0, 1)[list(chosen)]
            tried.append(float((z - point).norm()))
        assert float((mine - point).norm()) <= min(tried) + 1e-9


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@given(seed=seeds, width=sizes, share=st.floats(0.01, 0.99))
@settings(max_examples=40, deadline=None)
def test_no_point_of_a_smaller_ball_crosses_the_plane(norm, seed, width, share):
    inputs, slopes = inputs_of(seed, width), numbers(seed, "slopes", width)
    most = (slopes.abs() * torch.where(slopes > 0, inputs, 1 - inputs)).sum(1)
    drop = share * most
    points, lengths = cross(inputs, slopes, drop, norm, UNIT)
    assert torch.allclose(((inputs - points) * slopes).sum(1), drop, atol=1e-6)
    assert torch.allclose(distance(points, inputs, norm), lengths)
    # the projection of a far point against the slope is the lowest point of the ball
    for row in range(len(inputs)):
        if lengths[row] < 1e-6:
            continue
        x, slope = inputs[row : row + 1], slopes[row : row + 1]
        smaller = Ball(norm=norm, eps=float(lengths[row]) * 0.999, box=UNIT)
        lowest = project(x - 1e4 * slope / slope.abs().max(), x, smaller)
        assert float(((x - lowest) * slope).sum()) < float(drop[row])


@given(seed=seeds, width=st.integers(1, 8), share=st.floats(0.01, 0.99))
@settings(max_examples=40, deadline=None)
def test_an_l0_crossing_changes_as_few_values_as_possible(seed, width, share):
    inputs, slopes = inputs_of(seed, width), numbers(seed, "slopes", width)
    gains = slopes.abs() * torch.where(slopes > 0, inputs, 1 - inputs)
    drop = share * gains.sum(1)
    points, lengths = cross(inputs, slopes, drop, "l0", UNIT)
    assert (((inputs - points) * slopes).sum(1) >= drop - 1e-9).all()
    for row in range(len(inputs)):
        fewer = gains[row].sort(descending=True).values[: max(0, int(lengths[row]) - 1)].sum()
        assert float(fewer) < float(drop[row]) + 1e-9


def test_what_cannot_be_crossed_is_infinitely_far():
    points, lengths = cross(torch.full((1, 2), 0.5), torch.tensor([[1.0, -1.0]]), torch.tensor([1.5]), "l2", UNIT)
    assert lengths.tolist() == [float("inf")]
    assert points.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("norm", ["l1", "l0"])
def test_sparse_starts_reach_the_edge_of_the_ball(norm):
    inputs = torch.full((8, 400), 0.5)
    keys = draws.sample_keys(0, "starts", range(8))
    points = random_points(inputs, Ball(norm=norm, eps=9.0, box=UNIT), keys, stream=3)
    assert distance(points, inputs, norm).tolist() == pytest.approx([9.0] * 8, rel=1e-5)
    assert len({tuple(row.tolist()) for row in points}) == 8
