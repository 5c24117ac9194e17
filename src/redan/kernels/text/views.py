r"""The text behind the text: escapes, entities, colour codes and split literals undone, each place traced back.

What a token looks like in a file is not always how it is used: `\u0068f_…` in JSON, `&quot;` and tags in HTML,
`%2B` in an address, `"hf_" + "…"` in code. A view is a second text in which these are undone, with the way back.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right

from redan.core.record import dataclass

# each alternative begins with a literal character, so that the search leaps from one of them to the next
_BETWEEN = r"(?:[ \t]{0,20}\+[ \t]{0,20}\n?[ \t]{0,40}|[ \t]{1,20}|[ \t]{0,20}\\?\n[ \t]{0,40})[rbuf]{0,2}"
_PATTERN = (
    r"\x1b\[[0-9;]{0,20}[A-Za-z]"
    r"|\\(?P<code>u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8})"
    r"""|\\(?P<letter>[nrt"'/\\])"""
    r"|&(?P<entity>#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});"
    r"|%(?P<percent>[0-9a-fA-F]{2})"
    rf'|"{_BETWEEN}"'
    rf"|'{_BETWEEN}'"
    r"""|\{(?<=[\w-]\{)["'](?=[\w-])"""
    r"""|"(?<=[\w-]")\}(?=["'\w-])"""
    r"""|'(?<=[\w-]')\}(?=["'\w-])"""
)
_UNDONE = re.compile(_PATTERN)
_UNDONE_HTML = re.compile(_PATTERN + r"|<(?P<tag>/?[a-zA-Z][^<>]{0,300})>")
_SIGNS = ("\x1b[", "\\", "&", "%", "'", '"', "<")
_LETTERS = {"n": "\n", "r": "\n", "t": "\t"}
_SEPARATING = re.compile(r"</?(?:t[dhr]|p|div|br|li|pre|h\d)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A text made from another one.

    Attributes:
        text: what it says when escapes are undone.
    """

    text: str
    _at: list[int]
    _from: list[int]
    _to: list[int]

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Return where the characters from start to end stand in the text that the view was made of."""
        return self._place(start)[0], self._place(max(start, end - 1))[1]

    def _place(self, offset: int) -> tuple[int, int]:
        number = bisect_right(self._at, offset) - 1
        first, last = self._from[number], self._to[number]
        if last < 0:
            here = first + offset - self._at[number]
            return here, here + 1
        return first, last


def unescaped(text: str, *, markup: bool = False) -> View | None:
    """Return the text with its escapes undone, or None when there is nothing to undo.

    Args:
        text: any text.
        markup: undo tags too; only right for HTML and Markdown.
    """
    if not any(sign in text for sign in _SIGNS):
        return None
    out: list[str] = []
    at, origin, to = [0], [0], [-1]
    length = done = 0
    for found in (_UNDONE_HTML if markup else _UNDONE).finditer(text):
        plain = _plain(found)
        out += (text[done : found.start()], plain)
        length += found.start() - done
        if plain:
            at.append(length)
            origin.append(found.start())
            to.append(found.end())
            length += len(plain)
        done = found.end()
        at.append(length)
        origin.append(done)
        to.append(-1)
    if not done:
        return None
    out.append(text[done:])
    return View(text="".join(out), _at=at, _from=origin, _to=to)


def _plain(found: re.Match[str]) -> str:
    text = found.group()
    match found.lastgroup:
        case "code":
            number = int(text[2:], 16)
            return chr(number) if number < 0x110000 else ""
        case "letter":
            return _LETTERS.get(text[1], text[1])
        case "entity":
            return html.unescape(text)
        case "percent":
            return chr(int(text[1:], 16))
        case "tag":
            return " " if _SEPARATING.match(text) else ""
        case _:
            return ""
