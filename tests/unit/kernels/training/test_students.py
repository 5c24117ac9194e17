"""Narrower networks are derived from the network alone, or refused with a reason."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from redan.core.errors import UsageError
from redan.kernels.training.students import narrower, weights


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = x + torch.relu(self.second(x))
        return self.head(x.mean((2, 3)))


class Stubborn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.head = nn.Linear(8 * 36, 5)

    def forward(self, x):
        return self.head(self.conv(x).view(-1, 8 * 36))


EXAMPLE = torch.rand(2, 1, 6, 6)


def test_a_residual_net_with_batch_norm_becomes_narrower_and_keeps_its_answers_shape():
    net = Residual()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    student = narrower(net, EXAMPLE, 0.5)
    assert student(EXAMPLE).shape == (2, 5)
    assert student.first.weight.shape == (4, 1, 3, 3)
    assert student.first.bias is None
    assert student.second.weight.shape == (4, 4, 3, 3)
    assert student.norm.num_features == 4
    assert student.head.weight.shape == (5, 4)
    assert weights(student) < weights(net) / 2
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    student.train()(EXAMPLE).sum().backward()
    assert all(parameter.grad is not None for parameter in student.parameters())


@pytest.mark.parametrize(
    ("net", "word"),
    [
        (Stubborn(), "one row"),
        (nn.Sequential(nn.Conv2d(1, 4, 1), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 5)), "GroupNorm"),
        (nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1, groups=2), nn.Flatten(), nn.Linear(144, 5)), "Conv2d"),
    ],
)
def test_what_cannot_be_narrowed_is_refused_with_advice(net, word):
    with pytest.raises(UsageError, match=word) as caught:
        narrower(net, EXAMPLE, 0.5)
    assert "student" in caught.value.hint


def test_a_layer_that_is_never_called_is_refused():
    net = Residual()
    net.spare = nn.Linear(3, 3)
    with pytest.raises(UsageError, match="not used"):
        narrower(net, EXAMPLE, 0.5)


def test_larger_widths_become_multiples_of_eight():
    net = nn.Sequential(nn.Linear(4, 40), nn.ReLU(), nn.Linear(40, 100), nn.ReLU(), nn.Linear(100, 10))
    student = narrower(net, torch.rand(2, 4), 0.5)
    assert [student[place].out_features for place in (0, 2, 4)] == [24, 48, 10]
