"""Objectives against values that can be worked out."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.training.adversary import Adversary, Strength
from redan.kernels.training.course import Batch
from redan.kernels.training.distil import answers, distil, heated
from redan.kernels.training.penalties import SpectralPenalty, flat_inputs, spectral
from redan.kernels.training.randomness import generator
from redan.kernels.training.trades import divergence, trades


def batch(n=6, features=3):
    inputs = torch.rand(n, features, generator=generator(0, "x"))
    return Batch(rows=torch.arange(n), inputs=inputs, labels=torch.arange(n) % 2, share=1.0)


def linear():
    net = nn.Linear(3, 2)
    net.weight.data = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]])
    net.bias.data.zero_()
    return net


def test_divergence_is_zero_for_equal_answers_and_torchs_otherwise():
    left, right = torch.randn(2, 5, 4, generator=generator(0, "l"))
    target = right.log_softmax(1)
    assert float(divergence(right, target).abs().max()) < 1e-6
    wanted = functional.kl_div(left.log_softmax(1), target, reduction="batchmean", log_target=True)
    torch.testing.assert_close(divergence(left, target).mean(), wanted)


def test_trades_without_weight_is_ordinary_training_and_more_weight_costs_more():
    net, given = linear(), batch()
    ball = Ball(norm="linf", eps=0.2, box=Box(low=0.0, high=1.0))

    def loss(beta):
        foe = Adversary(net, ball, Strength.usual(2), generator(0, "a"))
        return trades(net, foe, beta)(given).item()

    plain = functional.cross_entropy(net(given.inputs), given.labels).item()
    assert loss(0.0) == pytest.approx(plain)
    apart = loss(1.0) - plain
    assert apart > 0.01
    assert loss(6.0) == pytest.approx(plain + 6 * apart, rel=1e-4)


def test_the_gradient_penalty_of_a_linear_model_is_its_known_gradient():
    net, given = linear(), batch()
    with torch.no_grad():
        wrong = net(given.inputs).softmax(1) - functional.one_hot(given.labels, 2)
        wanted = (wrong @ net.weight).square().sum(1).mean()
    plain = functional.cross_entropy(net(given.inputs), given.labels)
    torch.testing.assert_close(flat_inputs(net, 3.0)(given), plain + 3 * wanted)
    flat_inputs(net, 3.0)(given).backward()
    assert net.weight.grad.abs().sum() > 0


def test_the_spectral_penalty_reaches_the_largest_singular_values():
    net = nn.Sequential(linear(), nn.Flatten(), nn.Linear(2, 2))
    penalty = SpectralPenalty(net, generator(0, "s"))
    for _ in range(60):
        value = penalty()
    wanted = sum(torch.linalg.matrix_norm(net[i].weight, 2).item() ** 2 for i in (0, 2)) / 2
    assert value.item() == pytest.approx(wanted, rel=1e-4)
    plain = functional.cross_entropy(net(batch().inputs), batch().labels).item()
    loss = spectral(net, 0.1, generator(0, "s"))
    for _ in range(60):
        total = loss(batch()).item()
    assert total == pytest.approx(plain + 0.1 * wanted, rel=1e-4)


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn():
    net, given = linear(), batch()
    told = answers(net, given.inputs, 4.0, batch_size=4)
    assert distil(net, told, temperature=4.0, weight=1.0)(given).item() == pytest.approx(0, abs=1e-6)
    labels_only = distil(net, told, temperature=4.0, weight=0.0)(given).item()
    assert labels_only == pytest.approx(functional.cross_entropy(net(given.inputs), given.labels).item())


def test_heat_divides_logits():
    net, given = linear(), batch()
    wanted = functional.cross_entropy(net(given.inputs) / 20, given.labels)
    torch.testing.assert_close(heated(net, 20.0)(given), wanted)
