"""What a monitor of groups was told beforehand: the model, the groups, and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.threats.bias.people import MOST_COLUMNS

if TYPE_CHECKING:
    from redan.core.probe import Spec

MOST_GROUPS = 32
"""Of a column; the number of pairs decides how much evidence is asked for."""
RATES = ("selection_rate", "tpr", "fpr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What holds for one model.

    Attributes:
        subject: name of the model.
        model: its digest.
        columns: groups of each sensitive column, known beforehand.
        favourable: class that people want.
        allowed: difference of rates that is no finding.
        level: probability of ever raising a false finding, at most.
    """

    subject: str
    model: str
    columns: Mapping[str, tuple[str, ...]]
    favourable: int = 1
    allowed: float = 0.05
    level: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what cannot be watched.

        Raises:
            UsageError: too many columns or groups, or a number that is no share.
        """
        sizes = [len(groups) for groups in self.columns.values()]
        if not 1 <= len(sizes) <= MOST_COLUMNS or not all(2 <= size <= MOST_GROUPS for size in sizes):
            raise UsageError(
                f"{len(sizes)} columns with {sizes} groups; expected 1 to {MOST_COLUMNS} of 2 to {MOST_GROUPS} groups"
            )
        if not 0 <= self.allowed < 1 or not 0 < self.level < 1:
            raise UsageError(f"allowed={self.allowed:g}, level={self.level:g}; expected shares")

    @property
    def n_tests(self) -> int:
        """Pairs of groups times rates: what the level is shared among."""
        return len(RATES) * sum(len(groups) * (len(groups) - 1) // 2 for groups in self.columns.values())

    def about(self, spec: Spec) -> dict[str, Any]:
        """Return the words of the monitor's file."""
        return {
            "rule": spec.id,
            "subject": self.subject,
            "model": self.model,
            "columns": {name: list(groups) for name, groups in self.columns.items()},
            "favourable": self.favourable,
            "allowed": self.allowed,
            "level": self.level,
        }

    @classmethod
    def restored(cls, about: Mapping[str, Any], spec: Spec, model: str) -> Watched:
        """Read back what `about` gave.

        Raises:
            EvidenceError: it was made for another model.
            Unreadable: the file says something else.
        """
        try:
            if about["rule"] != spec.id:
                raise ValueError(f"it is {about['rule']}, not {spec.id}")
            found = cls(
                subject=str(about["subject"]),
                model=str(about["model"]),
                columns={str(name): tuple(map(str, groups)) for name, groups in about["columns"].items()},
                favourable=int(about["favourable"]),
                allowed=float(about["allowed"]),
                level=float(about["level"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError) as err:
            raise Unreadable(f"this is no {spec.name} monitor: {type(err).__name__} {err}") from err
        if found.model != model:
            raise EvidenceError(
                f"the {spec.name} monitor was made for model {found.model[:16]}, and this is {model[:16]}",
                hint="make one for this model",
            )
        return found
