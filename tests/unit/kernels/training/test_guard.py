"""A collapse of single-step training is seen and undone."""

from __future__ import annotations

import torch

from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.training.adversary import Adversary, Strength
from redan.kernels.training.guard import Guard
from redan.kernels.training.randomness import generator


def test_the_last_good_weights_come_back_after_a_collapse_and_only_then():
    net = torch.nn.Linear(1, 2).train()
    net.weight.data, net.bias.data = torch.tensor([[-9.0], [9.0]]), torch.zeros(2)
    inputs, labels = torch.tensor([[-0.5], [0.5]]).repeat(8, 1), torch.tensor([0, 1]).repeat(8)
    ball = Ball(norm="linf", eps=0.2, box=Box(low=-1.0, high=1.0))
    guard = Guard(net, Adversary(net, ball, Strength.usual(5), generator(0, "j")), inputs, labels, every=2)
    assert guard.accuracy() == 1.0
    assert not guard(2)
    net.bias.data = torch.tensor([0.0, 6.0])  # still right on every input, and within 0.2 of being wrong on half
    assert guard.accuracy() == 0.5
    assert not guard(3)
    assert guard(4)
    assert guard.collapses == 1
    assert net.bias.data.tolist() == [0.0, 0.0]
    assert net.training
    assert not guard(6)
