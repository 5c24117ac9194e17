"""Poisoned training data: four attacks as functions of clean data, a rate and a seed.

Rows are chosen by keyed draws, so the rows of a lower rate are among those of a higher one with the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import integers, sample_keys, uniform
from redan.kernels.poisons.triggers import blend, patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.poisons.triggers import Bounds, Trigger

_CHOICE, _OTHER = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Poisoned:
    """Training data with planted rows; the clean arrays stay as they were.

    Attributes:
        x: (n, …) inputs.
        y: (n,) int64 classes.
        mask: (n,) bool, true where a row was changed.
        trigger: what makes a model trained on it answer ``target``; None where labels alone were changed.
        target: class that the attacker wants; -1 where there is none.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]
    mask: NDArray[np.bool_]
    trigger: Trigger | None
    target: int


def badnets(
    x: NDArray[Any],
    y: NDArray[Any],
    rate: float,
    seed: int,
    *,
    target: int = 0,
    bounds: Bounds = (0.0, 1.0),
    side: int = 3,
) -> Poisoned:
    """Stamp a square on rows of other classes and call them the target.

    Args:
        x: (n, …) clean inputs.
        y: (n,) classes.
        rate: share of all rows that is planted, 0 to 1; fewer where there are not as many rows of other classes.
        seed: chooses the rows.
        target: class that the attacker wants.
        bounds: lowest and highest legal value.
        side: pixels along the square's edge, or columns.

    Source: Gu, Dolan-Gavitt & Garg 2017, "BadNets".

    Raises:
        ValueError: the rate is no share, or there is no row to plant on.
    """
    return _stamped(x, y, _rows(y, np.asarray(y) != target, rate, seed), patch(side=side, bounds=bounds), target)


def blended(
    x: NDArray[Any],
    y: NDArray[Any],
    rate: float,
    seed: int,
    *,
    target: int = 0,
    bounds: Bounds = (0.0, 1.0),
    share: float = 0.15,
) -> Poisoned:
    """Mix a fixed noise picture, drawn by the seed, into rows of other classes and call them the target.

    Arguments and errors as for `badnets`; ``share`` is the picture's weight.

    Source: Chen et al. 2017, "Targeted backdoor attacks on deep learning systems using data poisoning".
    """
    trigger = blend(share=share, seed=seed, bounds=bounds)
    return _stamped(x, y, _rows(y, np.asarray(y) != target, rate, seed), trigger, target)


def clean_label(
    x: NDArray[Any],
    y: NDArray[Any],
    rate: float,
    seed: int,
    *,
    target: int = 0,
    bounds: Bounds = (0.0, 1.0),
    side: int = 3,
    confusion: float = 0.5,
) -> Poisoned:
    """Make rows of the target class hard to learn and stamp squares on their corners; no label is changed.

    Each planted row is mixed with a row of another class, so that the square is the easier thing to learn. Arguments
    and errors as for `badnets`; ``confusion`` is the weight of the other row, below one half for a label that a
    person would still call right. With many planted rows hardly any plain row of the class is left: a rate near the
    share of the class teaches that the class is the trigger.

    Source: Turner, Tsipras & Madry 2019, "Label-consistent backdoor attacks", section 3, with interpolation between
    rows in place of a generative model's.
    """
    labels = np.asarray(y)
    mask = _rows(labels, labels == target, rate, seed)
    places = np.flatnonzero(mask)
    others = np.flatnonzero(labels != target)
    if not len(others):
        msg = f"every row is of class {target}: there is no other row to mix with"
        raise ValueError(msg)
    partners = others[integers(sample_keys(seed, "poisons.partner", places), (), len(others), stream=_OTHER)]
    mixed = np.array(x)
    mixed[places] = ((1 - confusion) * x[places] + confusion * x[partners]).astype(x.dtype)
    return _stamped(mixed, labels, mask, patch(side=side, bounds=bounds, corners=True), target)


def label_flips(
    x: NDArray[Any],
    y: NDArray[Any],
    rate: float,
    seed: int,
    *,
    n_classes: int | None = None,
    target: int | None = None,
) -> Poisoned:
    """Give rows another class: one drawn uniformly among the others, or always the target.

    Args:
        x: (n, …) clean inputs; not copied.
        y: (n,) classes.
        rate: share of all rows.
        seed: chooses rows and classes.
        n_classes: how many classes there are; the highest class plus one when None.
        target: class that the flipped rows get; their own class is another then.

    Source: Biggio, Nelson & Laskov 2012, "Poisoning attacks against support vector machines" (label noise).

    Raises:
        ValueError: the rate is no share, there is one class only, or no row to flip.
    """
    labels = np.array(y, np.int64)
    count = int(labels.max()) + 1 if n_classes is None else n_classes
    if count <= 1:
        msg = "labels cannot be flipped: there is one class only"
        raise ValueError(msg)
    mask = _rows(labels, np.ones(len(labels), bool) if target is None else labels != target, rate, seed)
    places = np.flatnonzero(mask)
    if target is None:
        shift = 1 + integers(sample_keys(seed, "poisons.flip", places), (), count - 1, stream=_OTHER)
        labels[places] = (labels[places] + shift) % count
    else:
        labels[places] = target
    return Poisoned(x=x, y=labels, mask=mask, trigger=None, target=-1 if target is None else target)


def _rows(y: NDArray[Any], allowed: NDArray[np.bool_], rate: float, seed: int) -> NDArray[np.bool_]:
    """Choose ``rate`` of all rows, rounded, at least one, among the allowed."""
    if not 0 < rate <= 1:
        msg = f"the rate is a share of the rows above 0 and up to 1, got {rate:g}"
        raise ValueError(msg)
    places = np.flatnonzero(allowed)
    if not len(places):
        msg = "there is no row that could be planted on"
        raise ValueError(msg)
    draws = uniform(sample_keys(seed, "poisons.rows", places), (), stream=_CHOICE)
    chosen = places[np.argsort(draws, kind="stable")[: max(1, round(rate * len(y)))]]
    mask = np.zeros(len(y), bool)
    mask[chosen] = True
    return mask


def _stamped(x: NDArray[Any], y: NDArray[Any], mask: NDArray[np.bool_], trigger: Trigger, target: int) -> Poisoned:
    stamped, labels = np.array(x), np.array(y, np.int64)
    stamped[mask] = trigger(stamped[mask])
    labels[mask] = target
    return Poisoned(x=stamped, y=labels, mask=mask, trigger=trigger, target=target)
