"""Balls, boxes and directions on cases worked by hand."""

from __future__ import annotations

import pytest
import torch

from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.projection import distance, project, steepest, tighten

UNIT = Box(low=0.0, high=1.0)


def test_linf_clips_each_coordinate():
    ball = Ball(norm="linf", eps=0.25, box=UNIT)
    inputs, points = torch.tensor([[0.5, 0.5, 0.9]]), torch.tensor([[0.6, -3.0, 2.0]])
    assert torch.equal(project(points, inputs, ball), torch.tensor([[0.6, 0.25, 1.0]]))


def test_l2_scales_to_the_sphere():
    ball = Ball(norm="l2", eps=0.5, box=Box(low=-9, high=9))
    inputs, points = torch.zeros(2, 2), torch.tensor([[3.0, 4.0], [0.1, 0.0]])
    assert torch.allclose(project(points, inputs, ball), torch.tensor([[0.3, 0.4], [0.1, 0.0]]))


@pytest.mark.parametrize(("norm", "expected"), [("linf", 3.0), ("l2", 13**0.5)])
def test_distance(norm, expected):
    inputs, points = torch.zeros(1, 1, 2), torch.tensor([[[2.0, -3.0]]])
    assert distance(points, inputs, norm).tolist() == pytest.approx([expected])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("high", "eps"), [(1.0, 0.1), (255.0, 8.0)])
def test_tightened_points_are_exactly_inside(norm, high, eps):
    box = Box(low=0.0, high=high)
    ball = Ball(norm=norm, eps=eps, box=box)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(200, 3, 8, 8, generator=generator) * high
    points = project(inputs + torch.randn(inputs.shape, generator=generator) * high, inputs, ball)
    tight = tighten(points, inputs, ball)
    assert distance(tight, inputs, norm).max() <= eps
    assert tight.min() >= 0
    assert tight.max() <= high
    assert (tight - points).abs().max() <= 1e-4 * high
    # the ball is used to its edge
    assert distance(tight, inputs, norm).max() >= eps * (1 - 1e-4)


def test_l2_direction_spares_walls_it_would_step_into():
    ball = Ball(norm="l2", eps=1.0, box=UNIT)
    points, gradients = torch.tensor([[0.0, 1.0, 0.5]]), torch.tensor([[3.0, -4.0, 2.0]])
    assert torch.equal(steepest(gradients, points, ball), torch.tensor([[0.0, 0.0, 1.0]]))


def test_a_zero_gradient_gives_no_direction():
    for norm in ("linf", "l2"):
        assert not steepest(torch.zeros(1, 4), torch.zeros(1, 4), Ball(norm=norm, eps=1.0, box=UNIT)).any()


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_an_empty_box_is_refused(low, high):
    with pytest.raises(ValueError, match="low < high"):
        Box(low=low, high=high)


@pytest.mark.parametrize(("norm", "eps"), [("l3", 0.1), ("linf", 0.0), ("l2", -1.0), ("l2", float("inf"))])
def test_a_bad_ball_is_refused(norm, eps):
    with pytest.raises(ValueError, match=r"norm|eps"):
        Ball(norm=norm, eps=eps, box=UNIT)
