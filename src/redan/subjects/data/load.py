"""One door to data: look at what was given, find its format, read the rows asked for, check them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from redan.core.errors import UnknownName, Unreadable, UsageError, nearest
from redan.core.inputs import Dataset
from redan.subjects.data import arrays, builtin, formats
from redan.subjects.data.checks import check_inputs, check_lengths, window
from redan.subjects.data.groups import EVERYTHING, Described, parted
from redan.subjects.data.labels import class_indices, class_names
from redan.subjects.data.source import Source, Split
from redan.subjects.digests import uri
from redan.subjects.failures import needing

_SPLITS = ("train", "test")


@needing("reading this data")
def load_dataset(
    spec: Any,
    *,
    limit: int | None = None,
    offset: int = 0,
    label: str = "",
    classes: tuple[str, ...] = (),
    bounds: tuple[float, float] | None = None,
    name: str = "",
    sensitive: tuple[str, ...] = (),
    aside: tuple[str, ...] = (),
) -> Dataset:
    """Read data of any usual kind.

    Args:
        spec: ``(x, y)`` arrays or tensors, or ``(x, y, {column: values})`` with groups of people; a `Dataset`; a torch
            data set of the map style; a built-in name (``digits``, ``breast_cancer``, ``iris``, ``wine``,
            ``fashion-mnist``); or a path: ``.npz`` with x and y, ``X.npy`` or ``X.npy,Y.npy``, CSV, Parquet, a folder
            of images in class folders, an IDX file or folder. A name or a path may end in ``:train`` or ``:test`` where
            the data has splits.
        limit: at most so many rows; None for all.
        offset: rows to skip first.
        label: the label column of a table or the label array of an ``.npz``; the usual one when empty.
        classes: class names in the order of the model's outputs; labels that are no indices are looked up here.
        bounds: lowest and highest legal value; the format's own when None.
        name: what to call it; a name from the specification when empty.
        sensitive: columns that describe people: their values become groups. Columns of words are no inputs, columns
            of numbers are inputs as well unless they are set aside; of an ``.npz`` arrays of that name.
        aside: columns that the model is not given.

    Returns:
        The rows, with their positions in the source as ``indices``.

    Raises:
        Unreadable: missing, empty, damaged, or NaN or infinity among the inputs.
        ShapeMismatch: inputs are no numbers of one shape, or labels no classes.
        UsageError: the window lies beyond the end, or the words do not name data.
        MissingDependency: the library that reads this format is not installed.
    """
    described = Described(sensitive=sensitive, aside=aside)
    source = find_source(spec, label=label, described=described)
    start, stop = window(source.n, limit=limit, offset=offset, name=source.name)
    rows = source.read(start, stop)
    check_lengths(len(rows.x), len(rows.labels), source.name)
    values = rows.labels if source.label_values is None else source.label_values
    names = class_names(values, classes or source.classes)
    places = np.arange(start, stop, dtype=np.int64)
    groups = {column: texts[start:stop] for column, texts in source.groups.items()}
    x, columns, groups = parted(rows.x, source.columns, groups, described, source.name)
    return Dataset(
        x=check_inputs(x, source.name, columns),
        y=class_indices(rows.labels, names, source.name),
        name=name or source.name,
        sha256=rows.sha256 or source.sha256,
        indices=places if source.positions is None else source.positions[start:stop],
        columns=columns,
        classes=names,
        bounds=bounds or source.bounds,
        groups=groups,
    )


def find_source(spec: Any, *, label: str = "", described: Described = EVERYTHING) -> Source:
    """Find what holds the data and how to read it.

    Raises:
        UsageError: the specification is of no known kind.
        Unreadable: there is nothing at the path, or it is of no known format.
    """
    if isinstance(spec, (str, Path)):
        return _from_text(str(spec), label, described)
    if isinstance(spec, Dataset):
        return arrays.from_dataset(spec)
    if isinstance(spec, tuple) and len(spec) == 2:
        if all(isinstance(part, (str, Path)) for part in spec):
            return formats.pair_of_files(Path(spec[0]), Path(spec[1]))
        return arrays.from_pair(spec[0], spec[1], "arrays", described=described)
    if isinstance(spec, tuple) and len(spec) == 3 and isinstance(spec[2], Mapping):
        return arrays.from_pair(spec[0], spec[1], "arrays", spec[2], described)
    if _is_torch_dataset(spec):
        return arrays.from_torch(spec, type(spec).__name__)
    raise UsageError(
        f"{type(spec).__name__} is no data that Redan reads",
        hint="give (x, y), (x, y, {column: values}), a torch data set, a path or one of " + ", ".join(builtin.NAMES),
    )


def _is_torch_dataset(spec: Any) -> bool:
    module = sys.modules.get("torch.utils.data")
    return module is not None and isinstance(spec, module.Dataset)


def _from_text(text: str, label: str, described: Described) -> Source:
    if not text:
        raise UsageError("no data was named", hint="give a path or one of " + ", ".join(builtin.NAMES))
    path, split = Path(text), None
    if not path.exists():
        head, _, tail = text.rpartition(":")
        if head and tail in _SPLITS:
            text, path, split = head, Path(head), cast("Split", tail)
    if path.exists():
        return formats.from_path(path, split, label, described)
    if text in builtin.NAMES:
        return builtin.by_name(text, split)
    if "," in text:
        inputs, _, labels = text.partition(",")
        return formats.pair_of_files(Path(inputs.strip()), Path(labels.strip()))
    raise _nothing_there(text, path)


def _nothing_there(text: str, path: Path) -> UnknownName | Unreadable:
    if "/" in text or path.suffix:
        return Unreadable(f"there is no data at {uri(path)!r}", hint="check the path; it is relative to this folder")
    near = nearest(text.partition(":")[0], list(builtin.NAMES))
    return UnknownName(
        f"there is no data set named {text!r} and no file of that name",
        hint=f"did you mean {near!r}?" if near else f"built in: {', '.join(builtin.NAMES)}; or give a path",
    )
