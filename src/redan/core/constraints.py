"""What may change in a row of a table, as its owner declares it: by the names of columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from math import isfinite, isnan
from typing import Any

from redan.core.errors import ConfigError
from redan.core.record import dataclass


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an attacker can change in a row of a table; nothing is declared when all is empty.

    A name may hold ``*`` and ``?`` and then stands for every column it fits. Columns without names are called ``0``,
    ``1`` and so on.
    """

    immutable: tuple[str, ...] = field(default=(), metadata=_help("Columns that nobody can change, such as an age."))
    integer: tuple[str, ...] = field(default=(), metadata=_help("Columns that hold whole numbers only."))
    one_hot: tuple[str | tuple[str, ...], ...] = field(
        default=(),
        metadata=_help('Groups of columns of which exactly one is 1: "city_*", or a list of columns for each group.'),
    )
    only_up: tuple[str, ...] = field(default=(), metadata=_help("Columns that can only grow."))
    only_down: tuple[str, ...] = field(default=(), metadata=_help("Columns that can only fall."))
    range: Mapping[str, tuple[float, float]] = field(
        default_factory=dict, metadata=_help("Column = [lowest, highest] legal value; inf and -inf where it is open.")
    )
    relations: tuple[str, ...] = field(
        default=(),
        metadata=_help('What must hold in a row, one column on the left: "total = net + tax", "used <= limit".'),
    )
    cost: Mapping[str, float] = field(
        default_factory=dict, metadata=_help("Column = what a change by one costs; for one-hot, becoming that one.")
    )
    most_cost: float | None = field(default=None, metadata=_help("Most that the changes of one row may cost."))

    def __post_init__(self) -> None:
        for name, (low, high) in self.range.items():
            if isnan(low) or isnan(high) or low > high:
                raise ConfigError(
                    f"[constraints] range of {name!r} is [{low:g}, {high:g}]; expected the lower end first",
                    hint=f"write {name} = [{high:g}, {low:g}]" if low > high else "write -inf or inf for an open end",
                )
        for name, cost in self.cost.items():
            if not isfinite(cost) or cost < 0:
                raise ConfigError(
                    f"[constraints] cost of {name!r} is {cost:g}; expected 0 or more",
                    hint="what nobody can change belongs to immutable",
                )
        if self.most_cost is not None and not (isfinite(self.most_cost) and self.most_cost >= 0):
            raise ConfigError(f"[constraints] most_cost is {self.most_cost:g}; expected 0 or more")
        if self.most_cost is not None and not self.cost:
            raise ConfigError("[constraints] most_cost is set and no cost is", hint="add [constraints.cost]")

    def __bool__(self) -> bool:
        """Whether anything is declared."""
        declared: list[Any] = [getattr(self, f.name) for f in fields(self)]
        return any(declared)
