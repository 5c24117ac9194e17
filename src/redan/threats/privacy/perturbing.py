"""A change of answers in front of any classifier with scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.errors import BudgetSpent
from redan.subjects.perturbed import PerturbedSubject

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.subject import Subject
    from redan.subjects.perturbed import Change, Scored


def perturbed(subject: Scored, change: Change, *, note: str, budget: Budget) -> Subject:
    """Put a change of its probabilities in front of a subject; the one given stays as it was.

    Args:
        subject: any classifier with scores.
        change: what happens to its probabilities.
        note: what was done.
        budget: asked once.

    Raises:
        BudgetSpent: there is nothing to spend.
    """
    if reason := budget.stop():
        raise BudgetSpent(f"the model was not wrapped: {reason}", hint="give a larger budget")
    return PerturbedSubject(subject, change, note=note)
