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
        clean: accuracy on the rows that candidates are compared on.
        worth: what the probe of the threat measures there; it says itself which way is better.
        latency_s: CPU seconds a row.
        training_cpu_s: CPU seconds that making it took.
        note: what was done, one line.
    """

    name: str
    rule: str
    subject: Subject
    clean: Quantity
    worth: Quantity
    latency_s: Quantity
    training_cpu_s: float
    note: str


def front(found: Sequence[Alternative]) -> tuple[Alternative, ...]:
    """Return those that no other beats in clean accuracy or in worth without being worse in the other."""
    return tuple(one for one in found if not any(_beats(other, one) for other in found))


def _beats(one: Alternative, other: Alternative) -> bool:
    a, b = (one.clean.value, signed(one.worth)), (other.clean.value, signed(other.worth))
    return a != b and a[0] >= b[0] and a[1] >= b[1]


def signed(worth: Quantity) -> float:
    """Return the value so that more is better."""
    return -worth.value if worth.better == "lower" else worth.value


def choose(found: Sequence[Alternative], *, clean_loss: float) -> Alternative:
    """Take the best worth among those that give up at most so much clean accuracy.

    Between equals the higher clean accuracy wins, then the lower training cost. The original, which comes first, is
    among them: it is taken when nothing is better.

    Args:
        found: the original, then the candidates.
        clean_loss: most clean accuracy to give up, a fraction.
    """
    floor = found[0].clean.value - clean_loss - 1e-12
    allowed = [one for one in front(found) if one.clean.value >= floor]
    return max(allowed, key=lambda one: (signed(one.worth), one.clean.value, -one.training_cpu_s))


def rule_in_words(clean_loss: float, worth: Quantity) -> str:
    """Say how `choose` chooses."""
    best = f"the {'lowest' if worth.better == 'lower' else 'highest'} {worth.name.replace('_', ' ')}"
    return (
        f"taken is {best} on the rows that candidates are compared on, among those on the front that give up at most "
        f"{100 * clean_loss:g} points of clean accuracy"
    )


def shown(worth: Quantity) -> str:
    """Write a value as people read its unit."""
    return f"{100 * worth.value:.1f} %" if worth.unit == "fraction" else f"{worth.value:.3f}"
