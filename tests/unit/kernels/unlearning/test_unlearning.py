"""Pruned channels stay out, perturbations stay in their ball, and a planted trigger is unlearnt."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from redan.kernels.attacks.watch import Watch
from redan.kernels.poisons.planting import badnets
from redan.kernels.training.course import Batch, Course, train
from redan.kernels.training.randomness import generator, own_randomness
from redan.kernels.unlearning.pruning import channels, keep_pruned, last_hidden, most_prunable, prune
from redan.kernels.unlearning.universal import Perturbations, unlearning

DATA, CLASSES = load_digits(return_X_y=True)
X = (DATA / 16).astype(np.float32).reshape(-1, 1, 8, 8)
WATCH = Watch(stop=lambda: None, progress=lambda *_: None)


def fitted(net: nn.Module, x: Any, y: Any, lesson: Callable[[Batch], torch.Tensor], epochs: int) -> None:
    course = Course(epochs=epochs, batch_size=64, learning_rate=5e-3)
    train(net, torch.from_numpy(x), torch.from_numpy(y), lesson, course, generator=generator(0, "order"), watch=WATCH)


def backdoored() -> Any:
    with own_randomness(0, "net"):
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10)
        )
    made = badnets(X[:1200], CLASSES[:1200], 0.1, 0, side=2)
    fitted(net, made.x, made.y, lambda b: cross_entropy(net(b.inputs), b.labels), 25)
    return net


NET: Any = backdoored()
STAMPED = badnets(X[1500:], CLASSES[1500:], 1.0, 0, side=2)


def success(net: nn.Module) -> float:
    with torch.no_grad():
        given = net(torch.from_numpy(STAMPED.x[STAMPED.mask])).argmax(1)
    return float((given == 0).float().mean())


def accuracy(net: nn.Module) -> float:
    with torch.no_grad():
        return float((net(torch.from_numpy(X[1500:])).argmax(1).numpy() == CLASSES[1500:]).mean())


def test_the_trigger_is_planted() -> None:
    assert success(NET) > 0.9
    assert accuracy(NET) > 0.85


def test_unlearning_takes_the_trigger_out() -> None:
    net: Any = copy.deepcopy(NET)
    against = Perturbations(held=torch.zeros(10, 1, 8, 8), radius=1.5, bounds=(0.0, 1.0))
    fitted(net, X[1200:1500], CLASSES[1200:1500], unlearning(net, against, generator(0, "classes")), 15)
    assert success(net) < 0.3
    assert accuracy(net) > accuracy(NET) - 0.06
    lengths = against.held.flatten(1).norm(dim=1)
    assert bool((lengths <= 1.5 + 1e-5).all())
    assert bool((lengths > 0.5).all())


def test_pruned_channels_stay_at_zero_while_the_rest_learns() -> None:
    net: Any = copy.deepcopy(NET)
    layer: Any = last_hidden(net, torch.from_numpy(X[:2]))
    chosen = torch.tensor([1, 4])
    prune(layer, chosen)
    end = keep_pruned(layer, chosen)
    before = net[0].weight.detach().clone()
    fitted(net, X[1200:1500], CLASSES[1200:1500], lambda b: cross_entropy(net(b.inputs), b.labels), 2)
    end()
    assert id(layer) == id(net[0])
    assert bool((net[0].weight[chosen] == 0).all())
    assert bool((net[0].bias[chosen] == 0).all())
    assert not torch.equal(net[0].weight, before)


def test_channels_are_measured_by_their_positive_part() -> None:
    layer = last_hidden(NET, torch.from_numpy(X[:2]))
    found = channels(NET, layer, torch.from_numpy(X[:700]))
    with torch.no_grad():
        outputs = NET[0](torch.from_numpy(X[:700])).clamp_min(0).mean(dim=(0, 2, 3))
    assert torch.allclose(found.activation, outputs, atol=1e-5)


def test_pruning_ends_before_accuracy_falls_too_far() -> None:
    net: Any = copy.deepcopy(NET)
    found = channels(net, net[0], torch.from_numpy(X[1200:1500]))
    before = accuracy(net)
    gone = most_prunable(net, found, lambda: accuracy(net), 0.03, lambda: None)
    assert 0 <= len(gone) < 16
    assert accuracy(net) >= before - 0.03
