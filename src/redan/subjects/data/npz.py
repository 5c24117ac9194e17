"""Numpy's own files: ``.npz`` with x and y, or two ``.npy`` files. Pickled objects inside are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import UnknownName, Unreadable
from redan.subjects.data.checks import check_lengths
from redan.subjects.data.groups import Described, check_groups
from redan.subjects.data.source import Rows, Source, Split
from redan.subjects.digests import of_file, uri

if TYPE_CHECKING:
    from collections.abc import Sequence

_INPUTS = ("x", "X", "data", "inputs", "images", "features")
_LABELS = ("y", "Y", "labels", "label", "targets", "target")


def from_npz(path: Path, split: Split | None, label: str, described: Described) -> Source:
    """Read ``x`` and ``y`` (or ``x_test``, ``y_test`` …), and sensitive columns by name, from an ``.npz`` file.

    Raises:
        Unreadable: no archive of arrays, or one that holds pickled objects.
        UnknownName: the arrays are called otherwise.
    """
    sha256, _ = of_file(path)
    try:
        # opened here, since numpy leaves the file open when it is no archive
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            names = list(archive.files)
            endings = (f"_{split}",) if split else ("", "_test")
            x = archive[_find(names, _INPUTS, endings, path, "inputs")]
            wanted = (label,) if label else _LABELS
            y = archive[_find(names, wanted, ("",) if label else endings, path, "labels")]
            groups = {name: archive[_find(names, (name,), endings, path, name)] for name in described.sensitive}
    except (ValueError, OSError, BadZipFile, EOFError) as err:
        raise _refusal(path, err) from err
    source = _pair(x, y, path, sha256)
    return replace(source, groups=check_groups(groups, source.n, path.name))


def from_npy(x_path: Path, y_path: Path) -> Source:
    """Read inputs and labels from two ``.npy`` files.

    Raises:
        Unreadable: one of them is no array, or holds pickled objects.
    """
    digests = ":".join(of_file(path)[0] for path in (x_path, y_path))
    x, y = (_array(path) for path in (x_path, y_path))
    return _pair(x, y, x_path, digests)


def labels_beside(path: Path) -> Path:
    """Return the label file that belongs to an ``x.npy``: the same name with y for x, or labels for data.

    Raises:
        Unreadable: there is none.
    """
    swaps = (("x", "y"), ("X", "y"), ("X", "Y"), ("data", "labels"), ("images", "labels"), ("inputs", "labels"))
    for inputs, labels in swaps:
        other = path.with_name(path.name.replace(inputs, labels, 1))
        if inputs in path.name and other != path and other.is_file():
            return other
    raise Unreadable(
        f"{uri(path)!r} has inputs and no label file beside it",
        hint="name both files: X.npy,Y.npy, or save them together with numpy.savez(x=…, y=…)",
    )


def _array(path: Path) -> NDArray[Any]:
    try:
        loaded: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as err:
        raise _refusal(path, err) from err
    return loaded


def _refusal(path: Path, err: Exception) -> Unreadable:
    if "allow_pickle" in str(err):
        return Unreadable(
            f"{uri(path)!r} holds pickled objects, which could run code, so it is not read",
            hint="save plain number and text arrays: array.astype(float), array.astype(str)",
        )
    return Unreadable(f"{uri(path)!r} is no numpy file: {err}", hint="save it with numpy.savez(path, x=…, y=…)")


def _find(names: list[str], wanted: Sequence[str], endings: Sequence[str], path: Path, what: str) -> str:
    for ending in endings:
        for name in wanted:
            if name + ending in names:
                return name + ending
    error = UnknownName.among(f"array of {what} in {path.name}", wanted[0] + endings[0], names)
    if error.hint.startswith("known"):
        error.hint = f"it holds {', '.join(names) or 'nothing'}; call the arrays x and y"
    raise error


def _pair(x: NDArray[Any], y: NDArray[Any], path: Path, sha256: str) -> Source:
    n_inputs, n_labels = (len(array) if array.ndim else 0 for array in (x, y))
    check_lengths(n_inputs, n_labels, path.name)
    return Source(
        name=path.name,
        n=n_inputs,
        read=lambda start, stop: Rows(x=x[start:stop], labels=y[start:stop]),
        label_values=y,
        sha256=sha256,
    )
