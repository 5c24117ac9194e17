"""Honest models of many kinds are not flagged: a false alarm would make the verdict worthless."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

cross_entropy = functional.cross_entropy


class Residual(nn.Module):
    """A convolutional net with a shortcut and batch norm."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Linear(512, 10)

    def forward(self, x):
        hidden = torch.relu(self.norm(self.first(x)))
        return self.last(torch.relu(hidden + self.second(hidden)).flatten(1))


def mlp(activation, outputs=10, width=32):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), activation, nn.Linear(width, outputs))


def cnn(*middle, outputs=10):
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *middle, nn.ReLU(), nn.Flatten(), nn.Linear(512, outputs))


def of_probabilities(p, y):
    return functional.nll_loss(p.clamp_min(1e-9).log(), y)


def one_logit(s, y):
    return functional.binary_cross_entropy_with_logits(s.reshape(-1), y.float())


MODELS = {
    "linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), cross_entropy, {}),
    "mlp": (lambda: mlp(nn.ReLU()), cross_entropy, {}),
    "tanh": (lambda: mlp(nn.Tanh()), cross_entropy, {}),
    "sigmoid units": (lambda: mlp(nn.Sigmoid()), cross_entropy, {}),
    "gelu and layer norm": (
        lambda: nn.Sequential(nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 10)),
        cross_entropy,
        {},
    ),
    "cnn": (cnn, cross_entropy, {}),
    "batch norm": (lambda: cnn(nn.BatchNorm2d(8)), cross_entropy, {}),
    "residual": (Residual, cross_entropy, {}),
    "max pooling": (
        lambda: nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)),
        cross_entropy,
        {},
    ),
    "dropout": (lambda: cnn(nn.Dropout(0.2)), cross_entropy, {}),
    "adversarially trained": (cnn, cross_entropy, {"eps": 0.1, "steps": 60}),
    "trained until it is sure": (lambda: mlp(nn.ReLU(), width=64), cross_entropy, {"steps": 300}),
    "two classes": (lambda: mlp(nn.ReLU(), outputs=2), cross_entropy, {"classes": 2}),
    "one logit": (lambda: mlp(nn.ReLU(), outputs=1), one_logit, {"classes": 2}),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_honest_model_is_not_flagged(trained, examined, name):
    make, loss, settings = MODELS[name]
    found = examined(
        trained(make(), loss, **settings), eps=0.1 if "eps" in settings else 0.2, classes=settings.get("classes", 10)
    )
    assert not [(check.name, check.value) for check in found.checks if check.flagged]
    assert found.verdict == "trustworthy"


def test_nor_is_one_under_the_euclidean_norm(trained, examined):
    make, loss, settings = MODELS["mlp"]
    found = examined(trained(make(), loss, **settings), norm="l2", eps=0.8)
    assert found.verdict == "trustworthy"


def test_half_precision_is_no_rounding(trained, examined):
    net = trained(mlp(nn.ReLU()), cross_entropy)

    def half(x):
        return net[3](torch.relu(net[1](x.flatten(1)))).bfloat16().float()

    found = examined(half)
    assert not [(check.name, check.value) for check in found.checks if check.flagged]
