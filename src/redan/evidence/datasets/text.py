"""Tables of text: CSV and TSV, a column at a time, with limits on lines and cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from redan.core.errors import Unreadable
from redan.evidence.datasets.table import Column, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = frozenset({"", "na", "nan", "null", "none", "?"})
"""Cells, in lower case, that stand for nothing."""
MOST_CELLS = 100_000_000
MOST_LINE_CHARACTERS = 1 << 20
MOST_COLUMNS = 10_000
_CHUNK_ROWS = 1 << 15


def read(path: Path, delimiter: str, *, words: frozenset[str] = frozenset()) -> Table:
    """Read a text table. Its first line is a header when it has a cell that is no number above one that is.

    Args:
        path: the file.
        delimiter: between cells.
        words: columns whose cells are text even where all of them look like numbers.

    Raises:
        Unreadable: no UTF-8 text table, lines of different lengths, two columns of one name, or beyond a limit.
    """
    columns = _pass(path, delimiter, words=words)
    late = words | {c.name for c in columns if c.text and c.numbers}
    if late > words:
        # numbers came first and text later, so that what was already turned into numbers is read again as text
        columns = _pass(path, delimiter, words=late)
    return _finished(path.name, columns)


@dataclass(slots=True)
class _Growing:
    name: str
    text: bool = False
    whole: bool = True
    numbers: list[Any] = field(default_factory=list)
    words: list[Any] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def add(self, cells: tuple[str, ...]) -> None:
        import numpy as np

        if not self.text:
            present = ["nan" if c.strip().lower() in MISSING else c for c in cells]
            joined = "".join(present).replace("nan", "")
            try:
                if "_" in joined:
                    raise ValueError("Python reads 1_0 as a number; nobody else does")
                found = [float(c) for c in present]
            except ValueError:
                self.text = True
            else:
                self.whole = self.whole and not any(sign in joined for sign in ".eEiI")
                self.numbers.append(np.array(found, dtype=np.float64))
        if self.text:
            chunk = np.empty(len(cells), dtype=object)
            # the same word is kept once
            chunk[:] = [self.known.setdefault(c, c) for c in map(str.strip, cells)]
            self.words.append(chunk)


def _pass(path: Path, delimiter: str, *, words: frozenset[str]) -> list[_Growing]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = (line for line in csv.reader(_bounded(stream, path.name), delimiter=delimiter, strict=True) if line)
            names, first = _header(list(islice(lines, 2)), path.name)
            columns = [_Growing(name=name, text=name in words) for name in names]
            _fill(columns, first, lines, path.name)
    except (UnicodeDecodeError, csv.Error) as err:
        raise Unreadable(f"{path.name!r} is no UTF-8 text table: {err}") from err
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err
    return columns


def _fill(columns: list[_Growing], first: list[list[str]], lines: Iterator[list[str]], name: str) -> None:
    n_rows, chunk = 0, first
    while chunk:
        for number, line in enumerate(chunk, n_rows):
            if len(line) != len(columns):
                raise Unreadable(f"row {number} of {name!r} has {len(line)} cells; expected {len(columns)}")
        n_rows += len(chunk)
        if n_rows * len(columns) > MOST_CELLS:
            raise Unreadable(f"{name!r} has more than {MOST_CELLS} cells", hint="give it in parts, or as Parquet")
        for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
            column.add(cells)
        chunk = list(islice(lines, _CHUNK_ROWS))


def _bounded(stream: TextIO, name: str) -> Iterator[str]:
    while line := stream.readline(MOST_LINE_CHARACTERS):
        if len(line) == MOST_LINE_CHARACTERS:
            raise Unreadable(f"a line of {name!r} has {MOST_LINE_CHARACTERS} characters or more")
        yield line


def _header(lines: list[list[str]], name: str) -> tuple[list[str], list[list[str]]]:
    if not lines:
        raise Unreadable(f"{name!r} has no lines")
    if len(lines[0]) > MOST_COLUMNS:
        raise Unreadable(f"{name!r} has {len(lines[0])} columns; at most {MOST_COLUMNS} are read")
    words = [not _is_number(cell) for cell in lines[0]]
    below = [_is_number(cell) for cell in lines[1]] if len(lines) > 1 else []
    if all(words) or any(up and low for up, low in zip(words, below, strict=False)):
        names, rest = [cell.strip() for cell in lines[0]], lines[1:]
    else:
        names, rest = [f"column{i}" for i in range(len(lines[0]))], lines
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise Unreadable(f"{name!r} has two columns named {twice!r}", hint="give each column a name of its own")
    return names, rest


def _is_number(cell: str) -> bool:
    if cell.strip().lower() in MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _finished(name: str, columns: list[_Growing]) -> Table:
    made = tuple(_column(c) for c in columns)
    return Table(name=name, n_rows=len(made[0].values), columns=made)


def _column(grown: _Growing) -> Column:
    import numpy as np

    if grown.text:
        words: NDArray[Any] = np.concatenate(grown.words) if grown.words else np.empty(0, dtype=object)
        # each distinct word is looked at once
        gone = {word for word in grown.known if word.lower() in MISSING}
        missing = np.fromiter((word in gone for word in words), dtype=bool, count=len(words))
        return Column(name=grown.name, kind="text", dtype="text", values=words, missing=missing)
    values = np.concatenate(grown.numbers) if grown.numbers else np.zeros(0)
    missing = np.isnan(values)
    kind = "integer" if grown.whole and not missing.all() else "number"
    return Column(name=grown.name, kind=kind, dtype="text", values=values, missing=missing)  # type: ignore[arg-type]  # one of two words
