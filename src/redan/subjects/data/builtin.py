"""Data sets by name: four that scikit-learn brings, and Fashion-MNIST from its Debian package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import Unreadable
from redan.subjects.data import idx
from redan.subjects.data.arrays import digest_of
from redan.subjects.data.source import Rows, Source, Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

FASHION_FOLDERS = (
    Path("/usr/share/datasets/fashion-mnist"),
    Path("/usr/share/dataset-fashion-mnist"),
    Path("/usr/local/share/datasets/fashion-mnist"),
)
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
TEST_EVERY = 5


def _digits(bunch: Any) -> tuple[NDArray[Any], tuple[float, float] | None]:
    return (bunch.images[:, None] / 16.0).astype(np.float32), (0.0, 1.0)


def _table(bunch: Any) -> tuple[NDArray[Any], tuple[float, float] | None]:
    return np.asarray(bunch.data, dtype=np.float64), None


_SKLEARN: dict[str, Callable[[Any], tuple[NDArray[Any], tuple[float, float] | None]]] = {
    "digits": _digits,
    "breast_cancer": _table,
    "iris": _table,
    "wine": _table,
}
NAMES = (*_SKLEARN, "fashion-mnist")


def by_name(name: str, split: Split | None) -> Source:
    """Return a bundled data set.

    The sets of scikit-learn have no official split: ``:test`` is every fifth row, ``:train`` the others, no split all.
    Digits are images (n, 1, 8, 8) in [0, 1]; the tables keep their units.

    Raises:
        Unreadable: Fashion-MNIST is not on this machine.
    """
    return _fashion(split) if name == "fashion-mnist" else _bundled(name, split)


def _fashion(split: Split | None) -> Source:
    for folder in FASHION_FOLDERS:
        if idx.is_folder_of_idx(folder):
            source = idx.from_folder(folder, split)
            return replace(source, name=f"fashion-mnist:{split or 'test'}", classes=FASHION_CLASSES)
    raise Unreadable(
        "Fashion-MNIST is not on this machine",
        hint="apt-get install dataset-fashion-mnist, or give the folder with its four IDX files instead of the name",
    )


def _bundled(name: str, split: Split | None) -> Source:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    x, bounds = _SKLEARN[name](bunch)
    y = np.asarray(bunch.target, dtype=np.int64)
    chosen = _rows(len(x), split)
    return Source(
        name=f"{name}:{split}" if split else name,
        n=len(chosen),
        read=lambda start, stop: Rows(x=x[chosen[start:stop]], labels=y[chosen[start:stop]]),
        positions=chosen,
        label_values=y,
        sha256=digest_of(x, y),
        columns=() if x.ndim > 2 else tuple(str(c) for c in bunch.feature_names),
        classes=tuple(str(c) for c in bunch.target_names),
        bounds=bounds,
    )


def _rows(n: int, split: Split | None) -> NDArray[Any]:
    every: NDArray[Any] = np.arange(n, dtype=np.int64)
    if split is None:
        return every
    tested: NDArray[Any] = every % TEST_EVERY == TEST_EVERY - 1
    chosen: NDArray[Any] = every[tested] if split == "test" else every[~tested]
    return chosen
