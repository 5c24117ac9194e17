"""IDX, the format of MNIST and its relatives, plain or gzipped; a folder of them in the usual layout."""

from __future__ import annotations

import gzip
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, Unreadable
from redan.subjects.data.checks import check_lengths
from redan.subjects.data.source import Rows, Source, Split
from redan.subjects.digests import uri

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PREFIX: dict[Split, str] = {"test": "t10k", "train": "train"}
_MOST_BYTES = 4 << 30


def is_idx(head: bytes) -> bool:
    """Whether the first bytes are an IDX header: two zero bytes, a known type, one to four axes."""
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in _TYPES and 1 <= head[3] <= 4


def from_folder(folder: Path, split: Split | None) -> Source:
    """Take the images and labels of one split from a folder with MNIST's file names.

    Raises:
        Unreadable: one of the two files is missing or is no IDX file.
    """
    prefix = _PREFIX[split or "test"]
    images, labels = (_member(folder, f"{prefix}-{kind}") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    return from_files(images, labels, name=f"{folder.name}:{split or 'test'}")


def from_files(images: Path, labels: Path, *, name: str) -> Source:
    """Read images (n, h, w) as (n, 1, h, w) float32 in [0, 1], and their labels.

    Raises:
        Unreadable: a file is no IDX file or is cut short.
        ShapeMismatch: the images are no images or the labels no list.
    """
    digest = sha256()
    pixels, y = (_array(path, digest) for path in (images, labels))
    if pixels.ndim != 3 or pixels.dtype != np.uint8 or y.ndim != 1:
        raise ShapeMismatch(
            f"{uri(images)!r} has shape {pixels.shape} and {uri(labels)!r} {y.shape}; "
            "expected byte images (n, height, width) and labels (n,)"
        )
    check_lengths(len(pixels), len(y), name)

    def read(start: int, stop: int) -> Rows:
        x = pixels[start:stop, None].astype(np.float32) / np.float32(255)
        return Rows(x=x, labels=y[start:stop])

    return Source(name=name, n=len(pixels), read=read, label_values=y, sha256=digest.hexdigest(), bounds=(0.0, 1.0))


def labels_beside(images: Path) -> Path:
    """Return the label file that belongs to an image file.

    Raises:
        Unreadable: there is none.
    """
    other = images.with_name(images.name.replace("images", "labels").replace("idx3", "idx1"))
    if other == images or not other.is_file():
        raise Unreadable(f"{uri(images)!r} has no label file beside it", hint="give the folder that holds both files")
    return other


def is_folder_of_idx(folder: Path) -> bool:
    """Whether a folder has MNIST's file names."""
    return any(folder.glob("*-images-idx3-ubyte*"))


def _member(folder: Path, stem: str) -> Path:
    for ending in ("", ".gz"):
        if (folder / (stem + ending)).is_file():
            return folder / (stem + ending)
    raise Unreadable(f"{uri(folder)!r} has no file {stem} or {stem}.gz")


def _array(path: Path, digest: Any) -> NDArray[Any]:
    try:
        raw = path.read_bytes()
        digest.update(raw)
        data = _expanded(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as err:
        raise Unreadable(f"cannot read {uri(path)!r}: {err}") from err
    if not is_idx(data[:4]):
        raise Unreadable(f"{uri(path)!r} is no IDX file: it starts with {data[:4].hex(' ') or 'nothing'}")
    axes = data[3]
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", axes, 4)) if len(data) >= 4 + 4 * axes else ()
    dtype = np.dtype(_TYPES[data[2]])
    expected = 4 + 4 * axes + dtype.itemsize * int(np.prod([*shape], dtype=object))
    if not shape or len(data) != expected:
        raise Unreadable(f"{uri(path)!r} has {len(data)} bytes; its header {shape} asks for {expected}")
    return np.frombuffer(data, dtype, offset=4 + 4 * axes).reshape(shape)


def _expanded(raw: bytes) -> bytes:
    # bounded, so that a small hostile file cannot fill the memory
    stream = zlib.decompressobj(wbits=31)
    data = stream.decompress(raw, _MOST_BYTES)
    if not stream.eof and len(data) < _MOST_BYTES:
        raise EOFError("the compressed data is cut short")
    if not stream.eof:
        raise gzip.BadGzipFile(f"expands to more than {_MOST_BYTES} bytes")
    return data
