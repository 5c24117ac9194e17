"""Few-shot episodes: a handful of classes, a few rows of each to learn from, others to be asked about.

Source: Vinyals et al., "Matching networks for one shot learning", NeurIPS 2016, section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One small task; its classes are numbered anew from 0."""

    support: Tensor
    """Inputs to learn from, shape (ways * shots, ...)."""
    support_labels: Tensor
    """Their classes, int64."""
    query: Tensor
    """Inputs to be asked about, shape (ways * queries, ...)."""
    query_labels: Tensor
    """Their classes, int64."""
    rows: Tensor
    """Places of the queries in the data, int64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Size of an episode."""

    ways: int
    """Classes."""
    shots: int
    """Rows of each class to learn from."""
    queries: int
    """Rows of each class to be asked about."""


class Sampler:
    """Draws episodes from data.

    Args:
        inputs: shape (n, ...).
        labels: classes, int64, shape (n,).
        task: size of an episode.
        generator: draws classes and rows.

    Raises:
        UsageError: too few classes have enough rows.
    """

    __slots__ = ("_classes", "_generator", "_inputs", "_task")

    def __init__(self, inputs: Tensor, labels: Tensor, task: Task, generator: torch.Generator) -> None:
        places = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
        self._classes = [rows for rows in places if len(rows) >= task.shots + task.queries]
        self._inputs, self._task, self._generator = inputs, task, generator
        if len(self._classes) < task.ways:
            raise UsageError(
                f"{len(self._classes)} classes have the {task.shots + task.queries} rows that an episode takes of "
                f"each; expected at least {task.ways}",
                hint="give more rows, or smaller ways=, shots= or queries=",
            )

    def draw(self) -> Episode:
        """Return the next episode."""
        task = self._task
        chosen = torch.randperm(len(self._classes), generator=self._generator)[: task.ways]
        taken = [self._rows(self._classes[int(place)]) for place in chosen]
        support = torch.cat([rows[: task.shots] for rows in taken])
        query = torch.cat([rows[task.shots :] for rows in taken])
        numbers = torch.arange(task.ways)
        return Episode(
            support=self._inputs[support],
            support_labels=numbers.repeat_interleave(task.shots),
            query=self._inputs[query],
            query_labels=numbers.repeat_interleave(task.queries),
            rows=query,
        )

    def _rows(self, rows: Tensor) -> Tensor:
        count = self._task.shots + self._task.queries
        return rows[torch.randperm(len(rows), generator=self._generator)[:count]]
