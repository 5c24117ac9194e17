"""Where rows come from: every format becomes a `Source`, read only as far as it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """A run of rows as their format gives them.

    Attributes:
        x: (n, …) inputs.
        labels: (n,) raw labels: integers, text, booleans.
        sha256: digest of the bytes behind these rows, where only they were read; else empty.
    """

    x: NDArray[Any]
    labels: NDArray[Any]
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A data set that has been found and not yet read.

    Attributes:
        name: what people call it.
        n: how many rows there are.
        read: gives rows start to stop (exclusive).
        positions: position of each row in what it was taken from, where that differs from its place here.
        label_values: all raw labels, where they are cheap to have; they decide the order of named classes.
        sha256: digest of the whole; empty when it belongs to the rows that are read.
        columns: names of the columns of a table.
        classes: class names that the format itself knows.
        bounds: lowest and highest legal value.
        groups: (n,) texts of each column that describes people.
    """

    name: str
    n: int
    read: Callable[[int, int], Rows]
    positions: NDArray[Any] | None = None
    label_values: NDArray[Any] | None = None
    sha256: str = ""
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)
