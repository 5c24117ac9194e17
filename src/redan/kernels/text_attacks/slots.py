"""A text as words and what stands between them, so that words can be changed and put together again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WORD = re.compile(r"\w+(?:['’]\w+)*")
MOST_SLOTS = 400
"""Words of one text that may be changed; those behind them are kept as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """A text taken apart.

    Attributes:
        words: its first words, at most `MOST_SLOTS`.
        gaps: what stands before each word, and after the last; one more than words.
    """

    words: tuple[str, ...]
    gaps: tuple[str, ...]

    def joined(self, changes: Mapping[int, str]) -> str:
        """Return the text with some of its words replaced; an empty replacement deletes the word."""
        parts = [gap + changes.get(at, word) for at, (gap, word) in enumerate(zip(self.gaps, self.words, strict=False))]
        return "".join((*parts, self.gaps[-1]))


def slots(text: str) -> Slots:
    """Take a text apart; `Slots.joined` without changes gives it back."""
    words: list[str] = []
    gaps: list[str] = []
    end = 0
    for match in WORD.finditer(text):
        if len(words) == MOST_SLOTS:
            break
        words.append(match.group())
        gaps.append(text[end : match.start()])
        end = match.end()
    return Slots(words=tuple(words), gaps=(*gaps, text[end:]))


def edits_between(one: str, other: str) -> int:
    """Return the Levenshtein distance: fewest insertions, deletions and substitutions of characters.

    Source: Levenshtein 1966; Wagner & Fischer 1974, "The string-to-string correction problem".
    """
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def edit_distance(text: Slots, changes: Mapping[int, str]) -> int:
    """Return the edits of all changed words together."""
    return sum(edits_between(text.words[at], word) for at, word in changes.items())


def marked(text: Slots, changes: Mapping[int, str], *, most: int) -> str:
    """Return the text with each change shown as [before→after], cut around the first change to about ``most`` signs."""
    shown = {at: f"[{text.words[at]}→{word}]" for at, word in changes.items()}
    told = text.joined(shown)
    first = told.find("[") if changes else 0
    start = max(0, min(first - most // 4, len(told) - most))
    cut = told[start : start + most]
    return ("…" if start else "") + cut + ("…" if start + most < len(told) else "")


def vocabulary(texts: Sequence[str], *, least: int = 1) -> dict[str, int]:
    """Count lower-case words; those seen at least so often, in the order of the alphabet."""
    counts: dict[str, int] = {}
    for text in texts:
        for match in WORD.finditer(text.lower()):
            counts[match.group()] = counts.get(match.group(), 0) + 1
    return {word: counts[word] for word in sorted(counts) if counts[word] >= least}
