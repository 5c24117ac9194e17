"""The inner attack stays where it may, spends what it says, and goes on where it stopped."""

from __future__ import annotations

import pytest
import torch

from redan.core.errors import UsageError
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.training.adversary import Adversary, Strength, offsets
from redan.kernels.training.course import Batch
from redan.kernels.training.randomness import generator


def batch_of(inputs, labels, share=1.0):
    return Batch(rows=torch.arange(len(inputs)), inputs=inputs, labels=labels, share=share)


def linear(classes=3, features=6):
    net = torch.nn.Linear(features, classes)
    net.weight.data = torch.randn(classes, features, generator=generator(0, "weights"))
    net.bias.data.zero_()
    return net


def problem(n=40):
    inputs = torch.rand(n, 6, generator=generator(0, "inputs"))
    return inputs, linear()(inputs).argmax(1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 4])
def test_points_lie_in_ball_and_box_and_raise_the_loss(norm, steps):
    inputs, labels = problem()
    net, ball = linear(), Ball(norm=norm, eps=0.3, box=Box(low=0.0, high=1.0))
    points = Adversary(net, ball, Strength.usual(steps), generator(0, "a")).worst(batch_of(inputs, labels))
    moves = (points - inputs).flatten(1)
    length = moves.abs().amax(1) if norm == "linf" else moves.norm(dim=1)
    assert float(length.max()) <= 0.3 + 1e-6
    assert float(points.min()) >= 0
    assert float(points.max()) <= 1
    entropy = torch.nn.functional.cross_entropy
    with torch.no_grad():
        assert float(entropy(net(points), labels)) > float(entropy(net(inputs), labels)) + 0.1


def test_two_classes_of_a_linear_model_are_attacked_as_well_as_can_be():
    net, inputs = linear(classes=2), torch.full((5, 6), 0.5)
    labels = torch.zeros(5, dtype=torch.int64)
    ball = Ball(norm="linf", eps=0.1, box=Box(low=0.0, high=1.0))
    points = Adversary(net, ball, Strength(steps=3, length=2.0), generator(0, "a")).worst(batch_of(inputs, labels))
    best = inputs + 0.1 * (net.weight[1] - net.weight[0]).sign()
    torch.testing.assert_close(points, best.detach())


def test_easy_rows_take_one_step_and_the_others_all():
    net = torch.nn.Linear(1, 2)
    net.weight.data, net.bias.data = torch.tensor([[0.0], [20.0]]), torch.tensor([0.0, -10.0])
    inputs, labels = torch.tensor([[0.0], [1.0], [0.49], [0.51]]), torch.tensor([0, 1, 0, 1])
    ball = Ball(norm="linf", eps=0.02, box=Box(low=0.0, high=1.0))
    foe = Adversary(net, ball, Strength.usual(5, easy=0.9), generator(0, "a"))
    foe.worst(batch_of(inputs, labels))
    assert foe.gradients == 4 + 2 * 4


def test_a_kept_attack_gets_further_than_one_that_begins_anew():
    inputs, labels = problem(200)
    net = torch.nn.Sequential(linear(32, 6), torch.nn.Tanh(), linear(3, 32))
    ball = Ball(norm="linf", eps=0.2, box=Box(low=0.0, high=1.0))
    strength = Strength(steps=1, length=0.25)
    kept = Adversary(net, ball, strength, generator(0, "a"), offsets(inputs, ball, generator(0, "b")))
    anew = Adversary(net, ball, strength, generator(0, "a"))
    for _ in range(8):
        far, near = kept.worst(batch_of(inputs, labels)), anew.worst(batch_of(inputs, labels))
    entropy = torch.nn.functional.cross_entropy
    with torch.no_grad():
        assert float(entropy(net(far), labels)) > float(entropy(net(near), labels)) + 0.05


def test_the_radius_grows_in_the_first_tenth():
    inputs, labels = problem()
    ball = Ball(norm="linf", eps=0.2, box=Box(low=0.0, high=1.0))
    reach = []
    for share in (0.0, 0.05, 0.1, 0.9):
        foe = Adversary(linear(), ball, Strength.usual(1), generator(0, "a"))
        reach.append(float((foe.worst(batch_of(inputs, labels, share)) - inputs).abs().max()))
    assert 0 < reach[0] < reach[1] < reach[2]
    assert reach[2] == pytest.approx(0.2)
    assert reach[3] == pytest.approx(0.2)


def test_modes_statistics_and_gradients_of_the_network_are_as_before():
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3)).train()
    inputs, labels = problem()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    ball = Ball(norm="linf", eps=0.2, box=Box(low=0.0, high=1.0))
    Adversary(net, ball, Strength.usual(2), generator(0, "a")).worst(batch_of(inputs, labels))
    assert all(part.training for part in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 1, "easy": 0.0}, {"steps": 1, "length": -1.0}])
def test_impossible_strengths_are_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        Strength.usual(**wrong)
