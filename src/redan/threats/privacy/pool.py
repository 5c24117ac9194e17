"""The records that membership is asked about: some that the model learned from, some that it did not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.kernels.draws import sample_keys, uniform
from redan.subjects.fit import check_fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.core.subject import Subject

LEAST = 20
"""Records on a side below which nothing is said."""
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Records of both sides, members first.

    Attributes:
        data: all of them; ``indices`` are positions in the pool, unique.
        member: (n,) bool, whether the model learned from the record.
        source: (n,) position of each record in the data it came from.
    """

    data: Dataset
    member: NDArray[np.bool_]
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.member)

    @property
    def names(self) -> list[str]:
        """``train 12`` or ``test 3`` for each record."""
        return [f"{'train' if m else 'test'} {k}" for m, k in zip(self.member, self.source, strict=True)]


def pool_of(subject: Subject, inputs: Inputs, records: int, spec: Spec, seed: int) -> Pool:
    """Draw records of both sides, each as likely as any other and independent of the order of the rows.

    Args:
        subject: the model, asked about a few rows to see that data fit.
        inputs: ``train`` holds what it learned from, ``test`` what it did not.
        records: at most this many of each side.
        spec: the probe, for the draws.
        seed: root seed.

    Raises:
        ShapeMismatch: model and data do not fit, NaN or infinity, or too few rows.
        UsageError: a role is missing, or ``records`` is too small.
    """
    if records < LEAST:
        raise UsageError(f"records is {records}; membership needs at least {LEAST} on each side")
    sides = [_drawn(subject, inputs.role(name), records, spec, seed) for name in ("train", "test")]
    train, test = sides
    if train.x.shape[1:] != test.x.shape[1:]:
        raise ShapeMismatch(f"rows of train are {train.x.shape[1:]} and rows of test {test.x.shape[1:]}")
    n = len(train) + len(test)
    data = replace(
        train,
        x=np.concatenate([train.x, test.x]),
        y=np.concatenate([np.asarray(train.y, np.int64), np.asarray(test.y, np.int64)]),
        name=f"{train.name} and {test.name}",
        sha256="",
        indices=np.arange(n),
        groups={},
    )
    source = np.concatenate([train.indices, test.indices]).astype(np.int64)
    return Pool(data=data, member=np.arange(n) < len(train), source=source)


def _drawn(subject: Subject, data: Dataset, records: int, spec: Spec, seed: int) -> Dataset:
    check_fit(subject, data)
    if len(data) < LEAST:
        raise ShapeMismatch(
            f"{data.name!r} has {len(data)} rows; membership needs at least {LEAST} on each side",
            hint="use more rows: --limit",
        )
    draws = uniform(sample_keys(seed, spec.id, data.indices), (), stream=0)
    chosen = np.argsort(draws, kind="stable")[:records]
    # the order of the source, so that trainings do not depend on the order in which rows were given
    some = data.rows(chosen[np.argsort(data.indices[chosen], kind="stable")])
    if some.x.dtype.kind == "f" and not np.isfinite(some.x).all():
        raise ShapeMismatch(f"{data.name!r} holds NaN or infinity", hint="remove those rows")
    return some


def asked(
    question: Callable[[NDArray[np.generic], NDArray[np.int64]], NDArray[np.float64]],
    pool: Pool,
    spec: Spec,
    budget: Budget,
    observe: Observer,
    *,
    queries: int = 1,
) -> NDArray[np.float64]:
    """Ask the model about all records, in batches.

    Args:
        question: called with inputs and classes of a batch; returns one number a row.
        pool: the records.
        spec: the probe.
        budget: asked before each batch.
        observe: told how many are done.
        queries: what a row costs.

    Raises:
        BudgetSpent: before all were asked: a part of the records would be a part of one side.
    """
    found = []
    observe.started(spec.name, len(pool))
    for start in range(0, len(pool), BATCH):
        if reason := budget.stop():
            raise BudgetSpent(f"{start} of {len(pool)} records were asked: {reason}", hint="give a larger budget")
        part = slice(start, start + BATCH)
        x, y = pool.data.x[part], pool.data.y[part]
        budget.charge(queries=queries * len(x))
        found.append(question(x, y))
        observe.advanced(spec.name, start + len(x), len(pool))
    observe.finished(spec.name)
    return np.concatenate(found)
