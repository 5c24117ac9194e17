"""Texts that grow by one repeated piece until they are dear: backtracking, quadratic splitting, many tokens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redan.kernels.availability.breeding import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PIECES = (
    "a",
    "0",
    " ",
    "\t",
    "\n",
    "(",
    "[",
    "{",
    "<",
    '"',
    "'",
    "\\",
    ".",
    "-",
    "_",
    "@",
    "/",
    "é",
    "漢",
    "aA",
    "a ",
    "0.",
)
"""What is repeated beside the commonest characters of the texts."""
ENDS = ("", "!", "\x01")
"""What follows: a pattern that matches needs no backtracking, so one that cannot match is tried as well."""
COMMON = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pumping:
    """How far to grow.

    Attributes:
        longest: most characters.
        enough: stop growing a text whose cost reached this; costs may double with every character.
    """

    longest: int
    enough: float


def pump(
    cost: Callable[[str], float],
    texts: Sequence[str],
    settings: Pumping,
    *,
    stop: Callable[[], str | None] = lambda: None,
) -> Found:
    """Grow texts of one repeated piece each, slowly, so that an exponential cost is met before it hangs.

    Args:
        cost: of one text.
        texts: as they come.
        settings: longest text, and the cost at which growing stops.
        stop: asked before each text.

    Source: Davis et al. 2018, "The impact of regular expression denial of service in practice", section 2: a pumped
    piece and an end that cannot match; texts as they come are asked as well.
    """
    asked: list[tuple[float, str]] = []
    usual: list[float] = []
    for text in texts:
        if why := stop():
            return _sorted(asked, usual, why)
        asked.append((cost(text), text))
        usual.append(asked[-1][0])
    for piece in (*PIECES, *_common(texts)):
        for end in ENDS:
            for text in _growing(piece, end, settings.longest):
                if why := stop():
                    return _sorted(asked, usual, why)
                asked.append((cost(text), text))
                if asked[-1][0] >= settings.enough:
                    break
    return _sorted(asked, usual, "")


def _growing(piece: str, end: str, longest: int) -> Iterator[str]:
    """Yield ever longer texts: by two pieces up to forty, then by a fifth."""
    count = 4
    while len(piece) * count + len(end) <= longest:
        yield piece * count + end
        count = count + 2 if count < 40 else count + count // 5


def _common(texts: Sequence[str]) -> list[str]:
    counted = Counter(character for text in texts for character in text)
    ranked = sorted(counted, key=lambda character: (-counted[character], character))
    return [character for character in ranked if character not in PIECES][:COMMON]


def _sorted(asked: list[tuple[float, str]], usual: list[float], why: str) -> Found:
    ranked = sorted(asked, key=lambda entry: -entry[0])
    best = (max(usual), ranked[0][0]) if usual else ()
    return Found(candidates=[t for _, t in ranked], costs=[c for c, _ in ranked], by_generation=best, reason=why)
