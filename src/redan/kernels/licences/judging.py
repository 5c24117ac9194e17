"""Whether a stated licence may be used here."""

from __future__ import annotations

from typing import Literal

from redan.core.record import dataclass
from redan.kernels.licences.expression import allows, names, parse
from redan.kernels.licences.naming import expression_of
from redan.kernels.licences.restricted import restriction

Kind = Literal["fine", "not-allowed", "restricted", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judgement.

    Attributes:
        kind: what it comes to.
        licence: SPDX expression where the words stand for one, else the words.
        why: the reason in words; empty for ``fine``.
    """

    kind: Kind
    licence: str
    why: str = ""


def judge(text: str, allowed: frozenset[str]) -> Judged:
    """Hold a stated licence against an allow-list.

    Args:
        text: words, identifier or expression; several licences may be separated by commas, and then all count.
        allowed: lower-case SPDX identifiers or words; when empty, only restrictions of use are told.
    """
    words = text.strip()
    expression = _expression(words)
    shown = expression or words
    if words.lower() in allowed or (expression and allows(allowed, parse(expression))):
        return Judged(kind="fine", licence=shown)
    found = parse(expression) if expression else None
    for name in names(found) if found is not None else (words,):
        if what := restriction(name):
            return Judged(kind="restricted", licence=shown, why=what)
    if not allowed:
        return Judged(kind="fine", licence=shown)
    if expression:
        return Judged(kind="not-allowed", licence=shown, why="is not on the allow-list")
    return Judged(kind="unknown", licence=words, why="names no licence exactly" if words else "no licence is stated")


def _expression(words: str) -> str:
    if whole := expression_of(words):
        return whole
    parts = [expression_of(part) for part in words.split(", ")]
    return " AND ".join(f"({part})" for part in parts) if len(parts) > 1 and all(parts) else ""
