"""A data set in memory: named columns, and arrays described by what can be said of each row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from redan.core.errors import MissingDependency

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["integer", "number", "boolean", "text"]
Value = int | float | bool | str | None
"""A cell as Python has it; None is a missing one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One column.

    Attributes:
        name: unique in its table.
        kind: what its cells are.
        dtype: how the file stores them.
        values: (n,) float64 for numbers and booleans (0 or 1), NaN where missing; (n,) objects (str) for text.
        missing: (n,) bool.
    """

    name: str
    kind: Kind
    dtype: str
    values: NDArray[Any]
    missing: NDArray[Any]

    def cell(self, row: int) -> Value:
        """Return one cell."""
        if self.missing[row]:
            return None
        value = self.values[row]
        if self.kind == "text":
            return str(value)
        if self.kind == "boolean":
            return bool(value)
        return int(value) if self.kind == "integer" else float(value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Array:
    """An array of one file, or the images of a folder.

    Attributes:
        name: of the array.
        dtype: of its elements.
        shape: of all of it; 0 for an axis that differs between images.
        rows: (n, k) float32: each row as it is, or made smaller when it is an image; None for what is no image.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    rows: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A data set.

    Attributes:
        name: file or folder name.
        n_rows: how many rows.
        columns: in the order of the file.
        arrays: empty for tables of text and Parquet.
    """

    name: str
    n_rows: int
    columns: tuple[Column, ...]
    arrays: tuple[Array, ...] = ()

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    def row(self, number: int) -> dict[str, Value]:
        """Return one row, counted from 0."""
        return {c.name: c.cell(number) for c in self.columns}


_EXTRAS = {"numpy": "arrays", "pyarrow": "data", "PIL": "data", "pandera": "datasets", "pandas": "datasets"}


@contextmanager
def needing(purpose: str) -> Iterator[None]:
    """Turn the absence of a library into the advice to install the extra that brings it; also a decorator.

    Raises:
        MissingDependency: naming library and extra.
    """
    try:
        yield
    except ModuleNotFoundError as err:
        library = (err.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        raise MissingDependency.of(library, _EXTRAS[library], purpose) from err
