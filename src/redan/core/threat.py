"""A threat: the question it answers, and the one place where its numbers become a severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from redan.core.finding import Severity

if TYPE_CHECKING:
    from redan.core.finding import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Thresholds of one quantity, worst first.

    Attributes:
        quantity: name of the quantity that is judged.
        steps: (threshold, severity) from worst to mildest. For a quantity where higher is better the severity
            applies when the pessimistic end is below the threshold, else when it is at or above it.
        otherwise: severity when no step applies.
    """

    quantity: str
    steps: tuple[tuple[float, Severity], ...]
    otherwise: Severity = Severity.INFO

    def severity(self, measured: Quantity) -> Severity:
        """Judge a quantity from the pessimistic end of its interval."""
        value = measured.pessimistic
        for threshold, severity in self.steps:
            if value < threshold if measured.better == "higher" else value >= threshold:
                return severity
        return self.otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """What can go wrong, as the owner of a model would ask it.

    Attributes:
        id: folder name under ``threats/``.
        question: what the user wants to know.
        applies_when: one sentence on when the threat is real.
        references: ATLAS, OWASP and CWE identifiers.
        scales: how numbers become severities.
    """

    id: str
    question: str
    applies_when: str
    references: tuple[str, ...] = ()
    scales: tuple[Scale, ...] = ()

    def severity(self, measured: Quantity) -> Severity:
        """Judge a quantity by this threat's scale for it; INFO when none is defined."""
        scale = next((s for s in self.scales if s.quantity == measured.name), None)
        return scale.severity(measured) if scale else Severity.INFO
