"""Two data sets, column beside column, as drift is measured on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import ShapeMismatch, UnknownName
from redan.evidence.datasets.reading import read_table
from redan.evidence.datasets.table import Column, Table, needing

if TYPE_CHECKING:
    from redan.kernels.drift.comparing import Sample


@needing("measuring drift")
def paired(
    reference: Path, current: Path, *, label: str = "", words: frozenset[str] = frozenset()
) -> tuple[tuple[Sample, ...], tuple[tuple[str, str], ...]]:
    """Read two data sets and match their columns by name.

    Args:
        reference: what the other is compared with.
        current: the data in question.
        label: a column whose values are classes, whatever their kind.
        words: columns of text tables that hold text.

    Returns:
        The columns that both have, and (column, why) for those that cannot be compared.

    Raises:
        Unreadable: one of them cannot be read.
        UnknownName: the reference has no column of the label's name.
        ShapeMismatch: they have no column in common.
    """
    one = read_table(reference, words=words)
    texts = words | {c.name for c in one.columns if c.kind == "text"}
    two = read_table(current, words=texts)
    if label and one.column(label) is None:
        raise UnknownName.among(f"column in {reference.name}", label, [c.name for c in one.columns])
    samples, left = [], []
    for column in one.columns:
        other = two.column(column.name)
        if other is None:
            left.append((column.name, f"{current.name!r} has no such column"))
        elif (column.kind == "text") != (other.kind == "text"):
            left.append((column.name, f"it holds {column.kind} in {reference.name!r} and {other.kind} here"))
        else:
            samples.append(_sample(column, other, as_text=column.name == label))
    left += [(c.name, f"{reference.name!r} has no such column") for c in two.columns if one.column(c.name) is None]
    if not samples:
        raise ShapeMismatch(
            f"{reference.name!r} and {current.name!r} have no column in common that can be compared",
            hint="give two files with the same columns",
        )
    pictures, odd = _pictures(one, two)
    return (*samples, *pictures), (*left, *odd)


def _sample(one: Column, two: Column, *, as_text: bool) -> Sample:
    import numpy as np

    from redan.kernels.drift.comparing import Sample

    text = as_text or one.kind in ("text", "boolean")
    sides = [_as_words(c) if text else c.values for c in (one, two)]
    gone = [c.missing if c.kind == "text" else ~np.isfinite(c.values) for c in (one, two)]
    return Sample(name=one.name, text=text, reference=sides[0], current=sides[1], missing=(gone[0], gone[1]))


def _as_words(column: Column) -> Any:
    import numpy as np

    if column.kind == "text":
        return column.values
    distinct, places = np.unique(column.values, return_inverse=True)
    names = np.array([f"{value:g}" for value in distinct], dtype=object)
    return names[places]


def _pictures(one: Table, two: Table) -> tuple[list[Sample], list[tuple[str, str]]]:
    """Add the main components of images that both have in the same size."""
    import numpy as np

    from redan.kernels.drift.columns import LEAST_ROWS
    from redan.kernels.drift.comparing import Sample
    from redan.kernels.drift.pictures import components

    samples, odd = [], []
    others = {a.name: a for a in two.arrays}
    for index, array in enumerate(one.arrays):
        # two files with one array each are compared whatever the arrays are called
        other = others.get(array.name) or (two.arrays[index] if len(one.arrays) == len(two.arrays) == 1 else None)
        if array.rows is None or other is None or other.rows is None:
            continue
        if array.rows.shape[1] != other.rows.shape[1]:
            odd.append((array.name, f"images of shape {array.shape[1:]} there and {other.shape[1:]} here"))
        elif min(len(array.rows), len(other.rows)) >= LEAST_ROWS:
            for i, (x, y) in enumerate(zip(*(p.T for p in components(array.rows, other.rows)), strict=True)):
                none = (np.zeros(len(x), dtype=bool), np.zeros(len(y), dtype=bool))
                samples.append(Sample(name=f"{array.name}.pc{i}", text=False, reference=x, current=y, missing=none))
    return samples, odd
