"""Tables inside texts: HTML, pipes, comma-separated, and columns as data frames are printed.

A cell alone says little; with the head of its column and its neighbour on the left it is a password or a name.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator, Sequence

from redan.core.record import dataclass

MOST_COLUMNS = 200
LONGEST_LINE = 20_000
"""Columns of a row, and characters of a line, that are looked at."""

_TAG = re.compile(r"<(/?)(t[rdh]|table)\b[^<>]{0,500}>", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]{0,500}>")
_FIELDS = {
    sign: re.compile(rf'(?:^|{re.escape(sign)})[ ]?("(?:[^"]|"")*"|[^{re.escape(sign)}]*)') for sign in (",", ";", "\t")
}
_WORD = re.compile(r"\S+")
_CODE = re.compile(r"[=(){}`]|\w[.,:;](?:\s|$)")
_RULE = re.compile(r"[\s|:+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table.

    Attributes:
        head: what stands over its column.
        left: the cell before it in the row.
        text: what it says, without tags and entities.
        start: offset of its first character in the text.
        end: offset after its last one.
    """

    head: str
    left: str
    text: str
    start: int
    end: int


Field = tuple[str, int, int]
"""Text, start and end of one field of a row."""


def cells(text: str, media_type: str, telling: Sequence[int]) -> Iterator[Cell]:
    """Yield the cells of every table in a text, heads excluded.

    Args:
        text: any text.
        media_type: ``text/html``, ``text/csv`` or another; decides which tables are looked for.
        telling: where, in order, words stand that make a head worth looking under; only for tables without lines.
    """
    if "<t" in text or "<T" in text:
        yield from _under_heads(_html_rows(text))
    if media_type in ("text/csv", "text/tab-separated-values"):
        yield from _under_heads(iter([_separated(text)]))
    elif media_type in ("text/plain", "text/markdown") and "|" in text:
        yield from _under_heads(_piped(text))
    if media_type == "text/plain":
        yield from _printed(text, telling)


def _under_heads(tables: Iterable[Iterable[list[Field]]]) -> Iterator[Cell]:
    for rows in tables:
        heads: list[str] | None = None
        for row in rows:
            if heads is None:
                heads = [field[0] for field in row]
                if len(heads) > 2 or len({*heads}) != len(heads) or not any(row):
                    continue
                # two columns may be names and values without heads, so that the first row is one too
                yield from _row(row, ["", ""])
                continue
            yield from _row(row, heads)


def _row(row: list[Field], heads: list[str]) -> Iterator[Cell]:
    left = ""
    for number, (text, start, end) in enumerate(row):
        yield Cell(head=heads[number] if number < len(heads) else "", left=left, text=text, start=start, end=end)
        left = text


def _html_rows(text: str) -> Iterator[list[list[Field]]]:
    rows: list[list[Field]] = []
    opened = -1
    for tag in _TAG.finditer(text):
        closing, name = tag.group(1), tag.group(2).lower()
        if opened >= 0 and rows and len(rows[-1]) < MOST_COLUMNS:
            rows[-1].append(_stripped(text, opened, tag.start()))
        opened = -1
        if name == "table":
            if rows:
                yield rows
            rows = []
        elif name == "tr" and not closing:
            rows.append([])
        elif not closing:
            if not rows:
                rows.append([])
            opened = tag.end()
    if rows:
        yield rows


def _stripped(text: str, start: int, end: int) -> Field:
    """Return a field without the tags and spaces around it, in the places that its text has."""
    inner = text[start:end]
    plain = html.unescape(_ANY_TAG.sub("", inner)).strip()
    at = inner.find(plain) if plain else -1
    return (plain, start + at, start + at + len(plain)) if at >= 0 else (plain, start, end)


def _lines(text: str) -> Iterator[tuple[str, int]]:
    at = 0
    for line in text.split("\n"):
        yield line, at
        at += len(line) + 1


def _separated(text: str) -> Iterator[list[Field]]:
    head = text[:2000].partition("\n")[0]
    fields = _FIELDS[max(_FIELDS, key=head.count)]
    for line, at in _lines(text):
        if line.strip() and len(line) <= LONGEST_LINE:
            found = [(field.group(1).strip('" \r'), field.span(1)) for field in fields.finditer(line)]
            yield [(plain, at + start, at + end) for plain, (start, end) in found[:MOST_COLUMNS]]


def _piped(text: str) -> Iterator[list[list[Field]]]:
    rows: list[list[Field]] = []
    for line, at in _lines(text):
        if line.count("|") < 1 or len(line) > LONGEST_LINE:
            if rows:
                yield rows
            rows = []
        elif not _RULE.fullmatch(line):
            rows.append(list(_between(line, at))[:MOST_COLUMNS])
    if rows:
        yield rows


def _between(line: str, at: int) -> Iterator[Field]:
    place = 0
    for number, field in enumerate(line.split("|")):
        plain = field.strip(" \t\r`*")
        if plain or number:
            start = at + place + (field.find(plain) if plain else 0)
            yield plain, start, start + len(plain)
        place += len(field) + 1


def _printed(text: str, telling: Sequence[int]) -> Iterator[Cell]:
    """Columns as a data frame is printed: words that stand under a head, not necessarily in line with it."""
    done = 0
    for place in telling:
        if place < done:
            continue
        start = text.rfind("\n", done, place) + 1 or done
        end = text.find("\n", place)
        done = len(text) if end < 0 else end + 1
        if end < 0 or end - start > LONGEST_LINE:
            continue
        words = list(_WORD.finditer(text, start, end))
        if not 2 <= len(words) <= MOST_COLUMNS or _CODE.search(text, start, end):
            continue
        heads = [
            w for w in words if any(w.start() <= at < w.end() for at in telling[bisect_left(telling, start) :][:9])
        ]
        done = yield from _beneath(text, end + 1, heads, len(words))


def _beneath(text: str, at: int, heads: list[re.Match[str]], columns: int) -> Generator[Cell, None, int]:
    """Yield what stands under the heads in the lines that have as many words, or one more for their number.

    Returns where these lines end.
    """
    above = text.rfind("\n", 0, at - 1) + 1
    while at < len(text):
        end = text.find("\n", at)
        end = min(len(text) if end < 0 else end, at + LONGEST_LINE)
        words = list(_WORD.finditer(text, at, end))
        if len(words) not in (columns, columns + 1):
            return at
        for head in heads:
            left, right = head.start() - above + at, head.end() - above + at
            for word in words:
                if left < word.end() and word.start() < right:
                    yield Cell(head=head.group(), left="", text=word.group(), start=word.start(), end=word.end())
        at = end + 1
    return at
