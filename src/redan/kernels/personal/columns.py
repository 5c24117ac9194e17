"""What the columns of a table tell of people: by what their cells are, and by what their heads say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from redan.core.record import dataclass
from redan.kernels.personal.formats.net import Strength
from redan.kernels.personal.recognise import Recogniser

MOST_CELLS = 200_000
"""Different cells of one column that are looked at."""

MOST_EXAMPLES = 3

_HEADS = {
    "name": r"(?:first|last|full|given|family|sur|middle|maiden|customer|patient|employee|client|user)[ _-]?names?"
    r"|names?|nom|prenom|vorname|nachname|apellidos?",
    "address": r"(?:home[ _-]?|street[ _-]?|postal[ _-]?|mailing[ _-]?)?address(?:[ _-]?\d)?|street|strasse|adresse",
    "postcode": r"zip(?:[ _-]?code)?|post(?:al)?[ _-]?code|plz",
    "birth": r"dob|(?:date[ _-]?of[ _-]?)?birth(?:[ _-]?(?:date|day|year))?|born|geburtsdatum",
    "email": r"e-?mail(?:[ _-]?address)?",
    "phone": r"(?:tele|mobile[ _-]?|home[ _-]?|work[ _-]?)?phone(?:[ _-]?(?:no|number))?|mobile|cell|fax",
    "position": r"lat(?:itude)?|lon(?:gitude)?|lng|gps",
    "origin": r"race|ethnicity|ethnic[ _-]?origin|nationality",
    "belief": r"religion|political[ _-]?\w+|union[ _-]?member\w*",
    "health": r"diagnos[ie]s|disease|disability|medication|hiv\w*|icd[ _-]?(?:9|10)?(?:[ _-]?code)?|blood[ _-]?type",
    "sex-life": r"sexual[ _-]?orientation",
}
HEAD_TITLES = {
    "name": "name of a person",
    "address": "postal address",
    "postcode": "postcode",
    "birth": "date of birth",
    "email": "e-mail address",
    "phone": "phone number",
    "position": "position",
    "origin": "racial or ethnic origin",
    "belief": "belief or membership",
    "health": "health",
    "sex-life": "sexual orientation",
}
"""Kind of a head → what it is, in words."""

SPECIAL = frozenset({"origin", "belief", "health", "sex-life"})
"""Kinds of heads that GDPR article 9 names."""

_HEAD = {kind: re.compile(form, re.IGNORECASE) for kind, form in _HEADS.items()}
_RANK: dict[Strength, int] = {"weak": 0, "likely": 1, "sure": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One kind in one column.

    Attributes:
        kind: of the identifier, or of the head.
        rows: cells in which it was found; 0 where only the head says so.
        looked: cells that were looked at.
        strength: the greatest of what was found.
        examples: masked values.
    """

    kind: str
    rows: int
    looked: int
    strength: Strength
    examples: tuple[str, ...]


def kind_of_head(head: str) -> str:
    """Return what a column is about by its name, or nothing."""
    return next((kind for kind, form in _HEAD.items() if form.fullmatch(head.strip())), "")


def told(
    head: str, cells: Iterable[Any], recogniser: Recogniser, *, names: Callable[[str], list[str]] | None = None
) -> list[Told]:
    """Return what a column tells, the kinds of its cells by how often, and what only its head says.

    Args:
        head: name of the column.
        cells: of any type; text and numbers are looked at as text.
        recogniser: what to look for.
        names: returns the names of persons in a text, where a model for that was given.
    """
    counts: dict[str, int] = {}
    for cell in cells:
        if cell is not None and (text := str(cell)) and (text in counts or len(counts) < MOST_CELLS):
            counts[text] = counts.get(text, 0) + 1
    looked = sum(counts.values())
    rows: dict[str, int] = {}
    best: dict[str, Strength] = {}
    examples: dict[str, list[str]] = {}
    for text, count in counts.items():
        values = _values(text, head, recogniser, names)
        for kind, strength, value in values:
            best[kind] = max(best.get(kind, "weak"), strength, key=_RANK.__getitem__)
            shown = examples.setdefault(kind, [])
            if len(shown) < MOST_EXAMPLES and (mask := _masked(value)) not in shown:
                shown.append(mask)
        for kind in {kind for kind, _, _ in values}:
            rows[kind] = rows.get(kind, 0) + count
    found = [
        Told(kind=kind, rows=rows[kind], looked=looked, strength=best[kind], examples=tuple(examples[kind]))
        for kind in sorted(rows, key=lambda each: (-rows[each], each))
    ]
    by_head = kind_of_head(head)
    if by_head and by_head not in rows and looked:
        found.append(Told(kind=by_head, rows=0, looked=looked, strength="likely", examples=()))
    return found


def _masked(value: str) -> str:
    from redan.kernels.personal.record import masked

    return masked(value)


def _values(
    text: str, head: str, recogniser: Recogniser, names: Callable[[str], list[str]] | None
) -> list[tuple[str, Strength, str]]:
    found: list[tuple[str, Strength, str]] = []
    if not text.isalpha():
        found = [(each.kind, each.strength, text[each.start : each.end]) for each in recogniser.find(text, head=head)]
    if names is not None:
        found += [("name", "likely", name) for name in names(text)]
    return found
