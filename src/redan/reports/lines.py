"""Lines of plain text no wider than asked, each with an optional style that becomes a colour only on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan

from redan.reports.cells import cell_width, wrap
from redan.reports.figures import GLUE

MIN_WIDTH, MAX_WIDTH = 20, 200

_SGR = {
    "title": "1",
    "dim": "2",
    "pass": "1;32",
    "fail": "1;31",
    "undecided": "1;33",
    "critical": "1;31",
    "high": "31",
    "medium": "33",
    "low": "36",
    "info": "2",
}
"""ECMA-48 Select Graphic Rendition parameters; a colour repeats what a word beside it says."""


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Lines:
    """Collects lines.

    Attributes:
        width: most cells a line may take.
        rows: (style, text) pairs.
    """

    width: int
    rows: list[tuple[str, str]] = field(default_factory=list)

    def say(self, text: str, *, first: str = "", rest: str | None = None, style: str = "") -> None:
        """Add a paragraph, broken to the width."""
        self.rows += [(style, line) for line in wrap(text, self.width, first=first, rest=rest)]

    def gap(self) -> None:
        """Add an empty line unless one is there already."""
        if self.rows and self.rows[-1][1]:
            self.rows.append(("", ""))

    def row(self, parts: list[str], *, indent: str = "", style: str = "") -> None:
        """Add cells beside each other as columns, or as one broken sentence where they do not fit."""
        whole = indent + "  ".join(parts)
        if cell_width(whole.rstrip()) <= self.width:
            self.rows.append((style, whole.rstrip()))
            return
        name, *others = [part.strip() for part in parts]
        self.say(f"{name}: {', '.join(others)}", first=indent, rest=indent + "  ", style=style)

    def render(self, *, colour: bool) -> bytes:
        """Return the lines as UTF-8 with a final newline."""
        texts = [_painted(style, text) if colour else text for style, text in self.rows]
        return "\n".join([*texts, ""]).replace(GLUE, " ").encode()


def _painted(style: str, text: str) -> str:
    code = _SGR.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


def bar(value: float, low: float, high: float, cells: int) -> str:
    """Draw a rate in [0, 1]: ``#`` up to the lower end of its interval, ``+`` inside the interval, ``-`` beyond."""
    start, end = (_position(end, cells) for end in (min(low, value), max(high, value)))
    return "[" + "#" * start + "+" * (end - start) + "-" * (cells - end) + "]"


def _position(value: float, cells: int) -> int:
    """Return the cell of a rate, 0 for what is not a number."""
    return 0 if isnan(value) else round(min(1.0, max(0.0, value)) * cells)
