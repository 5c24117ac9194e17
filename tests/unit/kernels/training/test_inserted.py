"""Layers that are there only while a network is trained: what they do then, and that nothing of them stays."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from redan.core.errors import UsageError
from redan.kernels.training.inserted import batch_normalisation, dropout


class Functional(nn.Module):
    """Writes its activations as functions, and has a layer without bias."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, bias=False)
        self.dense = nn.Linear(4 * 6 * 6, 8)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(torch.relu(self.dense(torch.relu(self.conv(x)).flatten(1))))


def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Functional()


def rows(n=16):
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_dropout_works_in_training_mode_only_and_leaves_nothing():
    one, x = net(), rows()
    before = one(x)
    with torch.random.fork_rng(devices=[]), dropout(one, x[:2], 0.5) as layers:
        assert layers == 2
        torch.manual_seed(0)
        assert not torch.equal(one.train()(x), before)
        assert not torch.equal(one(x), one(x))
        assert torch.equal(one.eval()(x), before)
    assert torch.equal(one.train()(x), before)
    assert list(one.state_dict()) == list(net().state_dict())


def test_dropping_nothing_changes_nothing():
    one, x = net().train(), rows()
    before = one(x)
    with dropout(one, x[:2], 0.0):
        assert torch.equal(one(x), before)


def test_folded_normalisation_answers_as_the_layers_did_and_keeps_the_build():
    one, x = net(), rows()
    with batch_normalisation(one, x[:2]) as layers:
        assert layers == 2
        optimiser = torch.optim.SGD(one.parameters(), lr=0.5)
        for _ in range(20):
            optimiser.zero_grad()
            one.train()(x).square().mean().backward()
            optimiser.step()
        assert not torch.equal(one(x), one(x[torch.arange(16) % 3])[:16])
        normalised = one.eval()(x)
        weights = copy.deepcopy(one.state_dict())
    torch.testing.assert_close(one(x), normalised, rtol=1e-4, atol=1e-5)
    assert any("normalised_while_trained" in name for name in weights)
    assert set(one.state_dict()) == set(net().state_dict()) | {"conv.bias"}
    assert not [part for part in one.modules() if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d))]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 2)), "already"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), "no dense or convolutional layer"),
    ],
)
def test_networks_that_cannot_be_normalised_are_refused(network, words):
    with pytest.raises(UsageError, match=words), batch_normalisation(network, rows()[:2]):
        pass


def test_a_single_layer_has_nothing_to_drop():
    with (
        pytest.raises(UsageError, match="fewer than two"),
        dropout(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), rows(), 0.5),
    ):
        pass
