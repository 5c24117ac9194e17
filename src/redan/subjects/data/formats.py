"""A path to its reader: by content where the format has a mark of its own, by name for text tables."""

from __future__ import annotations

from pathlib import Path

from redan.core.errors import Unreadable, UsageError
from redan.subjects.data import idx, images, npz, tables, texts
from redan.subjects.data.groups import EVERYTHING, Described
from redan.subjects.data.source import Source, Split
from redan.subjects.digests import uri

_TEXT = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}
_KNOWN = ".npz, .npy, .csv, .tsv, .jsonl, .parquet, IDX files, or a folder of images in class folders"


def from_path(path: Path, split: Split | None, label: str, described: Described = EVERYTHING) -> Source:
    """Choose the reader for a file or folder.

    Raises:
        Unreadable: no known format, empty or not permitted.
        UsageError: a split of data that has none.
    """
    if path.is_dir():
        return _from_folder(path, split, label, described)
    head = _head(path)
    if head[:4] == b"PK\x03\x04":
        return npz.from_npz(path, split, label, described)
    if split is not None:
        raise UsageError(f"{uri(path)!r} has no splits", hint=f"give the file of the {split} rows itself")
    if head[:6] == b"\x93NUMPY":
        return npz.from_npy(path, npz.labels_beside(path))
    if head[:4] == b"PAR1":
        return tables.from_parquet(path, label, described)
    if idx.is_idx(head) or head[:2] == b"\x1f\x8b":
        return idx.from_files(path, idx.labels_beside(path), name=path.name)
    if path.suffix.lower() in _TEXT:
        return tables.from_csv(path, label, described, delimiter=_TEXT[path.suffix.lower()])
    if path.suffix.lower() in _JSON_LINES:
        return texts.from_jsonl(path, label)
    raise Unreadable(f"{uri(path)!r} is of no format that Redan reads as data", hint=f"give {_KNOWN}")


def pair_of_files(inputs: Path, labels: Path) -> Source:
    """Read inputs and labels from two files, ``.npy`` or IDX.

    Raises:
        Unreadable: a file is missing or of another format.
    """
    heads = [_head(path) for path in (inputs, labels)]
    if all(head[:6] == b"\x93NUMPY" for head in heads):
        return npz.from_npy(inputs, labels)
    if all(idx.is_idx(head) or head[:2] == b"\x1f\x8b" for head in heads):
        return idx.from_files(inputs, labels, name=inputs.name)
    raise Unreadable(f"{uri(inputs)!r} and {uri(labels)!r} are not two .npy or two IDX files")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as err:
        raise Unreadable(f"cannot read {uri(path)!r}: {err.strerror}") from err
    if not head:
        raise Unreadable(f"{uri(path)!r} is empty")
    return head


def _from_folder(folder: Path, split: Split | None, label: str, described: Described) -> Source:
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError as err:
        raise Unreadable(f"cannot list {uri(folder)!r}: {err.strerror}") from err
    if not names:
        raise Unreadable(f"the folder {uri(folder)!r} is empty", hint=f"give {_KNOWN}")
    if idx.is_folder_of_idx(folder):
        return idx.from_folder(folder, split)
    if {"x.npy", "y.npy"} <= names and split is None:
        return npz.from_npy(folder / "x.npy", folder / "y.npy")
    for choice in (split,) if split else ("test",):
        if choice in names:
            return from_path(folder / choice, None, label, described)
        for suffix in (".npz", ".csv", ".parquet"):
            if f"{choice}{suffix}" in names:
                return from_path(folder / f"{choice}{suffix}", None, label, described)
    if split is not None:
        raise UsageError(f"{uri(folder)!r} has no split {split!r}", hint=f"expected a folder or file named {split}")
    return images.from_folder(folder)
