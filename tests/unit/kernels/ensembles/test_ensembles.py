"""Ensembles: who answers, and what the price on agreement does to the gradients of the members."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from redan.kernels.attacks.watch import Watch
from redan.kernels.ensembles.lessons import jointly
from redan.kernels.ensembles.network import Ensemble
from redan.kernels.training.course import Batch, Course, train


def member(seed, width=16):
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 2))
    for weight in net.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.3
    return net


def rows(n=120):
    y = torch.arange(n) % 2
    # every column alone tells the class, so members may agree or look at different ones
    return 0.4 * torch.randn(n, 6, generator=torch.Generator().manual_seed(9)) + (2 * y[:, None] - 1), y


def alignment(members):
    x, y = rows()
    leaf = x.requires_grad_(True)
    slopes = [torch.autograd.grad(functional.cross_entropy(one(leaf), y), leaf)[0] for one in members]
    return functional.cosine_similarity(*slopes, dim=1).mean().detach().item()


def test_the_mean_of_the_logits_answers():
    members = [member(1), member(2), member(3)]
    x, _ = rows()
    torch.testing.assert_close(Ensemble(members)(x), (members[0](x) + members[1](x) + members[2](x)) / 3)


def test_a_random_member_answers_each_call():
    members, (x, _) = [member(1), member(2)], rows()
    ensemble = Ensemble(members, answer="random", seed=3)
    single = [one(x) for one in members]
    answers = [ensemble(x) for _ in range(20)]
    assert {next(i for i, one in enumerate(single) if torch.equal(one, answer)) for answer in answers} == {0, 1}


@pytest.mark.parametrize("diversity", [0.0, 0.7])
def test_the_loss_is_the_sum_of_the_members_plus_the_price(diversity):
    ensemble, (x, y) = Ensemble([member(1), member(2)]), rows()
    batch = Batch(rows=torch.arange(len(x)), inputs=x, labels=y, share=0.5)
    loss = jointly(ensemble, lambda given: given.inputs, diversity)(batch)
    losses = sum(functional.cross_entropy(one(x), y) for one in ensemble.members)
    # of two members there is one pair, whose smooth maximum is its cosine
    torch.testing.assert_close(
        loss.detach().item(), losses.detach().item() + diversity * alignment(ensemble.members), rtol=1e-4, atol=1e-5
    )


def test_a_price_on_agreement_makes_gradients_point_apart():
    found = {}
    for price in (0.0, 1.0):
        ensemble, (x, y) = Ensemble([member(1), member(2)]), rows()
        lesson = jointly(ensemble, lambda given: given.inputs, price)
        course = Course(epochs=30, batch_size=40, learning_rate=0.01)
        train(ensemble, x, y, lesson, course, generator=torch.Generator().manual_seed(0), watch=Watch())
        assert (ensemble(x).argmax(1) == y).float().mean() > 0.85
        found[price] = alignment(ensemble.members)
    assert found[1.0] < found[0.0] - 0.2
