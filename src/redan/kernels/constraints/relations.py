"""Linear relations between columns, one column alone on the left: ``total = net + 2 * tax``, ``used <= limit``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ConfigError

Sign = Literal["=", "<=", ">="]

_HINT = 'write "total = net + 2 * tax" or "used <= limit"; names with spaces or signs stand between backticks'
_SIDES = re.compile(r"^(?P<left>`[^`]+`|[^`<>=]+?)\s*(?P<sign><=|>=|=)\s*(?P<right>[^<>=]+)$")
_TERM = re.compile(
    r"\s*(?P<plus>[+-])?\s*(?:(?P<factor>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?P<times>\*)?)?\s*"
    r"(?P<name>`[^`]+`|[^\W\d][^\s+\-*`]*)?\s*"
)
MOST_CHARACTERS = 10_000
"""Longest relation that is read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relation:
    """``row[left]  sign  row @ factors + constant``.

    Attributes:
        text: as it was declared.
        left: index of the column on the left.
        sign: what must hold.
        factors: (d,) factor of each column on the right; that of the left column is 0.
        constant: added on the right.
    """

    text: str
    left: int
    sign: Sign
    factors: NDArray[np.float64]
    constant: float

    def right(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the right side of rows (n, d), (n,)."""
        used = np.flatnonzero(self.factors)
        # columns outside the relation may be NaN
        value: NDArray[np.float64] = x[:, used] @ self.factors[used] + self.constant
        return value

    def excess(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much rows (n, d) miss it beyond rounding, (n,); 0 where it holds, NaN where a cell is NaN."""
        right = self.right(x)
        gap = x[:, self.left] - right
        missed = np.abs(gap) if self.sign == "=" else np.maximum(gap if self.sign == "<=" else -gap, 0.0)
        used = np.flatnonzero(self.factors)
        scale = np.abs(x[:, self.left]) + np.abs(x[:, used]) @ np.abs(self.factors[used]) + abs(self.constant)
        slack = 1e-6 * scale + 1e-9
        return np.where(missed > slack, missed, np.where(np.isnan(missed), np.nan, 0.0))

    def mended(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value of the left column that makes the relation hold in rows (n, d), (n,)."""
        return self.right(x)


def parse(text: str, place: Callable[[str], int], d: int) -> Relation:
    """Read a relation.

    Args:
        text: as people write it.
        place: column name → its index; raises what an unknown name raises.
        d: number of columns.

    Raises:
        ConfigError: it is none.
    """
    sides = _SIDES.match(text.strip()) if len(text) <= MOST_CHARACTERS else None
    if sides is None:
        raise ConfigError(f"{text[:80]!r} is no relation between columns", hint=_HINT)
    left = place(sides["left"].strip().strip("`"))
    factors, constant = _sum(text, sides["right"].strip(), place, d)
    if factors[left]:
        raise ConfigError(f"{text!r} has its left column on the right too", hint=_HINT)
    return Relation(text=text, left=left, sign=cast("Sign", sides["sign"]), factors=factors, constant=constant)


def _sum(text: str, right: str, place: Callable[[str], int], d: int) -> tuple[NDArray[np.float64], float]:
    factors, constant, at = np.zeros(d), 0.0, 0
    while at < len(right):
        term = _TERM.match(right, at)
        if term is None or term.end() == at or not _whole(term, first=at == 0):
            raise ConfigError(f"{text!r} cannot be read from {right[at:][:40]!r} on", hint=_HINT)
        value = float(term["factor"] or 1.0) * (-1.0 if term["plus"] == "-" else 1.0)
        if term["name"]:
            factors[place(term["name"].strip("`"))] += value
        else:
            constant += value
        at = term.end()
    return factors, constant


def _whole(term: re.Match[str], *, first: bool) -> bool:
    """Whether it is a number, a name or number * name, with a sign before it unless it is the first."""
    if not (first or term["plus"]):
        return False
    number, name = term["factor"] is not None, term["name"] is not None
    return (number or name) and bool(term["times"]) == (number and name)
