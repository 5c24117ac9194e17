"""Edits of the characters of a word that people read over.

Sources: Gao, Lanchantin, Soffa & Qi 2018, "Black-box generation of adversarial text sequences to evade deep learning
classifiers" (swap, substitute, delete, insert); Pruthi, Dhingra & Lipton 2019, "Combating adversarial misspellings
with robust word recognition" (keys side by side, inner letters alone); Boucher et al. 2022 (look-alikes, hidden signs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from redan.kernels.draws import words as draw_words
from redan.kernels.text_attacks.lookalikes import BESIDE, LOOKS

if TYPE_CHECKING:
    import numpy as np

LEAST_LETTERS = 3
"""Shorter words become other words too easily."""
ZERO_WIDTH = "\u200b"
TYPOS = ("swap", "delete", "insert", "keyboard")
HIDDEN_EDITS = ("homoglyph", "zero-width", "case")
KINDS = (*TYPOS, *HIDDEN_EDITS)


def _swap(word: str, draw: int) -> str:
    at = 1 + draw % max(1, len(word) - 2)
    return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :] if len(word) < 4 else _inner_swap(word, draw)


def _inner_swap(word: str, draw: int) -> str:
    at = 1 + draw % (len(word) - 3)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _delete(word: str, draw: int) -> str:
    at = 1 + draw % (len(word) - 2)
    return word[:at] + word[at + 1 :]


def _insert(word: str, draw: int) -> str:
    at = 1 + draw % (len(word) - 1)
    return word[:at] + word[at - 1] + word[at:]


def _keyboard(word: str, draw: int) -> str:
    places = [at for at, sign in enumerate(word) if sign.lower() in BESIDE and at]
    if not places:
        return word
    at = places[draw % len(places)]
    near = BESIDE[word[at].lower()]
    return word[:at] + near[(draw >> 16) % len(near)] + word[at + 1 :]


def _homoglyph(word: str, draw: int) -> str:
    places = [at for at, sign in enumerate(word) if sign in LOOKS]
    if not places:
        return word
    at = places[draw % len(places)]
    return word[:at] + LOOKS[word[at]] + word[at + 1 :]


def _zero_width(word: str, draw: int) -> str:
    at = 1 + draw % (len(word) - 1)
    return word[:at] + ZERO_WIDTH + word[at:]


def _case(word: str, draw: int) -> str:
    at = draw % len(word)
    return word[:at] + word[at].swapcase() + word[at + 1 :]


EDITS: dict[str, Callable[[str, int], str]] = {
    "swap": _swap,
    "delete": _delete,
    "insert": _insert,
    "keyboard": _keyboard,
    "homoglyph": _homoglyph,
    "zero-width": _zero_width,
    "case": _case,
}
"""Kind → edit of a word of at least `LEAST_LETTERS` letters by one 32-bit draw."""


def misspelt(word: str, key: np.uint64, place: int, *, kinds: Sequence[str], edits: int, tries: int) -> tuple[str, ...]:
    """Return different forms of a word, each at most so many edits away.

    Args:
        word: as it stands in the text.
        key: of the text.
        place: of the word in the text.
        kinds: which edits, of `KINDS`.
        edits: most edits of the word.
        tries: forms of each kind and number of edits.
    """
    if len(word) < LEAST_LETTERS or not any(sign.isalpha() for sign in word):
        return ()
    draws = draw_words([key], (edits, len(kinds), tries, edits), stream=place)[0]  # type: ignore[arg-type]  # one key
    found: dict[str, None] = {}
    for number in range(edits):
        for kind, name in enumerate(kinds):
            for attempt in range(tries):
                form = word
                for step in range(number + 1):
                    if len(form) < LEAST_LETTERS:
                        break
                    form = EDITS[name](form, int(draws[number, kind, attempt, step] >> 32))
                found[form] = None
    found.pop(word, None)
    return tuple(found)
