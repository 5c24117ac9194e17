"""One shared update attacked by every means there is, as its receiver would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.kernels.gradient_leakage.closed_form import Door, rows_of, seen_by
from redan.kernels.gradient_leakage.features import unfolded
from redan.kernels.gradient_leakage.labels import classes_of, last_bias
from redan.kernels.gradient_leakage.matching import Matching, distance, match
from redan.kernels.gradient_leakage.updates import update_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from redan.kernels.gradient_leakage.updates import Update

EXACT = 1e-5
"""Distance of an update below which nothing is left to search for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Receiver:
    """Whoever receives updates: knows the network and the range of values.

    Attributes:
        net: the network at the time of the update, in evaluation mode.
        door: its first linear layer, if that sees rows.
        shape: of one input.
        low: lowest value, a scalar or of the shape of one input.
        high: highest value.
        n_classes: how many.
        unfold_steps: steps of the search for what lies before the first linear layer.
        matching: the search by gradients.
    """

    net: nn.Module
    door: Door | None
    shape: tuple[int, ...]
    low: Tensor
    high: Tensor
    n_classes: int
    unfold_steps: int
    matching: Matching


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconstructed:
    """What was made of one update.

    Attributes:
        rows: (k, …) candidates; for an update of one row there is one.
        classes: (n,) classes read off the last bias, in ascending order; None where it cannot be.
        by: ``closed form``, ``features``, ``gradients``, or several.
        partial: whether a search was cut short.
    """

    rows: Tensor
    classes: Tensor | None
    by: str
    partial: bool


def reconstruct(
    receiver: Receiver, shared: Update, known_classes: Tensor, start: Tensor, stop: Callable[[], str | None]
) -> Reconstructed:
    """Reconstruct the rows of one update.

    For one row the reconstruction whose own update lies nearest to the shared one is chosen, which needs no knowledge
    of the row. For a batch all candidates are given.

    Args:
        receiver: what the attacker knows.
        shared: the update, as it was sent.
        known_classes: (n,) classes that are assumed where they cannot be read off.
        start: (n, …) draws between 0 and 1 where the search by gradients begins.
        stop: asked before each step.
    """
    n = len(start)
    bias = last_bias(shared, receiver.n_classes)
    classes = None if bias is None else classes_of(bias, n)
    assumed = known_classes if classes is None else classes
    found = _through_door(receiver, shared, assumed, stop)
    if n > 1 or not found or found[0][2] > EXACT:
        bounds = (receiver.low, receiver.high)
        matched = match(receiver.net, shared, assumed, start, bounds, receiver.matching, stop)
        found.append(("gradients", matched.x, matched.distance))
    if n == 1:
        found = [min(found, key=lambda each: each[2])]
    return Reconstructed(
        rows=torch.cat([rows for _, rows, _ in found]),
        classes=classes,
        by=" and ".join(name for name, _, _ in found),
        partial=bool(stop()),
    )


def _through_door(
    receiver: Receiver, shared: Update, classes: Tensor, stop: Callable[[], str | None]
) -> list[tuple[str, Tensor, float]]:
    """Return what the first linear layer gives: name of the means, candidates, and their distance for one row."""
    door, n = receiver.door, len(classes)
    if door is None:
        return []
    seen = seen_by(shared, door, most=0 if n == 1 else 4 * n)
    if door.shift is not None:
        name, rows = "closed form", rows_of(seen, door, receiver.shape)
    else:
        name = "features"
        bounds = (receiver.low, receiver.high)
        rows = unfolded(receiver.net, door, seen, receiver.shape, bounds, receiver.unfold_steps, stop)
    rows = rows.clamp(min=receiver.low, max=receiver.high)
    return [(name, rows, _apart(receiver, shared, rows, classes) if n == 1 else 0.0)]


def _apart(receiver: Receiver, shared: Update, rows: Tensor, classes: Tensor) -> float:
    """Return the distance of the update of one row to the shared one."""
    return float(distance(update_of(receiver.net, rows, classes), shared))
