"""A model that people can read, fitted to another model's answers, and how far it agrees with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 5
"""Ranges that a scorecard divides a column into, at most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surrogate:
    """A readable model.

    Attributes:
        kind: ``tree`` or ``scorecard``.
        agrees: (m,) bool, whether it gives the same answer as the model on rows it was not fitted to.
        text: the model itself, as people read it.
        size: leaves of a tree, lines of a scorecard.
    """

    kind: str
    agrees: NDArray[np.bool_]
    text: str
    size: int


def tree(
    x: NDArray[Any],
    answers: NDArray[Any],
    held: NDArray[Any],
    held_answers: NDArray[Any],
    *,
    leaves: int,
    columns: Sequence[str],
    classes: Sequence[str],
    seed: int,
) -> Surrogate:
    """Fit a small decision tree to a model's answers.

    Source: Craven & Shavlik 1996, "Extracting tree-structured representations of trained networks", section 2
    (fidelity), with CART in place of their tree.

    Args:
        x: (n, d) rows to fit to.
        answers: (n,) the model's classes for them.
        held: (m, d) other rows.
        held_answers: (m,) the model's classes for those.
        leaves: most leaves.
        columns: names of the d columns.
        classes: names of the classes.
        seed: breaks ties between splits.
    """
    from sklearn.tree import DecisionTreeClassifier, export_text

    fitted = DecisionTreeClassifier(max_leaf_nodes=max(2, leaves), min_samples_leaf=5, random_state=seed)
    fitted.fit(x, answers)
    names = [classes[int(c)] if int(c) < len(classes) else str(int(c)) for c in fitted.classes_]
    text = export_text(fitted, feature_names=list(columns), class_names=names, decimals=3)
    return Surrogate(
        kind="tree",
        agrees=np.asarray(fitted.predict(held) == held_answers),
        text=text,
        size=int(fitted.get_n_leaves()),
    )


def scorecard(
    x: NDArray[Any],
    answers: NDArray[Any],
    held: NDArray[Any],
    held_answers: NDArray[Any],
    *,
    columns: Sequence[str],
    classes: Sequence[str],
) -> Surrogate:
    """Fit points for ranges of each column, to be added up; the class with the most points is the answer.

    Source: logistic regression on binned columns as credit scorecards use it (Thomas, Edelman & Crook 2002, "Credit
    scoring and its applications", section 4.5), points rounded to whole numbers, ten to the logarithm of the odds.

    Args:
        x: (n, d) rows to fit to.
        answers: (n,) the model's classes for them, at least two different ones.
        held: (m, d) other rows.
        held_answers: (m,) the model's classes for those.
        columns: names of the d columns.
        classes: names of the classes.
    """
    from sklearn.linear_model import LogisticRegression

    edges = [np.unique(np.quantile(x[:, i], np.linspace(0, 1, BINS + 1)[1:-1])) for i in range(x.shape[1])]
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(_binned(x, edges), answers)
    points = np.round(10 * fitted.coef_)
    start = np.round(10 * fitted.intercept_)
    total = _binned(held, edges) @ points.T + start
    if len(fitted.classes_) == 2:
        chosen = fitted.classes_[(total[:, 0] > 0).astype(int)]
    else:
        chosen = fitted.classes_[total.argmax(axis=1)]
    text, size = _written(points, start, edges, columns, [_name(int(c), classes) for c in fitted.classes_])
    return Surrogate(kind="scorecard", agrees=np.asarray(chosen == held_answers), text=text, size=size)


def _name(index: int, classes: Sequence[str]) -> str:
    return classes[index] if index < len(classes) else str(index)


def _binned(x: NDArray[Any], edges: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Return one column of 0 and 1 for each range of each column."""
    parts = [np.eye(len(cuts) + 1)[np.searchsorted(cuts, x[:, i], side="right")] for i, cuts in enumerate(edges)]
    return np.concatenate(parts, axis=1)


def _written(
    points: NDArray[Any],
    start: NDArray[Any],
    edges: Sequence[NDArray[Any]],
    columns: Sequence[str],
    classes: Sequence[str],
) -> tuple[str, int]:
    heads = classes[1:] if len(points) == 1 else classes
    lines = ["points for " + ", ".join(heads), "start: " + ", ".join(f"{int(p):+d}" for p in start)]
    place = 0
    for name, cuts in zip(columns, edges, strict=True):
        for i in range(len(cuts) + 1):
            row = points[:, place]
            place += 1
            if not row.any():
                continue
            low = "" if i == 0 else f"{cuts[i - 1]:.4g} <= "
            high = "" if i == len(cuts) else f" < {cuts[i]:.4g}"
            lines.append(f"{low}{name}{high}: " + ", ".join(f"{int(p):+d}" for p in row))
    return "\n".join(lines) + "\n", len(lines) - 2
