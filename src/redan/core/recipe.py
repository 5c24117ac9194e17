"""Retraining as a value: data and configuration in, subject out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset
    from redan.core.progress import Observer
    from redan.core.subject import Subject


class Recipe(Protocol):
    """How a subject is trained, so that shadow models, hardening and DP can train it again."""

    @property
    def digest(self) -> str:
        """SHA-256 of code and configuration."""

    def fit(self, data: Dataset, *, budget: Budget, seed: int, observe: Observer) -> Subject:
        """Train on the data and return the subject.

        Raises:
            BudgetSpent: before a usable subject existed.
        """
