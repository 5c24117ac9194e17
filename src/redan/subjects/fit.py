"""Do model and data fit together? Asked early, with a few rows, so that nobody waits for an hour to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from redan.core.errors import ShapeMismatch, SubjectFailed
from redan.core.subject import Labels, Scores, require
from redan.subjects.failures import needing

with needing("comparing a model with its data"):
    import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset
    from redan.core.subject import Subject

PROBED_ROWS = 8


def check_fit(subject: Subject, dataset: Dataset) -> None:
    """Ask the model about a few rows and compare everything that can be compared.

    Raises:
        CapabilityMissing: the subject predicts nothing.
        ShapeMismatch: input shape, number of classes, class names or value range do not fit.
        SubjectFailed: the model raised or answered something that is no prediction.
    """
    require(subject, "labels")
    x = dataset.x[:PROBED_ROWS]
    if len(x) == 0:
        raise ShapeMismatch(f"{dataset.name!r} has no rows", hint="choose another offset or limit")
    _check_names(subject, dataset)
    _check_range(subject, dataset)
    name = subject.ref.name
    _check_labels(cast("Labels", subject).labels(x), len(x), name)
    n_classes = len(subject.classes)
    if "scores" in subject.capabilities:
        n_classes = _check_scores(cast("Scores", subject).scores(x), len(x), subject)
    if n_classes:
        _check_classes(dataset, n_classes, name)


def _check_names(subject: Subject, dataset: Dataset) -> None:
    ours, theirs = subject.classes, dataset.classes
    if ours and theirs and ours != theirs and set(ours) == set(theirs):
        raise ShapeMismatch(
            f"model and data name the same classes in another order: {_list(ours)} against {_list(theirs)}",
            hint="load the data with classes= in the order of the model's outputs",
        )


def _check_range(subject: Subject, dataset: Dataset) -> None:
    if subject.bounds is None or not np.issubdtype(dataset.x.dtype, np.number):
        return
    low, high = float(dataset.x.min()), float(dataset.x.max())
    slack = 1e-6 * (subject.bounds[1] - subject.bounds[0])
    if low < subject.bounds[0] - slack or high > subject.bounds[1] + slack:
        raise ShapeMismatch(
            f"the data lies in [{low:g}, {high:g}], outside of the model's bounds "
            f"[{subject.bounds[0]:g}, {subject.bounds[1]:g}]",
            hint="give the bounds of the data as its owner passes it, or rescale the data",
        )


def _check_labels(labels: NDArray[Any], n: int, name: str) -> None:
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer) or (labels < 0).any():
        raise SubjectFailed(
            f"{name!r} answered {n} inputs with labels of shape {labels.shape} and type {labels.dtype}; "
            f"expected {n} class indices from 0",
        )


def _check_scores(scores: NDArray[Any], n: int, subject: Subject) -> int:
    name = subject.ref.name
    if scores.ndim != 2 or len(scores) != n:
        raise ShapeMismatch(
            f"{name!r} answered {n} inputs with scores of shape {scores.shape}; expected ({n}, classes)"
        )
    if subject.classes and len(subject.classes) != scores.shape[1]:
        raise ShapeMismatch(
            f"{name!r} has {scores.shape[1]} outputs and {len(subject.classes)} class names: {_list(subject.classes)}",
            hint="give classes= with one name for each output, in order",
        )
    return int(scores.shape[1])


def _check_classes(dataset: Dataset, n_classes: int, name: str) -> None:
    highest = int(dataset.y.max())
    if highest >= n_classes:
        row = int(dataset.indices[np.flatnonzero(dataset.y == highest)[0]])
        raise ShapeMismatch(
            f"{dataset.name!r} has label {highest} (first in row {row}) and {name!r} knows {n_classes} classes, "
            f"0 to {n_classes - 1}",
            hint="labels are class indices from 0 in the order of the model's outputs",
        )


def _list(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown}, … ({len(names)})"
