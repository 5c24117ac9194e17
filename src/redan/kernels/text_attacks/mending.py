"""Texts brought back to the words a model was trained on: plain letters, no hidden signs, simple slips corrected.

Sources: Unicode Standard Annex 15 (NFKC); Pruthi, Dhingra & Lipton 2019 (a recogniser of words before the classifier);
Damerau 1964 (one insertion, deletion, substitution or transposition).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redan.kernels.text_attacks.lookalikes import plain
from redan.kernels.text_attacks.slots import WORD, vocabulary

SHORTEST = 4
"""Letters of the shortest word that is corrected."""
MOST_LETTERS = 40
"""Longer words are left as they are."""
MOST_KNOWN = 50_000
"""Words that slips are corrected to, the commonest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mender:
    """Corrects texts.

    Attributes:
        known: word → how often it was seen.
        shortened: word, and word less one letter → the words it may have been, the commonest first.
    """

    known: Mapping[str, int]
    shortened: Mapping[str, tuple[str, ...]]

    def mended(self, text: str) -> str:
        """Return the text in plain letters, words that are one slip away from a known one replaced by it."""
        return WORD.sub(lambda match: self._word(match.group()), plain(text))

    def _word(self, word: str) -> str:
        lower = word.lower()
        if lower in self.known or not SHORTEST <= len(word) <= MOST_LETTERS or not word.isascii() or not word.isalpha():
            return word
        near: dict[str, None] = {}
        for form in (lower, *_less_one(lower)):
            near.update(dict.fromkeys(self.shortened.get(form, ())))
        fitting = [other for other in near if _one_slip(lower, other)]
        return max(fitting, key=lambda other: (self.known[other], other)) if fitting else word


def mender(texts: Sequence[str]) -> Mender:
    """Learn the words of texts; those seen once are no words to correct to, but are left alone."""
    counts = vocabulary([plain(text) for text in texts])
    common = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_KNOWN]
    shortened: dict[str, list[str]] = {}
    for word in common:
        if counts[word] > 1 and SHORTEST <= len(word) <= MOST_LETTERS:
            for form in {word, *_less_one(word)}:
                shortened.setdefault(form, []).append(word)
    return Mender(known=counts, shortened={form: tuple(words) for form, words in shortened.items()})


def _less_one(word: str) -> list[str]:
    return [word[:at] + word[at + 1 :] for at in range(len(word))]


def _one_slip(word: str, other: str) -> bool:
    if len(word) != len(other):
        short, long = sorted((word, other), key=len)
        return len(long) - len(short) == 1 and short in _less_one(long)
    differ = [at for at, (a, b) in enumerate(zip(word, other, strict=True)) if a != b]
    if len(differ) == 2 and differ[1] == differ[0] + 1:
        return word[differ[0]] == other[differ[1]] and word[differ[1]] == other[differ[0]]
    return len(differ) == 1
