"""SPDX licence expressions: read, and held against an allow-list. Source: SPDX specification 2.3, annex D."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from redan.core.record import dataclass

LONGEST = 2000
"""Characters of an expression; a longer text is a licence itself."""
DEEPEST = 50
"""Brackets inside brackets."""

_WORD = re.compile(r"\(|\)|[^\s()]+")
_OWN = re.compile(r"(?:DocumentRef-[\w.-]+:)?LicenseRef-[\w.-]+", re.IGNORECASE)


class NotExpressionError(ValueError):
    """A text that is no SPDX expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One licence, with an exception where it has one."""

    id: str
    exception: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Several licences that all apply (``AND``) or of which one may be chosen (``OR``)."""

    word: str
    parts: tuple[Named | Joined, ...]


Expression = Named | Joined


@cache
def identifiers() -> tuple[dict[str, str], dict[str, str]]:
    """Return the licences and the exceptions of the SPDX list, each by its lower-case form."""
    text = files("redan.kernels.licences").joinpath("spdx.txt").read_text(encoding="ascii")
    licences, _, exceptions = text.partition("\n\n")
    known = [line for line in licences.splitlines() if not line.startswith("#")]
    return {name.lower(): name for name in known}, {name.lower(): name for name in exceptions.split()}


def parse(text: str) -> Expression:
    """Read an expression; identifiers are told without regard to case and returned as the list writes them.

    Raises:
        NotExpressionError: it is none, or names a licence that is not on the SPDX list.
    """
    words = _WORD.findall(text)
    if not words or len(text) > LONGEST:
        raise NotExpressionError("no expression")
    found, at = _either(words, 0, 0)
    if at != len(words):
        raise NotExpressionError(f"{words[at]!r} stands where the expression is over")
    return found


def _either(words: list[str], at: int, depth: int) -> tuple[Expression, int]:
    return _joined("OR", words, at, depth)


def _joined(word: str, words: list[str], at: int, depth: int) -> tuple[Expression, int]:
    part, at = _below(word, words, at, depth)
    parts = [part]
    while at < len(words) and words[at].upper() == word:
        part, at = _below(word, words, at + 1, depth)
        parts.append(part)
    return (Joined(word=word, parts=tuple(parts)) if len(parts) > 1 else parts[0]), at


def _below(word: str, words: list[str], at: int, depth: int) -> tuple[Expression, int]:
    return _joined("AND", words, at, depth) if word == "OR" else _single(words, at, depth)


def _single(words: list[str], at: int, depth: int) -> tuple[Expression, int]:
    if at >= len(words):
        raise NotExpressionError("the expression ends too early")
    if words[at] != "(":
        return _named(words, at)
    if depth >= DEEPEST:
        raise NotExpressionError("too many brackets")
    inner, at = _either(words, at + 1, depth + 1)
    if at >= len(words) or words[at] != ")":
        raise NotExpressionError("a bracket is not closed")
    return inner, at + 1


def _named(words: list[str], at: int) -> tuple[Named, int]:
    name = licence_id(words[at])
    if not name:
        raise NotExpressionError(f"{words[at]!r} is not on the SPDX list")
    if at + 2 < len(words) + 1 and at + 1 < len(words) and words[at + 1].upper() == "WITH":
        exception = identifiers()[1].get(words[at + 2].lower(), "") if at + 2 < len(words) else ""
        if not exception:
            raise NotExpressionError("WITH names no exception of the SPDX list")
        return Named(id=name, exception=exception), at + 3
    return Named(id=name), at + 1


def licence_id(word: str) -> str:
    """Return an identifier as the SPDX list writes it, or an empty string.

    ``GPL-2.0+`` and ``GPL-2.0`` are the older forms of ``-or-later`` and ``-only``.
    """
    licences = identifiers()[0]
    low = word.lower()
    for form in (f"{low[:-1]}-or-later" if low.endswith("+") else f"{low}-only", low, low.removesuffix("+")):
        if form in licences:
            return licences[form]
    return word if _OWN.fullmatch(word) else ""


def names(found: Expression) -> tuple[str, ...]:
    """Return every licence of an expression, in order."""
    if isinstance(found, Named):
        return (found.id,)
    return tuple(dict.fromkeys(name for part in found.parts for name in names(part)))


def allows(allowed: frozenset[str], found: Expression) -> bool:
    """Whether an allow-list lets an expression be used: each part of an ``AND``, one part of an ``OR``.

    An exception only permits more, so its licence is enough; ``-or-later`` may be used as ``-only``.

    Args:
        allowed: lower-case identifiers, also with ``with`` and an exception.
        found: the expression.
    """
    if isinstance(found, Joined):
        judged = (allows(allowed, part) for part in found.parts)
        return any(judged) if found.word == "OR" else all(judged)
    low = found.id.lower()
    forms = {low, f"{low} with {found.exception.lower()}"}
    if low.endswith("-or-later"):
        forms.add(f"{low.removesuffix('-or-later')}-only")
    return not forms.isdisjoint(allowed)
