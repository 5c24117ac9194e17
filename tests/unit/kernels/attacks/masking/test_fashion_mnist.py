"""The published bar: four defences around a natural net, each flagged and broken; the net itself is not flagged."""

from __future__ import annotations

import gzip

import pytest
import torch
from torch import nn

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.masking.suite import examine

N = 20


class FashionCNN(nn.Module):
    """The net the shared weights belong to."""

    def __init__(self, defence):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 4, stride=2, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 100)
        self.fc2 = nn.Linear(100, 10)
        self.defence = defence

    def plain(self, x):
        hidden = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.fc2(torch.relu(self.fc1(hidden.flatten(1))))

    def forward(self, x):
        return self.defence(self.plain, x)


DEFENCES = {
    "scale": lambda net, x: net(x) * 1000,
    "quant": lambda net, x: net(torch.round(x * 7) / 7),
    "noise": lambda net, x: net(x + 0.1 * torch.randn_like(x)),
    "soft": lambda net, x: torch.softmax(net(x) * 20, 1),
}


def idx(path, header):
    with gzip.open(path) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


@pytest.fixture(scope="module")
def data(fashion_mnist):
    images = idx(fashion_mnist / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:N].float() / 255
    return images, idx(fashion_mnist / "t10k-labels-idx1-ubyte.gz", 8)[:N].long()


def look(shared, data, defence):
    model = FashionCNN(defence)
    model.load_state_dict(torch.load(shared / "models" / "fashion_cnn" / "std.pt", weights_only=True))
    keys = draws.sample_keys(0, "RDN-EVA-045", range(N))
    return examine(model, *data, ball=Ball(norm="linf", eps=0.1, box=Box(low=0.0, high=1.0)), keys=keys, seed=0)


@pytest.mark.parametrize("name", DEFENCES)
def test_each_defence_is_flagged_and_broken(shared, data, name):
    found = look(shared, data, DEFENCES[name])
    assert found.verdict == "masked"
    assert (~found.after).float().mean() <= 0.1, found.stages


def test_the_net_without_a_defence_is_not_flagged(shared, data):
    assert look(shared, data, lambda net, x: net(x)).verdict == "trustworthy"
