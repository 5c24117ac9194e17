"""Tables: CSV with the standard library, Parquet through pyarrow.

One column is the label; the others are numbers, or one of them is the text.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, UnknownName, Unreadable
from redan.subjects.data.groups import Described, words_of
from redan.subjects.data.source import Rows, Source
from redan.subjects.data.texts import text_column, text_source
from redan.subjects.digests import of_file, uri

_MISSING = ("", "na", "nan", "null", "none", "?")


def from_csv(path: Path, label: str, described: Described, *, delimiter: str = ",") -> Source:
    """Read a text table: numbers, or texts where the only column beside the label, or one named so, holds words.

    The first line is a header when it holds a cell that is no number and the second line's is. Sensitive columns of
    words are groups and no inputs; those of numbers are both, unless they are set aside.

    Raises:
        Unreadable: no UTF-8 text table.
        ShapeMismatch: lines of different lengths, or a cell that is no number.
        UnknownName: no such label column, with the nearest.
    """
    sha256, _ = of_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = [line for line in csv.reader(stream, delimiter=delimiter, strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as err:
        raise Unreadable(f"{uri(path)!r} is no UTF-8 text table: {err}") from err
    if not lines:
        raise Unreadable(f"{uri(path)!r} has no lines")
    columns, body = _header(lines)
    for number, line in enumerate(body):
        if len(line) != len(columns):
            raise ShapeMismatch(f"row {number} of {path.name!r} has {len(line)} cells; expected {len(columns)}")
    cells = [[line[i] for line in body] for i in range(len(columns))]
    described.among(columns, path.name)
    groups = {name: words_of(np.array(cells[columns.index(name)], np.str_)) for name in described.sensitive}
    words = {name for name in groups if not all(map(_is_number, cells[columns.index(name)]))}
    kept = [i for i, name in enumerate(columns) if name not in words and name not in described.aside]
    columns, cells = [columns[i] for i in kept], [cells[i] for i in kept]
    described.spares(label or columns[-1] if columns else label, path.name)
    return replace(_from_cells(path, sha256, label, columns, cells), groups=groups)


def _from_cells(path: Path, sha256: str, label: str, columns: list[str], cells: list[list[str]]) -> Source:
    places = text_column(columns, label)
    if places is not None and not all(map(_is_number, cells[places[0]])):
        return text_source(path.name, sha256, cells[places[0]], _raw_labels(cells[places[1]]))
    place = _label(columns, label, path)
    features = [i for i in range(len(columns)) if i != place]
    x = np.array([_numbers(cells[i], columns[i], path) for i in features], dtype=np.float64).T
    return _table(path, sha256, x, _raw_labels(cells[place]), tuple(columns[i] for i in features))


def from_parquet(path: Path, label: str, described: Described) -> Source:
    """Read a Parquet table; sensitive columns as in a text table.

    Raises:
        Unreadable: no Parquet table.
        ShapeMismatch: a column that is no number.
        UnknownName: no such label column, with the nearest.
    """
    import pyarrow
    from pyarrow import parquet

    sha256, _ = of_file(path)
    try:
        table = parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as err:
        raise Unreadable(f"{uri(path)!r} is no readable Parquet table: {err}") from err
    columns = [str(name) for name in table.column_names]
    if not columns:
        raise Unreadable(f"{uri(path)!r} has no columns")
    described.among(columns, path.name)
    arrays = [table.column(i).to_numpy() for i in range(len(columns))]
    groups = {name: words_of(arrays[columns.index(name)]) for name in described.sensitive}
    kept = [i for i in range(len(columns)) if _is_kept(columns[i], arrays[i], described)]
    columns, arrays = [columns[i] for i in kept], [arrays[i] for i in kept]
    described.spares(label or columns[-1] if columns else label, path.name)
    place = _label(columns, label, path)
    features = [i for i in range(len(columns)) if i != place]
    for i in features:
        if arrays[i].dtype.kind not in "biuf":
            raise _no_numbers(columns[i], path, f"of type {table.schema.field(columns[i]).type}")
    x = np.column_stack([arrays[i].astype(np.float64) for i in features]) if features else np.zeros((len(table), 0))
    labels = arrays[place]
    texts = labels.astype(str) if labels.dtype == object else labels
    return _table(path, sha256, x, texts, tuple(columns[i] for i in features), groups)


def _is_kept(column: str, values: NDArray[Any], described: Described) -> bool:
    numbers = values.dtype.kind in "biuf"
    return column not in described.aside and (numbers or column not in described.sensitive)


def _table(
    path: Path,
    sha256: str,
    x: NDArray[Any],
    y: NDArray[Any],
    columns: tuple[str, ...],
    groups: Mapping[str, NDArray[Any]] | None = None,
) -> Source:
    if not columns:
        raise ShapeMismatch(f"{path.name!r} has a label column and no features")
    return Source(
        name=path.name,
        n=len(x),
        read=lambda start, stop: Rows(x=x[start:stop], labels=y[start:stop]),
        label_values=y,
        sha256=sha256,
        columns=columns,
        groups=groups or {},
    )


def _header(lines: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    first, second = lines[0], lines[1] if len(lines) > 1 else lines[0]
    texts = [not _is_number(cell) for cell in first]
    below = [not _is_number(cell) for cell in second]
    named = all(texts) or any(up and not low for up, low in zip(texts, below, strict=False))
    if named and len(lines) > 1:
        return [cell.strip() for cell in first], lines[1:]
    return [f"column{i}" for i in range(len(first))], lines


def _is_number(cell: str) -> bool:
    if cell.strip().lower() in _MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label(columns: list[str], wanted: str, path: Path) -> int:
    if not columns:
        raise ShapeMismatch(f"no column of {path.name!r} is left beside those that are sensitive or set aside")
    if not wanted:
        return len(columns) - 1
    if wanted not in columns:
        raise UnknownName.among(f"column in {path.name}", wanted, columns)
    return columns.index(wanted)


def _numbers(cells: list[str], column: str, path: Path) -> list[float]:
    try:
        return [float("nan") if cell.strip().lower() in _MISSING else float(cell) for cell in cells]
    except ValueError as err:
        row = next(i for i, cell in enumerate(cells) if not _is_number(cell))
        raise _no_numbers(column, path, f"such as {cells[row]!r} in row {row}") from err


def _no_numbers(column: str, path: Path, what: str) -> ShapeMismatch:
    return ShapeMismatch(
        f"column {column!r} of {path.name!r} holds values {what}; expected numbers",
        hint="encode it as numbers as the model was trained, or name it as the label column",
    )


def _raw_labels(cells: list[str]) -> NDArray[Any]:
    texts = [cell.strip() for cell in cells]
    if all(_is_number(cell) and cell.lower() not in _MISSING for cell in texts):
        return np.array([float(cell) for cell in texts])
    return np.array(texts, dtype=np.str_)
