"""Which class a targeted attack heads for, and which rows it can be tried on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.inputs import Dataset

UNTARGETED = -1
"""Target that stands for any wrong class."""
LEAST_LIKELY = "least-likely"
"""Target that stands for the class of the lowest score of each input, other than its own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aim:
    """What a targeted attack is tried on.

    Attributes:
        data: the rows that do not belong to the target class already.
        classes: (n,) class each of them is to be taken for.
        name: the target as people read it.
    """

    data: Dataset
    classes: NDArray[np.int64]
    name: str


def aim(
    target: int | str, data: Dataset, names: tuple[str, ...], least_likely: Callable[[Dataset], NDArray[np.int64]]
) -> Aim | None:
    """Read a target; None means any wrong class.

    Args:
        target: −1, a class's number or name, or "least-likely".
        data: what is attacked.
        names: names of the classes, empty when unknown.
        least_likely: asks the model for the class of the lowest score of each row, other than its own.

    Raises:
        UsageError: there is no such class, or every row belongs to it.
    """
    if target == UNTARGETED:
        return None
    if target == LEAST_LIKELY:
        return Aim(data=data, classes=least_likely(data), name="the least likely class")
    number = _number(target, names)
    kept = np.asarray(data.y) != number
    if not kept.any():
        raise UsageError(f"every row of {data.name!r} belongs to the target class {target!r}", hint="choose another")
    rows = replace(data, x=data.x[kept], y=data.y[kept], indices=data.indices[kept])
    name = names[number] if number < len(names) else str(number)
    return Aim(data=rows, classes=np.full(int(kept.sum()), number, np.int64), name=f"class {name}")


def _number(target: int | str, names: tuple[str, ...]) -> int:
    if isinstance(target, str):
        if target in names:
            return names.index(target)
        known = f"one of {', '.join(names)}" if names else "a class's number, since the classes have no names"
        raise UsageError(f"target is {target!r}; expected {known} or {LEAST_LIKELY!r}")
    if target < 0 or (names and target >= len(names)):
        most = f"0 to {len(names) - 1}" if names else "0 or more"
        raise UsageError(f"target is {target}; expected a class, {most}, or −1 for any wrong class")
    return target
