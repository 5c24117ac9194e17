"""What a probe or mitigation may need beside the subject: data and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from redan.core.constraints import Rules
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Inputs with their true classes.

    Attributes:
        x: (n, …) inputs as the owner of the model passes them.
        y: (n,) int64 class indices.
        name: what people call it.
        sha256: digest of the bytes it came from or of the arrays themselves.
        indices: (n,) int64 position of each row in its source; the key of every random draw made for it.
        columns: names of the columns for tabular data, else empty.
        classes: class names in label order, else empty.
        bounds: lowest and highest legal value, or None when unknown.
        groups: (n,) values, as text, of each column that describes people, whether the model takes it or not.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    name: str
    sha256: str
    indices: NDArray[Any]
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def rows(self, chosen: Any) -> Dataset:
        """Return some rows, by position or by mask, with their indices and groups."""
        return replace(
            self,
            x=self.x[chosen],
            y=self.y[chosen],
            indices=self.indices[chosen],
            groups={name: values[chosen] for name, values in self.groups.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """The data roles.

    Attributes:
        test: what the model is measured on; never used for any choice.
        train: what the model was trained on, for privacy, poisoning and hardening.
        reference: data of the same kind that neither training nor test has seen.
        canary: records planted to be looked for.
        sensitive: names of the columns that describe people.
        constraints: what may change in a row of a table.
        recipe: how the model is trained, where its owner says so.
    """

    test: Dataset | None = None
    train: Dataset | None = None
    reference: Dataset | None = None
    canary: Dataset | None = None
    sensitive: tuple[str, ...] = ()
    constraints: Rules = field(default_factory=Rules)
    recipe: Recipe | None = None

    def role(self, name: str) -> Dataset:
        """Return the data of a role.

        Raises:
            UsageError: none was given.
        """
        data: Dataset | None = getattr(self, name)
        if data is None:
            raise UsageError(
                f"this needs {name} data and none was given",
                hint=f"pass {name}=(x, y) or set [data] {name} in redan.toml",
            )
        return data
