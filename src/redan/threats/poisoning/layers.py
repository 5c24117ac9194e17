"""What a network's layers say about training rows, as the probes that look for planted rows read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch, Skipped
from redan.subjects.fit import check_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset
    from redan.core.subject import Gradients, Labels, Subject, Trainable

    class Layered(Subject, Gradients, Labels, Trainable):
        """A torch subject whose layers can be read."""


BATCH = 500
MOST_ROWS = 60_000
"""Rows looked at, those with the smallest indices: memory stays below 400 MB whatever the data."""


def readable(subject: Subject, data: Dataset, *, least: int) -> Dataset:
    """Return the rows in the order of their indices, at most `MOST_ROWS`.

    Raises:
        ShapeMismatch: model and data do not fit, or values that are no finite numbers.
        Skipped: fewer than two classes have ``least`` rows.
    """
    check_fit(subject, data)
    ordered = data.rows(np.argsort(data.indices, kind="stable")[:MOST_ROWS])
    x: Any = np.asarray(ordered.x)
    if x.dtype.kind not in "biuf" or not np.isfinite(x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers; activations cannot be compared")
    if (np.unique(ordered.y, return_counts=True)[1] >= least).sum() < 2:
        raise Skipped(f"fewer than two classes of {data.name!r} have {least} rows, too few to compare", hint="--limit")
    return ordered


def layer_columns(subject: Layered, data: Dataset, budget: Budget, *, last: bool) -> list[NDArray[np.float32]]:
    """Read what enters the layers, (n, d) each; fewer rows when the budget ends.

    Args:
        subject: a torch network.
        data: rows.
        budget: asked before each batch.
        last: whether only the last layer's input is read.

    Raises:
        ShapeMismatch: the network has fewer than two linear or convolutional layers.
    """
    import torch

    from redan.kernels.backdoors.features import chosen_layers, layer_features, layers_in_order

    def batches() -> Iterator[torch.Tensor]:
        for start in range(0, len(data), BATCH):
            if budget.stop():
                return
            rows = np.array(data.x[start : start + BATCH])
            budget.charge(queries=len(rows))
            yield torch.from_numpy(rows)

    order = layers_in_order(subject.module, subject.logits, torch.from_numpy(np.array(data.x[:2])))
    layers = [order[-1][0]] if last else chosen_layers(order)
    return layer_features(subject.logits, batches(), layers)
