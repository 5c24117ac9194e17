"""Text measured in terminal cells: East Asian wide characters and emoji take two, combining marks none."""

from __future__ import annotations

from unicodedata import category, east_asian_width

EMOJI_STYLE = "\ufe0f"
"""Variation selector that asks for the two-cell picture of the character before it."""

_LATER_WIDE = ((0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF), (0x1D300, 0x1D376), (0x1F1E6, 0x1F1FF))
"""Symbols that Unicode 16 made wide and older tables call narrow, and flag letters, of which a single one is wide."""


def cell_width(text: str) -> int:
    """Return how many terminal cells a text takes; where terminals disagree, the larger number."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def _cells(char: str) -> int:
    if char == EMOJI_STYLE:
        # the base was counted with one cell and becomes two wide; a two-cell base is counted one too many
        return 1
    if category(char) in ("Mn", "Me"):
        return 0
    if east_asian_width(char) in "WF":
        return 2
    return 2 if any(first <= ord(char) <= last for first, last in _LATER_WIDE) else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text with blanks to a width in cells, at its end or, for numbers, at its start."""
    blanks = " " * (width - cell_width(text))
    return blanks + text if right else text + blanks


def wrap(text: str, width: int, *, first: str = "", rest: str | None = None) -> list[str]:
    """Break a text into lines no wider than ``width`` cells, inside a word only when the word alone is wider.

    Args:
        text: one paragraph; blanks separate words, no-break spaces do not.
        width: cells, at least two more than the prefixes take.
        first: prefix of the first line.
        rest: prefix of the following lines; blanks as wide as ``first`` if not given.
    """
    after = " " * cell_width(first) if rest is None else rest
    lines: list[str] = []
    prefix, line = first, ""
    for word in filter(None, text.split(" ")):
        tail = word
        while tail:
            room = width - cell_width(prefix)
            joined = f"{line} {tail}" if line else tail
            if cell_width(joined) <= room:
                line, tail = joined, ""
            elif line:
                lines.append(prefix + line)
                prefix, line = after, ""
            else:
                head, tail = _split(tail, room)
                lines.append(prefix + head)
                prefix = after
    if line or not lines:
        lines.append((prefix + line).rstrip())
    return lines


def _split(word: str, room: int) -> tuple[str, str]:
    """Split a word after as many characters as fit into ``room`` cells, at least one."""
    taken = 0
    for position, char in enumerate(word):
        taken += _cells(char)
        if taken > room and position:
            return word[:position], word[position:]
    return word, ""
