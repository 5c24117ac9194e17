"""What an attack follows instead of a masked gradient: same values, gradients that lead somewhere."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from redan.kernels.attacks.bpda import straight_through
from redan.kernels.attacks.eot import draws_needed, expectation, majority, own_randomness
from redan.kernels.attacks.rewriting import Rewriting
from redan.kernels.attacks.smoothing import smoothed


def gradient(model, x):
    leaf = x.clone().requires_grad_(True)
    out = model(leaf)
    (found,) = torch.autograd.grad(out[:, 0].sum(), leaf)
    return out.detach(), found


@pytest.mark.parametrize("classes", [2, 5])
def test_an_honest_model_keeps_its_values_and_gradients(net, images, classes):
    model, x = net(classes).eval(), images(6)
    values, slopes = gradient(model, x)
    repaired_values, repaired_slopes = gradient(straight_through(model), x)
    assert torch.equal(values, repaired_values)
    assert torch.equal(slopes, repaired_slopes)


STEPS = {
    "round": lambda x: torch.round(x * 5) / 5,
    "floor": lambda x: torch.floor(x * 5) / 5,
    "in place": lambda x: (x * 5).round_() / 5,
    "cast": lambda x: (x * 255).to(torch.uint8).float() / 255,
    "shift": lambda x: (((x * 255).long() >> 4) << 4) / 255,
    "threshold": lambda x: (x > 0.5).float(),
    "both thresholds": lambda x: ((x > 0.3) & ~(x > 0.7)).float() + (x > 0.7).float(),
    "where": lambda x: torch.where(x > 0.5, torch.ones_like(x), torch.zeros_like(x)),
    "sign": lambda x: torch.sign(x - 0.5),
    "detached": lambda x: x.detach() * 1.0,
    "data": lambda x: x.data + 0.0,
    "numpy": lambda x: torch.from_numpy(x.detach().numpy().round(1)) * 1.0,
    "list": lambda x: torch.tensor(x.tolist()),
    "look-up": lambda x: torch.linspace(0, 1, 5)[torch.bucketize(x.detach(), torch.linspace(0.1, 0.9, 4))],
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_keeps_its_values_and_points_uphill(images, name):
    x = images(4)
    weights = torch.linspace(-1, 1, 64).reshape(1, 8, 8)

    def model(points):
        score = (STEPS[name](points) * weights).flatten(1).sum(dim=1)
        return torch.stack([score, -score], dim=1)

    values, slopes = gradient(straight_through(model), x)
    assert torch.allclose(values, model(x), atol=1e-5)
    # the honest direction is that of the weights
    assert float(functional.cosine_similarity(slopes.flatten(1), weights.flatten()[None]).min()) > 0.5


def test_a_model_that_does_not_survive_being_rewritten_is_left_as_it_is(linear, images):
    net = linear(64, 3)

    def fragile(points):
        if points.detach().requires_grad:
            msg = "a model may insist on what detaching promises"
            raise ValueError(msg)
        return net(points.flatten(1))

    assert torch.equal(gradient(straight_through(fragile), images(2))[1], gradient(fragile, images(2))[1])


def test_a_block_without_gradient_gets_one_and_gradients_stay_off_outside(images):
    def model(points):
        with torch.no_grad():
            points = points * 2
        return points.flatten(1)

    _, slopes = gradient(straight_through(model), images(2))
    assert bool(slopes.any())
    with torch.no_grad():
        assert not straight_through(model)(images(2)).requires_grad


def test_scores_are_found_before_a_saturated_softmax(linear, images):
    net = linear(64, 5)

    def sharp(points):
        return torch.softmax(1000 * net(points.flatten(1)), dim=1)

    out, slopes = gradient(straight_through(sharp), images(4))
    assert torch.equal(out.argmax(1), sharp(images(4)).argmax(1))
    assert torch.allclose(slopes.flatten(1), 1000 * net.weight[0].expand(4, -1), rtol=1e-4)


def test_a_model_that_learns_while_it_answers_is_seen(linear, images):
    net = linear(64, 3)

    def purified(points):
        shift = torch.zeros_like(points, requires_grad=True)
        optimiser = torch.optim.SGD([shift], lr=0.1)
        for _ in range(2):
            optimiser.zero_grad()
            net((points.detach() + shift).flatten(1)).logsumexp(1).sum().backward()
            optimiser.step()
        return net((points + shift).flatten(1))

    seen = Rewriting(images(2).requires_grad_(True))
    with seen:
        purified(images(2).requires_grad_(True))
    assert seen.learned == 2


def test_differences_find_the_gradient_of_a_linear_model(linear, images):
    net = nn.Sequential(nn.Flatten(), linear(64, 3))
    _, slopes = gradient(smoothed(lambda p: net(p).detach(), width=0.1, pairs=2000, seed=0), images(2))
    _, true = gradient(net, images(2))
    assert float(functional.cosine_similarity(slopes.flatten(1), true.flatten(1)).min()) > 0.9


def test_the_majority_decides_and_not_the_mean():
    # two answers say class 0 by a little, one says class 1 by far
    answers = iter([torch.tensor([[1.0, 0.9]]), torch.tensor([[1.0, 0.9]]), torch.tensor([[0.0, 9.0]])])
    assert int(majority(lambda x: next(answers), torch.zeros(1), 3).argmax()) == 0


def test_one_logit_has_a_majority_too():
    answers = iter([torch.tensor([0.1]), torch.tensor([0.1]), torch.tensor([-9.0])])
    assert float(majority(lambda x: next(answers), torch.zeros(1), 3)) > 0


def test_more_noise_needs_more_draws(images):
    x = images(3)

    def noisy(scale):
        with own_randomness(0):
            return draws_needed(lambda: x + scale * torch.randn_like(x))

    assert noisy(0.01) <= noisy(1.0) < noisy(2.5) <= 32


def test_expected_gradients_are_less_noisy(images):
    def model(points):
        return (points * (1 + torch.randn_like(points))).flatten(1).sum(dim=1, keepdim=True).repeat(1, 2)

    with own_randomness(0):
        _, one = gradient(model, images(2))
        _, many = gradient(expectation(model, 30), images(2))
    assert float((many - 1).abs().mean()) < float((one - 1).abs().mean()) / 3


def test_a_model_draws_from_a_seed_and_the_global_generators_are_put_back():
    def draw():
        return float(torch.rand(1)), random.random(), float(np.random.random())  # noqa: NPY002  what models do

    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    with own_randomness(3):
        first = draw()
    with own_randomness(3):
        assert draw() == first
    with own_randomness(4):
        assert draw() != first
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()  # noqa: NPY002
