"""Rows of a table with every cell as the file has it, so that what is not changed is written back the same."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redan.core.errors import Unreadable, UsageError
from redan.core.record import dataclass

MOST_CELLS = 50_000_000
MOST_BYTES = 2 << 30
MOST_LINE_CHARACTERS = 1 << 20
"""Cells, bytes of a file and characters of a line that are read."""

FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table.

    Attributes:
        columns: name → cells, in the order of the file; text for CSV, else JSON or Parquet values, None for missing.
        ending: of the file it came from.
    """

    columns: dict[str, list[Any]]
    ending: str

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(next(iter(self.columns.values()), []))

    def named(self, name: str) -> list[Any]:
        """Return a column; Raises `UnknownName` where there is none of that name."""
        if name not in self.columns:
            from redan.core.errors import UnknownName

            raise UnknownName.among("column", name, [*self.columns])
        return self.columns[name]


def read_rows(path: Path) -> Rows:
    """Read CSV, TSV, JSON lines or Parquet.

    Raises:
        Unreadable: of no such format, damaged, or beyond a limit.
        MissingDependency: Parquet needs pyarrow.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise Unreadable(f"{path.name!r} is no table with rows of text", hint=f"give a file of {', '.join(FORMATS)}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"{path.name!r} has more than {MOST_BYTES} bytes", hint="give it in parts")
        if ending == ".parquet":
            return Rows(columns=_parquet(path), ending=ending)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = _lines(stream, path.name)
            columns = _json(lines, path.name) if ending in (".jsonl", ".ndjson") else _csv(lines, path.name, ending)
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err
    except UnicodeDecodeError as err:
        raise Unreadable(f"{path.name!r} is no UTF-8 text (byte {err.start})") from err
    return Rows(columns=columns, ending=ending)


def _lines(stream: io.TextIOBase, name: str) -> Iterator[str]:
    while line := stream.readline(MOST_LINE_CHARACTERS):
        if len(line) == MOST_LINE_CHARACTERS:
            raise Unreadable(f"a line of {name!r} has {MOST_LINE_CHARACTERS} characters or more")
        yield line


def _csv(lines: Iterator[str], name: str, ending: str) -> dict[str, list[Any]]:
    reader = csv.reader(lines, delimiter="\t" if ending == ".tsv" else ",")
    try:
        heads = next(reader, None)
        if not heads or len(set(heads)) < len(heads):
            raise Unreadable(f"{name!r} has no first line with different names")
        cells: list[list[Any]] = [[] for _ in heads]
        for number, row in enumerate(reader, 2):
            if not row:
                continue
            if len(row) != len(heads) or len(cells[0]) * len(heads) > MOST_CELLS:
                raise Unreadable(
                    f"line {number} of {name!r} has {len(row)} cells, not {len(heads)}, or is one too many"
                )
            for column, cell in zip(cells, row, strict=True):
                column.append(cell)
    except csv.Error as err:
        raise Unreadable(f"{name!r} is no readable table: {err}") from err
    return dict(zip(heads, cells, strict=True))


def _json(lines: Iterator[str], name: str) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    n_rows = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise Unreadable(f"line {number} of {name!r} is no JSON object")
        for key in row.keys() - columns.keys():
            columns[key] = [None] * n_rows
        n_rows += 1
        if n_rows * len(columns) > MOST_CELLS:
            raise Unreadable(f"{name!r} has more than {MOST_CELLS} cells", hint="give it in parts")
        for key, column in columns.items():
            column.append(row.get(key))
    return columns


def _parquet(path: Path) -> dict[str, list[Any]]:
    from redan.core.errors import MissingDependency

    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as err:
        raise MissingDependency.of("pyarrow", "data", "reading Parquet") from err
    try:
        with parquet.ParquetFile(path) as file:
            if file.metadata.num_rows * file.metadata.num_columns > MOST_CELLS:
                raise Unreadable(f"{path.name!r} has more than {MOST_CELLS} cells", hint="give it in parts")
            table = file.read()
    except pyarrow.ArrowException as err:
        raise Unreadable(f"{path.name!r} is no readable Parquet table: {err}") from err
    return {str(name): table.column(place).to_pylist() for place, name in enumerate(table.column_names)}


def written(rows: Rows) -> bytes:
    """Return rows in the format they came in.

    Raises:
        UsageError: cells of one Parquet column have several types.
    """
    if rows.ending == ".parquet":
        return _as_parquet(rows)
    stream = io.StringIO()
    if rows.ending in (".jsonl", ".ndjson"):
        for cells in zip(*rows.columns.values(), strict=True):
            stream.write(json.dumps(dict(zip(rows.columns, cells, strict=True)), ensure_ascii=False) + "\n")
    else:
        writer = csv.writer(stream, delimiter="\t" if rows.ending == ".tsv" else ",", lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows(zip(*rows.columns.values(), strict=True))
    return stream.getvalue().encode()


def _as_parquet(rows: Rows) -> bytes:
    import pyarrow
    from pyarrow import parquet

    sink = io.BytesIO()
    try:
        parquet.write_table(pyarrow.table(rows.columns), sink)
    except pyarrow.ArrowException as err:
        raise UsageError(f"a changed column cannot be kept in Parquet: {err}", hint="write JSON lines instead") from err
    return sink.getvalue()
