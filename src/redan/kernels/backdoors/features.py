"""What a network's layers say about rows: one pass, and a bounded number of columns for each layer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from redan.core.errors import ShapeMismatch
from redan.kernels.draws import integers, sample_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
MOST_LAYERS = 4
MOST_COLUMNS = 160
"""Columns kept of one layer; more hide a faint component rather than show it."""
MOST_CELLS = 4
"""Cells along each side of the grid that a map is averaged over: where a trigger lies is kept, not exactly."""


def layers_in_order(net: nn.Module, ask: Callable[[Tensor], Any], sample: Tensor) -> list[tuple[nn.Module, int]]:
    """Return the linear and convolutional layers of a net, in the order in which they first run, and what they take.

    Args:
        net: the module that holds the layers.
        ask: calls it, with whatever stands before it.
        sample: (n, …) rows to run.

    Returns:
        Layers with the number of dimensions of their input: 4 is a batch of maps.

    Raises:
        ShapeMismatch: fewer than two run, so that nothing lies between input and output.
    """
    order: dict[nn.Module, int] = {}

    def met(layer: nn.Module, inputs: Any) -> None:
        order.setdefault(layer, inputs[0].ndim)

    hooks = [layer.register_forward_pre_hook(met) for layer in net.modules() if isinstance(layer, LAYERS)]
    try:
        with torch.no_grad():
            ask(sample)
    finally:
        for hook in hooks:
            hook.remove()
    if len(order) < 2:
        raise ShapeMismatch(
            f"{len(order)} linear or convolutional layers run; expected two or more, whose activations are looked at",
            hint="this needs a torch network with a hidden layer",
        )
    return list(order.items())


def chosen_layers(order: list[tuple[nn.Module, int]]) -> list[nn.Module]:
    """Return at most `MOST_LAYERS` layers whose inputs are read, evenly spread, the last one among them.

    The first layer is left out: its input is the row itself. Where a net has maps, what is no map is left out too:
    there each class is split by what it shows anyway, and by cells that hardly ever fire.
    """
    inner = order[1:]
    maps = [layer for layer, dimensions in inner if dimensions == 4] or [layer for layer, _ in inner]
    places = np.linspace(0, len(maps) - 1, min(len(maps), MOST_LAYERS))
    return [maps[place] for place in sorted({round(float(p)) for p in places})]


def layer_features(
    ask: Callable[[Tensor], Any], batches: Iterator[Tensor], layers: list[nn.Module]
) -> list[NDArray[np.float32]]:
    """Read what enters each layer, for all rows in one pass.

    Args:
        ask: calls the net that holds the layers.
        batches: (m, …) rows at a time.
        layers: distinct layers; of one that runs several times in a call the last input counts.

    Returns:
        For each layer (n, d) with d at most `MOST_COLUMNS`, or (0, 0) where there was no batch.
    """
    parts: list[list[NDArray[np.float32]]] = [[] for _ in layers]
    for rows in batches:
        with _reading(layers) as seen, torch.no_grad():
            ask(rows)
        for part, layer in zip(parts, layers, strict=True):
            part.append(columns(seen[layer]).numpy())
    return [np.concatenate(part) if part else np.zeros((0, 0), np.float32) for part in parts]


@contextmanager
def _reading(layers: list[nn.Module]) -> Iterator[dict[nn.Module, Tensor]]:
    seen: dict[nn.Module, Tensor] = {}

    def keep(layer: nn.Module, inputs: Any) -> None:
        seen[layer] = inputs[0].detach()

    hooks = [layer.register_forward_pre_hook(keep) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def columns(values: Tensor) -> Tensor:
    """Reduce activations (n, …) to (n, d), d at most `MOST_COLUMNS`.

    A map (n, c, h, w) is averaged over a grid; tokens (n, t, d) and sequences are averaged over their places; what is
    then still too wide is summed into fewer columns with fixed random signs.
    """
    if values.ndim == 4:
        cells = max(1, min(MOST_CELLS, *values.shape[2:], int((MOST_COLUMNS / values.shape[1]) ** 0.5)))
        values = functional.adaptive_avg_pool2d(values, cells)
    elif values.ndim == 3:
        values = values.mean(dim=1)
    flat = values.flatten(1).float().cpu()
    return flat if flat.shape[1] <= MOST_COLUMNS else _sketched(flat)


def _sketched(flat: Tensor) -> Tensor:
    """Count sketch: each column is added to one of `MOST_COLUMNS` with a sign; inner products stay what they were.

    Source: Charikar, Chen & Farach-Colton 2002, "Finding frequent items in data streams", section 3.
    """
    keys, width = sample_keys(0, "backdoors.sketch", [0]), (flat.shape[1],)
    place = torch.from_numpy(integers(keys, width, MOST_COLUMNS, stream=0)[0])
    sign = torch.from_numpy(2 * integers(keys, width, 2, stream=1)[0] - 1).to(flat)
    return torch.zeros(len(flat), MOST_COLUMNS).index_add_(1, place, flat * sign)
