"""Reference models: trained like the model under attack, on halves of the records in question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import BudgetSpent, CapabilityMissing, ShapeMismatch, Skipped, UsageError
from redan.core.seeds import derive
from redan.kernels.draws import sample_keys, uniform
from redan.kernels.inference.confidence import margins
from redan.kernels.inference.halves import halves
from redan.subjects.recipes import Pace, recipe_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.core.recipe import Recipe
    from redan.core.subject import Scores, Subject
    from redan.threats.privacy.pool import Pool

    class Scored(Subject, Scores):
        """A subject with scores."""


MOST = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class References:
    """What reference models say of the records.

    Attributes:
        said: (models, n) what each model says of each record.
        inside: (models, n) bool, whether the model learned from the record.
        told: whose recipe trained them, one sentence.
        partial: why there are fewer than asked for, else empty.
    """

    said: NDArray[np.float64]
    inside: NDArray[np.bool_]
    told: str
    partial: str = ""


def recipe_for(subject: Subject, inputs: Inputs, *, epochs: int) -> tuple[Recipe, str]:
    """Return how references are trained, and whose recipe it is.

    Raises:
        Skipped: the model cannot be trained anew and its owner gave no recipe.
        UsageError: ``epochs`` is below one.
    """
    if epochs < 1:
        raise UsageError(f"epochs is {epochs}; expected at least 1")
    try:
        return recipe_of(subject, inputs, Pace(epochs=epochs))
    except CapabilityMissing as err:
        raise Skipped(f"no reference models: {err.message}", hint=err.hint) from err


def count_of(references: int) -> int:
    """Return how many pairs of references that is.

    Raises:
        UsageError: not an even number from 2.
    """
    if references % 2 or not 2 <= references <= MOST:
        raise UsageError(
            f"references is {references}; expected an even number from 2 to {MOST}: they come in pairs, the second of "
            "a pair learns from what the first left out"
        )
    return references // 2


def trained(
    recipe: Recipe,
    told: str,
    pool: Pool,
    pairs: int,
    spec: Spec,
    said: Callable[[Any], NDArray[np.float64]],
    *,
    budget: Budget,
    seed: int,
    observe: Observer,
) -> References:
    """Train references on halves of the pool, in pairs, and ask each about every record.

    A pair that a budget interrupts is left out: with one of its two models a record would be outside or inside only.

    Args:
        recipe: how.
        told: whose recipe it is.
        pool: the records.
        pairs: pairs of models.
        spec: the probe.
        said: returns what a model says of each record of the pool, (n,).
        budget: asked before each training.
        seed: root seed.
        observe: told which one is trained.

    Raises:
        BudgetSpent: before the first pair was there.
        ShapeMismatch: a class has a single record, which no second half can hold.
        SubjectFailed: a training failed.
    """
    _check_classes(pool)
    keys = sample_keys(seed, spec.id, pool.data.indices)
    inside = halves([uniform(keys, (), stream=1 + pair) for pair in range(pairs)], pool.data.y)
    found: list[NDArray[np.float64]] = []
    reason = None
    for number, mask in enumerate(inside):
        reason = budget.stop()
        if reason:
            break
        observe.note(f"reference {number + 1} of {len(inside)}")
        model = recipe.fit(pool.data.rows(mask), budget=budget, seed=derive(seed, spec.id, number), observe=observe)
        found.append(said(model))
    else:
        reason = budget.stop()
    complete = len(found) // 2 * 2
    if complete == 0:
        raise BudgetSpent(f"no pair of reference models was trained: {reason}", hint="give a larger budget")
    return References(
        said=np.stack(found[:complete]),
        inside=inside[:complete],
        told=told,
        partial=f"{complete} of {len(inside)} reference models: {reason}" if reason else "",
    )


def _check_classes(pool: Pool) -> None:
    found, counts = np.unique(pool.data.y, return_counts=True)
    if (counts < 2).any():
        raise ShapeMismatch(
            f"class {int(found[counts < 2][0])} has one record; reference models on two halves need two of each class",
            hint="give more rows (--limit), or raise records",
        )


def odds(model: Any, pool: Pool) -> NDArray[np.float64]:
    """Return the log-odds of the true class of each record, by a model with scores."""
    return margins(model.scores(pool.data.x), pool.data.y, kind=model.score_kind)
