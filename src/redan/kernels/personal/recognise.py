"""Recognise identifiers of people in a text, each with how sure it is.

A value is ``sure`` where check digits leave fewer than one in fifty random values, or where check digits and a word
beside it agree; ``likely`` where a word stands beside it or its form is one that little else has; ``weak`` where only
the form fits. Presidio (2.2) grades by scores and context words in the same spirit; formats and words are our own.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator
from functools import lru_cache

from redan.core.record import dataclass
from redan.kernels.personal.formats.format import Ready, ready
from redan.kernels.personal.formats.net import FINDERS, Finder, Strength
from redan.kernels.personal.formats.registry import FORMATS, PERSONS

STRENGTHS: tuple[Strength, ...] = ("weak", "likely", "sure")
"""From the least to the most certain."""

_RANK = {strength: rank for rank, strength in enumerate(STRENGTHS)}

LONGEST_TOKEN = 90
"""Longest run of letters and digits that can be an identifier, in characters; longer ones are passed over."""

_BEFORE, _AFTER = 60, 20
_TOKEN = re.compile(r"(?<![A-Za-z0-9_])(?<![0-9]\.)[A-Za-z_]*+[0-9][A-Za-z0-9_]*+")
_JOINED = re.compile(r"[a-z]{2,}(?=[0-9])")
_WORD = re.compile(r"[^\W\d_]+")
_SHAPE = str.maketrans(
    {**dict.fromkeys("0123456789", "9"), **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "A")}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """One value.

    Attributes:
        kind: name of its format.
        start: offset of its first character.
        end: offset after its last one.
        strength: how sure it is.
    """

    kind: str
    start: int
    end: int
    strength: Strength


class Recogniser:
    """Recognises a fixed choice of kinds; made once and used for many texts."""

    def __init__(self, kinds: Collection[str] | None = None, *, least: Strength = "likely") -> None:
        """Choose what to look for.

        Args:
            kinds: names of formats; those that tell of persons if not given.
            least: what is less certain is left out.
        """
        chosen = PERSONS if kinds is None else frozenset(kinds)
        self._formats = tuple(each for each in FORMATS if each.kind in chosen)
        self._finders: tuple[Finder, ...] = tuple(each for each in FINDERS if each.kind in chosen)
        self._least = _RANK[least]
        kinds_in_order = [each.kind for each in self._finders] + [each.kind for each in self._formats]
        self._order = {kind: place for place, kind in enumerate(kinds_in_order)}
        self._of_shape = lru_cache(maxsize=8192)(self._fitting)
        self._words = frozenset(word for each in self._formats for word in each.words.split())

    def find(self, text: str, *, head: str = "") -> list[Recognised]:
        """Return what is recognised, in order of places and without overlaps.

        Args:
            text: what to look through.
            head: what stands over the text, such as the name of its column; read like words beside each value.
        """
        found = [*self._by_sign(text), *self._by_token(text, head)]
        if len(found) < 2:
            return found
        found.sort(key=lambda each: (-_RANK[each.strength], each.start - each.end, self._order[each.kind]))
        return _apart(found)

    def _by_sign(self, text: str) -> Iterator[Recognised]:
        for finder in self._finders:
            for start, end, strength in finder.places(text):
                if _RANK[strength] >= self._least:
                    yield Recognised(kind=finder.kind, start=start, end=end, strength=strength)

    def _by_token(self, text: str, head: str) -> Iterator[Recognised]:
        if not self._formats:
            return
        over = self._known(head)
        ends: dict[str, int] = {}
        for start, end in self._tokens(text):
            always, worded = self._of_shape(text[start : end + 2].translate(_SHAPE))
            if not always and not worded:
                continue
            beside = over | self._known(text[max(0, start - _BEFORE) : end + _AFTER])
            told = [each for each in worded if not each.words.isdisjoint(beside)] if beside else []
            for each in (*always, *told):
                place = _place(each, text, start, end) if start >= ends.get(each.of.kind, 0) else None
                if place is not None and (found := self._graded(each, text, place, beside)):
                    ends[found.kind] = found.end
                    yield found

    def _tokens(self, text: str) -> Iterator[tuple[int, int]]:
        for match in _TOKEN.finditer(text):
            start, end = match.span()
            if end - start > LONGEST_TOKEN:
                continue
            yield start, end
            # only where a word runs into a number is there a second token in the first, and only a weak one
            if self._least == 0 and (joined := _JOINED.match(text, start, end)):
                yield joined.end(), end

    def _fitting(self, shape: str) -> tuple[tuple[Ready, ...], tuple[Ready, ...]]:
        """Return the formats that a token's shape may begin: those to try always, and those to try beside a word."""
        fitting = [ready(each) for each in self._formats if re.match(f"(?:{each.heads})(?![A9_])", shape)]
        alone = [each for each in fitting if self._least == 0 or each.of.is_checksum or each.of.formed]
        return tuple(alone), tuple(each for each in fitting if each not in alone)

    def _known(self, text: str) -> frozenset[str]:
        return self._words.intersection(_WORD.findall(text.lower())) if text else frozenset()

    def _graded(self, each: Ready, text: str, place: tuple[int, int], beside: frozenset[str]) -> Recognised | None:
        start, end = place
        value, check = text[start:end], each.of.check
        has_word = not each.words.isdisjoint(beside)
        strength: Strength = "weak"
        if each.of.is_checksum:
            strength = "sure"
        elif has_word or (each.likely is not None and each.likely.fullmatch(value) and _alone(text, start, end)):
            strength = "sure" if has_word and check is not None else "likely"
        if strength != "sure" and each.of.proof is not None and each.of.proof(value):
            strength = "sure"
        if _RANK[strength] < self._least or (check is not None and not check(value)):
            return None
        return Recognised(kind=each.of.kind, start=start, end=end, strength=strength)


def _alone(text: str, start: int, end: int) -> bool:
    """Tell whether a value is no part of a longer row of numbers that are joined by the sign that it has inside."""
    value = text[start:end]
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return not (
        (len(before) == 2 and before[1] in " -" and before[1] in value and before[0].isdigit())
        or (len(after) == 2 and after[0] in " -" and after[0] in value and after[1].isdigit())
    )


def _place(each: Ready, text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where the form stands that begins at a token, or a little before it."""
    first = start
    if each.of.lead:
        letter = text[start - 2 : start - 1] if text[start - 1 : start] in each.joins else ""
        if each.of.before and text[start].isdigit() and (not letter or letter.upper() not in each.of.before):
            return None
        if letter.isalpha() or ("+" in each.joins and text[start - 1 : start] in each.joins):
            first = max(0, start - each.of.lead)
    for begin in range(first, start + 1):
        match = each.pattern.match(text, begin)
        if match is not None and match.end() > start:
            break
    else:
        return None
    if each.of.fit is None:
        return match.span()
    size = each.of.fit(match.group())
    return (match.start(), match.start() + size) if size else None


def _apart(found: list[Recognised]) -> list[Recognised]:
    """Return those, in order of places, that overlap none before them in the list."""
    starts: list[int] = []
    kept: list[Recognised] = []
    for each in found:
        place = bisect_left(starts, each.start)
        if (place and kept[place - 1].end > each.start) or (place < len(kept) and starts[place] < each.end):
            continue
        starts.insert(place, each.start)
        kept.insert(place, each)
    return kept
