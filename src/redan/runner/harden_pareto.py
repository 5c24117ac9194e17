"""Candidates of a hardening against each other: which are worth having, and which one is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.core.finding import Quantity
    from redan.core.subject import Subject

ORIGINAL = "as it was"
"""Name of the subject that nothing was done to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alternative:
    """A subject with what it is worth and what it costs.

    Attributes:
        name: the mitigation's name, or `ORIGINAL`.
        rule: the mitigation's identifier, empty for the original.
        subject: the subject itself.
        clean: clean accuracy on the validation rows.
        robust: robust accuracy on the validation rows.
        latency_s: CPU seconds a row.
        training_cpu_s: CPU seconds that making it took.
        note: what was done, one line.
    """

    name: str
    rule: str
    subject: Subject
    clean: Quantity
    robust: Quantity
    latency_s: Quantity
    training_cpu_s: float
    note: str


def front(found: Sequence[Alternative]) -> tuple[Alternative, ...]:
    """Return those that no other beats in clean or robust accuracy without being worse in the other."""
    return tuple(one for one in found if not any(_beats(other, one) for other in found))


def _beats(one: Alternative, other: Alternative) -> bool:
    a, b = (one.clean.value, one.robust.value), (other.clean.value, other.robust.value)
    return a != b and a[0] >= b[0] and a[1] >= b[1]


def choose(found: Sequence[Alternative], *, clean_loss: float) -> Alternative:
    """Take the highest robust accuracy among those that give up at most so much clean accuracy.

    Between equals the higher clean accuracy wins, then the lower training cost. The original, which comes first, is
    among them: it is taken when nothing is better.

    Args:
        found: the original, then the candidates.
        clean_loss: most clean accuracy to give up, a fraction.
    """
    floor = found[0].clean.value - clean_loss - 1e-12
    allowed = [one for one in front(found) if one.clean.value >= floor]
    return max(allowed, key=lambda one: (one.robust.value, one.clean.value, -one.training_cpu_s))


def rule_in_words(clean_loss: float) -> str:
    """Say how `choose` chooses."""
    return (
        f"taken is the highest robust accuracy on the validation rows among those on the front that give up at most "
        f"{100 * clean_loss:g} points of clean accuracy"
    )
