"""Episodes hold what they should, adapting leaves the start alone, and gradients of both orders are right."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from redan.core.errors import UsageError
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.training.adaptation import Adaptation, adapt, slopes_of
from redan.kernels.training.episodes import Sampler, Task
from redan.kernels.training.fewshot import measure
from redan.kernels.training.randomness import generator

TASK = Task(ways=2, shots=3, queries=4)


def data(classes=4, each=10):
    labels = torch.arange(classes * each) % classes
    inputs = functional.one_hot(labels, 6).float() * 0.6 + 0.3 * torch.rand(len(labels), 6, generator=generator(0, "x"))
    return inputs, labels


def net():
    found = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    for number, parameter in enumerate(found.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator(0, "w", number), dtype=torch.float64) * 0.5
    return found


def episode():
    inputs, labels = data()
    return Sampler(inputs.double(), labels, TASK, generator(0, "e")).draw()


def test_episodes_have_new_numbers_and_no_row_twice():
    inputs, labels = data()
    sampler = Sampler(inputs, labels, TASK, generator(0, "e"))
    met = set()
    for _ in range(20):
        drawn = sampler.draw()
        assert drawn.support_labels.tolist() == [0] * 3 + [1] * 3
        assert drawn.query_labels.tolist() == [0] * 4 + [1] * 4
        classes = labels[drawn.rows].reshape(2, 4)
        assert (classes == classes[:, :1]).all()
        assert classes[0, 0] != classes[1, 0]
        met.add((int(classes[0, 0]), int(classes[1, 0])))
        together = torch.cat([drawn.support, drawn.query])
        assert len(together.unique(dim=0)) == 14
    assert len(met) > 5


def test_too_few_rows_are_named():
    inputs, labels = data(each=5)
    with pytest.raises(UsageError, match="0 classes have the 7 rows"):
        Sampler(inputs, labels, TASK, generator(0, "e"))


@pytest.mark.parametrize("second_order", [False, True])
def test_adapting_learns_the_support_and_leaves_the_start(second_order):
    start, given = net(), episode()
    before = [parameter.clone() for parameter in start.parameters()]
    adapted = adapt(start, given, Adaptation(ways=2, steps=10, rate=0.5, second_order=second_order))
    assert adapted(given.query).shape == (8, 2)
    at_first = functional.cross_entropy(start(given.support)[:, :2], given.support_labels)
    assert functional.cross_entropy(adapted(given.support), given.support_labels) < at_first / 2
    assert all(torch.equal(a, b) for a, b in zip(start.parameters(), before, strict=True))


def test_the_gradient_of_second_order_is_that_of_finite_differences():
    start, given = net(), episode()
    how = Adaptation(ways=2, steps=2, rate=0.3, second_order=True)

    def value():
        return functional.cross_entropy(adapt(start, given, how)(given.query), given.query_labels)

    adapted = adapt(start, given, how)
    loss = functional.cross_entropy(adapted(given.query), given.query_labels)
    slopes = slopes_of(loss, start, adapted, how)
    weight, small = start[0].weight, 1e-5
    for place in ((0, 0), (3, 2)):
        weight.data[place] += small
        above = value().item()
        weight.data[place] -= 2 * small
        below = value().item()
        weight.data[place] += small
        assert float(slopes["0.weight"][place]) == pytest.approx((above - below) / (2 * small), rel=1e-4, abs=1e-8)


def test_measuring_counts_queries_and_leaves_modes():
    inputs, labels = data()
    start = net().float().eval()
    found = measure(
        start,
        inputs,
        labels,
        TASK,
        Adaptation(ways=2, steps=20, rate=0.5),
        Ball(norm="linf", eps=0.05, box=Box(low=0.0, high=1.0)),
        episodes=5,
        seed=0,
    )
    assert found.queries == 40
    assert 30 <= found.right <= 40
    assert found.robust <= found.right
    assert not start.training
