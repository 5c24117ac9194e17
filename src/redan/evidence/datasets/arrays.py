"""Arrays as tables: numpy's files and IDX. Few numbers a row are columns; more are described by their statistics."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import Unreadable
from redan.evidence.datasets.table import Array, Column, Kind, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ARRAY_BYTES = 4 << 30
MOST_ARRAYS = 1000
MOST_COLUMNS = 256
"""A wider array is described by the statistics of each row."""
_SIDE = 14
_IDX = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_numpy(path: Path) -> Table:
    """Read an ``.npy`` or ``.npz`` file; every array in it has one row for each row of the data.

    Raises:
        Unreadable: damaged, holds pickled objects, beyond a limit, or arrays of different lengths.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(4) == b"PK\x03\x04":
                found = _members(stream, path.name)
            else:
                stream.seek(0)
                found = {path.stem: _plain(stream.read())}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, SyntaxError) as err:
        raise Unreadable(f"{path.name!r} holds no plain arrays: {err}", hint="numpy.savez(path, x=…, y=…)") from err
    return described(path.name, found)


def read_idx(path: Path) -> Table:
    """Read an IDX file, plain or gzipped.

    Raises:
        Unreadable: no IDX file, cut short or too large.
    """
    import numpy as np

    try:
        raw = path.read_bytes()
        data = _expanded(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, zlib.error) as err:
        raise Unreadable(f"cannot read {path.name!r}: {err}") from err
    n_axes = data[3] if len(data) > 3 and data[2] in _IDX else 0
    if not n_axes or len(data) < 4 + 4 * n_axes:
        raise Unreadable(f"{path.name!r} is no IDX file")
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(n_axes))
    dtype, n_cells = np.dtype(_IDX[data[2]]), 1
    for side in shape:
        n_cells *= side
    if len(data) != 4 + 4 * n_axes + n_cells * dtype.itemsize:
        raise Unreadable(f"{path.name!r} has {len(data)} bytes, which does not fit its header {shape}")
    array = np.frombuffer(data, dtype, offset=4 + 4 * n_axes).reshape(shape)
    return described(path.name, {path.name.partition(".")[0]: array})


def described(name: str, arrays: dict[str, NDArray[Any]]) -> Table:
    """Turn arrays with the same number of rows into a table.

    Raises:
        Unreadable: they differ in length, have no axis, or hold something else than numbers and text.
    """
    lengths = {len(a) if a.ndim else -1 for a in arrays.values()}
    if len(lengths) != 1 or -1 in lengths:
        shapes = ", ".join(f"{key} {a.shape}" for key, a in arrays.items())
        raise Unreadable(f"the arrays of {name!r} are not of one length: {shapes or 'none'}")
    columns = tuple(column for key, a in arrays.items() for column in _columns(key, a, name))
    facts = tuple(
        Array(name=key, dtype=str(a.dtype), shape=a.shape, rows=smaller(a) if a.ndim > 2 else None)
        for key, a in arrays.items()
    )
    return Table(name=name, n_rows=lengths.pop(), columns=columns, arrays=facts)


def smaller(images: NDArray[Any]) -> NDArray[Any]:
    """Make each image of (n, h, w), (n, h, w, c) or (n, c, h, w) at most 14 by 14 by averaging: (n, k) float32."""
    import numpy as np

    grey = images
    if images.ndim == 4:
        grey = images.mean(axis=1 if images.shape[1] <= 4 < images.shape[3] else 3, dtype=np.float32)
    if grey.ndim != 3 or 0 in grey.shape:
        return np.asarray(images.reshape(len(images), -1)[:, : _SIDE * _SIDE], dtype=np.float32)
    for axis in (1, 2):
        starts = np.unique(np.linspace(0, grey.shape[axis], min(_SIDE, grey.shape[axis]), endpoint=False).astype(int))
        widths = np.diff([*starts, grey.shape[axis]]).reshape((-1, 1) if axis == 1 else (-1,))
        grey = np.add.reduceat(grey, starts, axis=axis, dtype=np.float32) / widths
    return np.asarray(grey.reshape(len(grey), -1), dtype=np.float32)


def statistics(name: str, dtype: str, rows: NDArray[Any]) -> tuple[Column, ...]:
    """Describe (n, k) numbers by lowest, highest, mean and standard deviation of each row."""
    import numpy as np

    if rows.shape[1] == 0:
        raise Unreadable(f"the rows of {name!r} are empty")
    found = {
        "min": rows.min(axis=1).astype(np.float64),
        "max": rows.max(axis=1).astype(np.float64),
        "mean": rows.mean(axis=1, dtype=np.float64),
        "std": rows.std(axis=1, dtype=np.float64),
    }
    return tuple(_numbers(f"{name}.{key}", "number", dtype, values) for key, values in found.items())


def _columns(key: str, array: NDArray[Any], name: str) -> tuple[Column, ...]:
    import numpy as np

    letter = array.dtype.kind
    if letter == "U" and array.ndim == 1:
        words = array.astype(object)
        return (Column(name=key, kind="text", dtype=str(array.dtype), values=words, missing=words == ""),)
    if letter not in "biuf":
        raise Unreadable(f"the array {key!r} of {name!r} is of type {array.dtype}; expected numbers or text")
    kinds: dict[str, Kind] = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}
    kind, dtype = kinds[letter], str(array.dtype)
    if array.ndim == 1:
        return (_numbers(key, kind, dtype, array.astype(np.float64)),)
    if array.ndim == 2 and array.shape[1] <= MOST_COLUMNS:
        return tuple(
            _numbers(f"{key}[{i}]", kind, dtype, array[:, i].astype(np.float64)) for i in range(array.shape[1])
        )
    return statistics(key, dtype, array.reshape(len(array), -1) if len(array) else np.zeros((0, 1)))


def _numbers(name: str, kind: Kind, dtype: str, values: NDArray[Any]) -> Column:
    import numpy as np

    return Column(name=name, kind=kind, dtype=dtype, values=values, missing=np.isnan(values))


def _plain(data: bytes) -> NDArray[Any]:
    """Read an array; numpy itself would reserve whatever memory the header asks for."""
    import numpy as np

    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, by_columns, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} of the format")
    if dtype.hasobject:
        raise ValueError("pickled objects, which could run code")
    n_cells = math.prod(shape)
    if len(data) - stream.tell() != n_cells * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes do not fit the header's shape {shape}")
    flat = np.frombuffer(data, dtype, count=n_cells, offset=stream.tell())
    return flat.reshape(shape, order="F" if by_columns else "C")


def _members(stream: Any, name: str) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
        if len(infos) > MOST_ARRAYS or sum(i.file_size for i in infos) > MOST_ARRAY_BYTES:
            raise Unreadable(f"{name!r} has more than {MOST_ARRAYS} arrays or {MOST_ARRAY_BYTES} bytes")
        found = {}
        for info in infos:
            with archive.open(info) as member:
                # a member ends where its header of the archive says, so a header of numpy cannot ask for more
                data = member.read(info.file_size + 1)
            if info.filename.endswith(".npy"):
                found[info.filename[:-4]] = _plain(data)
    return found


def _expanded(raw: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    data = stream.decompress(raw, MOST_ARRAY_BYTES)
    if not stream.eof:
        raise zlib.error(f"cut short, or more than {MOST_ARRAY_BYTES} bytes")
    return data
