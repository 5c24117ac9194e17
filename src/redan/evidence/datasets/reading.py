"""A path to its table: CSV, TSV, Parquet, numpy files, IDX, a folder of images. Nothing that could run is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redan.core.errors import Unreadable
from redan.evidence.datasets.table import Column, Kind, Table, needing

MOST_TABLE_BYTES = 4 << 30
KNOWN = ".csv, .tsv, .parquet, .npz, .npy, IDX files (.gz too), or a folder of images"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def kind_of(path: Path) -> str:
    """Say what a file of a data set is, by its first bytes or, for text, its name: ``csv``, ``npz`` … or ``other``.

    Raises:
        Unreadable: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err
    ending = path.suffix.lower()
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:6] == b"\x93NUMPY":
        return "npy"
    if head[:4] == b"PK\x03\x04" and ending == ".npz":
        return "npz"
    if _is_idx(head) or (head[:2] == b"\x1f\x8b" and "ubyte" in path.name):
        return "idx"
    if _is_image(head):
        return "image"
    return ending[1:] if ending in _DELIMITERS else "other"


@needing("reading data")
def read_table(path: Path, *, words: frozenset[str] = frozenset()) -> Table:
    """Read a file or a folder of images as a table.

    Args:
        path: the file or folder.
        words: columns of a text table whose cells are text even where all of them look like numbers.

    Raises:
        Unreadable: of no known format, damaged, or beyond a limit.
        MissingDependency: the library that reads this format is not installed.
    """
    from redan.evidence.datasets import arrays, images, text

    if path.is_dir():
        return images.read_folder(path)
    kind = kind_of(path)
    if path.stat().st_size > MOST_TABLE_BYTES:
        raise Unreadable(f"{path.name!r} has more than {MOST_TABLE_BYTES} bytes", hint="give it in parts")
    if kind in ("csv", "tsv"):
        return text.read(path, _DELIMITERS[path.suffix.lower()], words=words)
    if kind == "parquet":
        return read_parquet(path)
    if kind in ("npz", "npy"):
        return arrays.read_numpy(path)
    if kind == "idx":
        return arrays.read_idx(path)
    raise Unreadable(f"{path.name!r} is of no format that Redan reads as a table", hint=f"give {KNOWN}")


def read_parquet(path: Path) -> Table:
    """Read a Parquet table; columns of other types than numbers, booleans and text become their text.

    Raises:
        Unreadable: no Parquet table, or more cells than are read.
    """
    import pyarrow
    from pyarrow import parquet

    from redan.evidence.datasets.text import MOST_CELLS

    try:
        with parquet.ParquetFile(path) as file:
            facts = file.metadata
            size_bytes = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
            if facts.num_rows * facts.num_columns > MOST_CELLS or size_bytes > MOST_TABLE_BYTES:
                raise Unreadable(f"{path.name!r} has more than {MOST_CELLS} cells or {MOST_TABLE_BYTES} bytes")
            table = file.read()
    except (pyarrow.ArrowException, OSError) as err:
        raise Unreadable(f"{path.name!r} is no readable Parquet table: {err}") from err
    names = [str(name) for name in table.column_names]
    if len(set(names)) < len(names):
        raise Unreadable(f"{path.name!r} has two columns of one name")
    columns = tuple(_arrow_column(name, table.column(i), pyarrow) for i, name in enumerate(names))
    return Table(name=path.name, n_rows=table.num_rows, columns=columns)


def _arrow_column(name: str, chunked: Any, pyarrow: Any) -> Column:
    import numpy as np

    of, dtype = pyarrow.types, str(chunked.type)
    kind: Kind = "text"
    if of.is_boolean(chunked.type):
        kind = "boolean"
    elif of.is_integer(chunked.type):
        kind = "integer"
    elif of.is_floating(chunked.type):
        kind = "number"
    missing = np.array(chunked.is_null(), dtype=bool)
    if kind == "text":
        words = np.empty(len(chunked), dtype=object)
        words[:] = ["" if v is None else str(v) for v in chunked.to_pylist()]
        return Column(name=name, kind=kind, dtype=dtype, values=words, missing=missing)
    values = chunked.cast(pyarrow.float64(), safe=False).to_numpy().astype(np.float64)
    missing = missing | np.isnan(values)
    return Column(name=name, kind=kind, dtype=dtype, values=values, missing=missing)


def _is_idx(head: bytes) -> bool:
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in (8, 9, 11, 12, 13, 14) and 1 <= head[3] <= 4


def _is_image(head: bytes) -> bool:
    marks = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
    return head.startswith(marks) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
