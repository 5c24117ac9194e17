"""Reading layers: which, how many columns, and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from redan.core.errors import ShapeMismatch
from redan.kernels.backdoors.features import (
    MOST_COLUMNS,
    MOST_LAYERS,
    chosen_layers,
    columns,
    layer_features,
    layers_in_order,
)


def small() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 3)
        )


def test_only_maps_are_read_where_there_are_maps() -> None:
    net, rows = small(), torch.rand(5, 1, 8, 8)
    layers = chosen_layers(layers_in_order(net, net, rows))
    assert layers == [net[2]]
    (read,) = layer_features(net, iter([rows[:3], rows[3:]]), layers)
    assert read.shape == (5, 4 * 4 * 4)
    expected = nn.functional.adaptive_avg_pool2d(net[1](net[0](rows)), 4).flatten(1)
    assert torch.allclose(torch.from_numpy(read), expected)
    assert not any(layer._forward_pre_hooks for layer in net.modules())


def test_vectors_are_read_where_there_are_no_maps_and_few_layers_of_many() -> None:
    net = nn.Sequential(nn.Flatten(), *(nn.Linear(8, 8) for _ in range(9)))
    layers = chosen_layers(layers_in_order(net, net, torch.rand(2, 8)))
    assert len(layers) == MOST_LAYERS
    assert layers[-1] is net[-1]
    assert net[1] not in layers


def test_a_hook_is_removed_when_the_model_raises() -> None:
    net = small()

    def broken(_: torch.Tensor) -> None:
        msg = "no"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="no"):
        layers_in_order(net, broken, torch.rand(2, 1, 8, 8))
    assert not any(layer._forward_pre_hooks for layer in net.modules())


def test_one_layer_has_nothing_inside() -> None:
    net = nn.Linear(4, 2)
    with pytest.raises(ShapeMismatch, match="1 linear or convolutional"):
        layers_in_order(net, net, torch.rand(2, 4))


@pytest.mark.parametrize("shape", [(7, 500), (7, 3, 5, 5), (7, 600, 2, 2), (7, 9, 40), (7, 1)])
def test_columns_are_bounded(shape: tuple[int, ...]) -> None:
    assert columns(torch.rand(shape)).shape[0] == 7
    assert columns(torch.rand(shape)).shape[1] <= MOST_COLUMNS


def test_wide_rows_keep_their_distances_about() -> None:
    rows = torch.randn(20, 4000, generator=torch.Generator().manual_seed(0))
    narrow = columns(rows)
    assert torch.allclose(narrow.norm(dim=1) / rows.norm(dim=1), torch.ones(20), atol=0.25)
