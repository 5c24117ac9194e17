"""Training rows as the probes of this room see them: in a fixed order, as few columns, labels without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from redan.core.errors import ShapeMismatch
from redan.kernels.principal import principal
from redan.subjects.fit import check_fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset
    from redan.core.subject import Subject

BATCH = 500
Reads = Literal["features", "inputs"]
"""Whether rows are seen as what enters the model's last layer, or as they are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows of one data set, ordered by their place in its source.

    Attributes:
        data: the rows themselves.
        columns: (n, d) principal components of what was read, d at most 64.
        labels: (n,) classes renumbered from 0 without gaps.
        present: (k,) the class index that each renumbered class stands for.
        reads: what the columns come from.
        embed: maps other rows (m, …) to such columns.
    """

    data: Dataset
    columns: NDArray[np.float64]
    labels: NDArray[np.int64]
    present: NDArray[np.int64]
    reads: Reads
    embed: Callable[[NDArray[Any]], NDArray[np.float64]]


def rows_of(subject: Subject, data: Dataset, budget: Budget, *, least: int) -> Rows | None:
    """Read rows of a data set as columns; None when the budget is spent.

    Args:
        subject: a torch network shows what enters its last layer; else the rows themselves are read.
        data: the rows.
        budget: asked before each batch, and charged for each row that the model is asked about.
        least: how many rows are needed.

    Raises:
        ShapeMismatch: too few rows, values that are no finite numbers, or labels that do not fit the model.
    """
    check_fit(subject, data)
    x = np.asarray(data.x)
    if len(x) < least or x.dtype.kind not in "biuf" or not np.isfinite(x).all():
        raise ShapeMismatch(
            f"{data.name!r} has {len(x)} rows of {x.dtype}; expected at least {least} of finite numbers"
        )
    ordered = data.rows(np.argsort(data.indices, kind="stable"))
    read, reads = _reader(subject, ordered)
    parts = []
    for start in range(0, len(x), BATCH):
        if budget.stop():
            return None
        part = ordered.x[start : start + BATCH]
        budget.charge(queries=len(part))
        parts.append(read(part))
    seen = np.concatenate(parts)
    axes = principal(seen)
    present, labels = np.unique(ordered.y, return_inverse=True)

    def embed(rows: NDArray[Any]) -> NDArray[np.float64]:
        return axes.of(np.concatenate([read(rows[i : i + BATCH]) for i in range(0, len(rows), BATCH)]))

    return Rows(
        data=ordered, columns=axes.of(seen), labels=labels.astype(np.int64), present=present, reads=reads, embed=embed
    )


def _reader(subject: Any, data: Dataset) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], Reads]:
    if not {"gradients", "trainable"} <= subject.capabilities:
        return (lambda rows: np.asarray(rows, np.float32).reshape(len(rows), -1)), "inputs"
    import torch

    from redan.kernels.attacks.oracle import untouched
    from redan.kernels.detectors.penultimate import penultimate

    features = penultimate(subject.module, subject.logits, torch.from_numpy(np.array(data.x[:2])))

    def read(rows: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad(), untouched(subject.module):
            return np.asarray(features(torch.from_numpy(np.array(rows))).cpu().numpy())

    return read, "features"


def class_name(subject: Subject, data: Dataset, label: int) -> str:
    """Return a class's name, or its number where names are unknown."""
    names = subject.classes or data.classes
    return names[label] if 0 <= label < len(names) else str(label)
