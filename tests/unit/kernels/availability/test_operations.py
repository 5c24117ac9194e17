"""Counting operations, and inputs that keep activations alive."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from redan.kernels.availability.ascent import densify
from redan.kernels.availability.operations import count


def seeded(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.3
    return module.eval()


def test_linear_layers_and_convolutions_count_their_multiply_accumulates() -> None:
    assert count(seeded(nn.Linear(20, 7)), torch.ones(3, 20)).products == 3 * 20 * 7
    convolution = seeded(nn.Conv2d(4, 6, 3, stride=2, groups=2))
    assert count(convolution, torch.ones(1, 4, 11, 11)).products == 6 * 25 * (4 // 2) * 9
    transposed = seeded(nn.ConvTranspose2d(4, 6, 3))
    assert count(transposed, torch.ones(1, 4, 5, 5)).products == 4 * 25 * 6 * 9


def test_zeros_are_counted_as_skipped_and_no_gradient_is_left() -> None:
    layer = seeded(nn.Linear(10, 5))
    x = torch.zeros(1, 10)
    x[0, :3] = 1
    tally = count(layer, x)
    assert tally.live == pytest.approx(0.3 * tally.products)
    assert layer.weight.grad is None
    assert torch.is_grad_enabled()


def test_counts_agree_with_the_flop_counter_of_torch_where_it_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    net = seeded(nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4)))
    x = torch.ones(2, 1, 8, 8)
    with FlopCounterMode(display=False) as theirs, torch.no_grad():
        net(x)
    assert count(net, x).products * 2 == theirs.get_total_flops()


def test_a_loop_that_goes_on_is_counted_as_often_as_it_goes() -> None:
    def model(x: torch.Tensor) -> torch.Tensor:
        for _ in range(int(x.sum())):
            x = torch.tanh(x)
        return x

    few, many = (count(model, torch.full((1, 4), value)).elements for value in (0.5, 5.0))
    assert many - few == 18 * 4


def test_gradients_bring_dead_activations_to_life_within_the_box() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 36), nn.ReLU())
    # every unit sleeps until its own pixel is brighter than all are at first
    net[1].weight.data, net[1].bias.data = torch.eye(36), torch.full((36,), -0.7)
    x = torch.from_numpy(np.random.default_rng(0).uniform(0.4, 0.6, size=(4, 1, 6, 6)).astype(np.float32))
    moved = densify(net, net, x, low=0.0, high=1.0, steps=25)
    assert (net(x) > 0).sum() == 0
    assert (net(moved) > 0).float().mean() > 0.95
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert not any(part._forward_hooks for part in net.modules())
    assert torch.equal(densify(net, nn.ReLU(), x, low=0.0, high=1.0, steps=3), x)
