"""Raw labels to class indices 0 … k−1 and class names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch


def class_names(values: NDArray[Any], given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in index order: those given, else the sorted different texts, else none for numbers."""
    if given or not _is_text(values):
        return given
    return tuple(sorted({str(value) for value in values.tolist()}))


def class_indices(labels: NDArray[Any], classes: tuple[str, ...], name: str) -> NDArray[Any]:
    """Turn raw labels into class indices.

    Args:
        labels: (n,) integers, whole floats, booleans or texts, or (n, k) with a single 1 in each row.
        classes: class names in index order, empty when unknown. Texts are looked up here, and so are numbers that
            are no indices, such as −1 and 1.
        name: of the data, for messages.

    Returns:
        (n,) int64 in 0 … k−1.

    Raises:
        ShapeMismatch: a label is no class.
    """
    flat = _one_axis(labels, name)
    if _is_text(flat):
        return _looked_up([str(value) for value in flat.tolist()], classes, name)
    whole = _whole(flat, name)
    n_classes = len(classes) or None
    if whole.min(initial=0) < 0 or (n_classes and whole.max(initial=0) >= n_classes):
        return _looked_up([str(value) for value in whole.tolist()], classes, name)
    return whole


def _is_text(labels: NDArray[Any]) -> bool:
    return labels.dtype.kind in "USO" and not _all_numbers(labels)


def _all_numbers(labels: NDArray[Any]) -> bool:
    return labels.dtype == object and all(isinstance(value, (int, float, np.number)) for value in labels.tolist())


def _one_axis(labels: NDArray[Any], name: str) -> NDArray[Any]:
    if labels.ndim == 1:
        return labels
    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.ndim == 2 and np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all():
        ones: NDArray[Any] = labels.argmax(axis=1)
        return ones
    raise ShapeMismatch(
        f"the labels of {name!r} have shape {labels.shape}; expected one class for each row",
        hint="give class indices of shape (rows,), or exactly one 1 in each row",
    )


def _whole(labels: NDArray[Any], name: str) -> NDArray[Any]:
    numbers = labels.astype(np.float64) if labels.dtype.kind in "fO" else labels
    if numbers.dtype.kind == "f" and not (np.isfinite(numbers) & (numbers == np.floor(numbers))).all():
        first = int(np.flatnonzero(~(np.isfinite(numbers) & (numbers == np.floor(numbers))))[0])
        raise ShapeMismatch(
            f"the label of row {first} of {name!r} is {labels[first]!r}; expected a class, 0, 1, 2 …",
            hint="Redan measures classifiers; name the label column if another one was taken",
        )
    return numbers.astype(np.int64)


def _looked_up(labels: list[str], classes: tuple[str, ...], name: str) -> NDArray[Any]:
    index = {text: position for position, text in enumerate(classes)}
    for row, label in enumerate(labels):
        if label not in index:
            raise ShapeMismatch(
                f"row {row} of {name!r} has label {label!r}; expected "
                + (f"one of {', '.join(classes[:8])} or an index below {len(classes)}" if classes else "0, 1, 2 …"),
                hint="give classes= with the label values in the order of the model's outputs",
            )
    return np.array([index[label] for label in labels], dtype=np.int64)
