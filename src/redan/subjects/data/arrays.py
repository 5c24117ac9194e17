"""Arrays and tensors in memory, and torch data sets of the map style."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, UsageError
from redan.subjects.data.checks import check_lengths
from redan.subjects.data.groups import EVERYTHING, Described, check_groups
from redan.subjects.data.source import Rows, Source
from redan.subjects.data.texts import as_texts

if TYPE_CHECKING:
    from redan.core.inputs import Dataset


def from_pair(
    x: Any, y: Any, name: str, groups: Mapping[str, Any] | None = None, described: Described = EVERYTHING
) -> Source:
    """Take inputs and labels that lie in memory, numpy, torch, pandas, lists, and perhaps groups by column.

    Raises:
        ShapeMismatch: not of one length, or rows of different shapes.
    """
    x, own = _without_words(x, described)
    inputs, labels = as_array(x, "inputs"), as_array(y, "labels")
    if inputs.ndim == 0 or labels.ndim == 0:
        raise ShapeMismatch(f"{name!r} is a single value; expected arrays (x, y)")
    check_lengths(len(inputs), len(labels), name)
    columns = tuple(str(column) for column in x.columns) if hasattr(x, "columns") else ()
    return Source(
        name=name,
        n=len(inputs),
        read=lambda start, stop: Rows(x=inputs[start:stop], labels=labels[start:stop]),
        label_values=labels,
        sha256=digest_of(inputs, labels),
        columns=columns,
        groups=check_groups({**own, **(groups or {})}, len(inputs), name),
    )


def _without_words(x: Any, described: Described) -> tuple[Any, dict[str, Any]]:
    """Take sensitive columns of words, and what is set aside, out of a data frame."""
    names = [str(column) for column in getattr(x, "columns", ())]
    own = {name: x[name].to_numpy() for name in described.sensitive if name in names}
    words = [name for name, values in own.items() if values.dtype.kind not in "biuf"]
    out = [name for name in names if name in (*words, *described.aside)]
    return (x.drop(columns=out) if out else x), own


def from_dataset(data: Dataset) -> Source:
    """Take a data set that was loaded before, with all that is known about it, so that a part of it can be chosen."""
    return Source(
        name=data.name,
        n=len(data),
        read=lambda start, stop: Rows(x=data.x[start:stop], labels=data.y[start:stop]),
        positions=data.indices,
        sha256=data.sha256,
        columns=data.columns,
        classes=data.classes,
        bounds=data.bounds,
        groups=data.groups,
    )


def from_torch(data: Any, name: str) -> Source:
    """Take a torch data set of the map style, ``len(data)`` and ``data[i] -> (x, y)``; only rows asked for are read.

    Raises:
        UsageError: it has no length or no rows by number.
    """
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise UsageError(
            f"{type(data).__name__} gives rows only in its own order",
            hint="give a data set with __len__ and __getitem__, or arrays (x, y)",
        )

    def read(start: int, stop: int) -> Rows:
        pairs = [_pair(data[i], i, name) for i in range(start, stop)]
        x, labels = (as_array([pair[side] for pair in pairs], what) for side, what in enumerate(("inputs", "labels")))
        return Rows(x=x, labels=labels, sha256=digest_of(x, labels))

    classes = getattr(data, "classes", ())
    return Source(
        name=name,
        n=len(data),
        read=read,
        classes=tuple(str(c) for c in classes) if isinstance(classes, (list, tuple)) else (),
    )


def _pair(item: Any, row: int, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    if not isinstance(item, (tuple, list)) or len(item) < 2:
        raise ShapeMismatch(f"row {row} of {name!r} is a {type(item).__name__}; expected (x, y)")
    return as_array(item[0], "inputs"), as_array(item[1], "labels")


def as_array(value: Any, what: str) -> NDArray[Any]:
    """Turn an array-like into numpy, from whatever device it lies on.

    Raises:
        ShapeMismatch: rows of different shapes.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, str) for item in value):
        return as_texts(list(value))
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as err:
        raise ShapeMismatch(f"the {what} do not form one array: {err}", hint="every row needs the same shape") from err


def digest_of(*arrays: NDArray[Any]) -> str:
    """Digest types, shapes and bytes of arrays."""
    digest = sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}:{array.shape}\n".encode())
        if array.dtype == object:
            digest.update(json.dumps(array.tolist(), default=str).encode())
        else:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
