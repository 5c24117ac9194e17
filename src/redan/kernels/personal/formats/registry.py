"""Every format that is known, in one order."""

from __future__ import annotations

from redan.kernels.personal.formats import america, asia_pacific, dates, europe, kingdom, money, phone
from redan.kernels.personal.formats.format import Format
from redan.kernels.personal.formats.net import FINDERS

FORMATS: tuple[Format, ...] = (
    *money.FORMATS,
    *america.FORMATS,
    *kingdom.FORMATS,
    *europe.FORMATS,
    *asia_pacific.FORMATS,
    *phone.FORMATS,
    *dates.FORMATS,
)
"""In order of preference where two of equal strength fit one place."""

PERSONS = frozenset(
    {*(each.kind for each in FORMATS if each.is_person), *(each.kind for each in FINDERS if each.is_person)}
)
"""Kinds that tell of one person."""


def titles() -> dict[str, str]:
    """Return kind → what it is, in words."""
    return {**{each.kind: each.title for each in FINDERS}, **{each.kind: each.title for each in FORMATS}}
