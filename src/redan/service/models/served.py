"""One admitted version of one model, ready to answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.settings_service import ServedModel
    from redan.evidence.datasets.schema import Schema
    from redan.evidence.statements.decision import Decision
    from redan.subjects.detectors.served import Served as Detected

Role = Literal["live", "canary", "shadow", "standby", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a model answers to n rows: labels (n,) int64, and scores (n, k) or None."""

    labels: NDArray[Any]
    scores: NDArray[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """A version of a model that was admitted and loaded.

    Attributes:
        settings: as the configuration names it.
        digest: of what was admitted and loaded, as its statements, the audit log, detectors and findings name it,
            hexadecimal: SHA-256 of a file, ``dirHash`` of a folder; the same bytes, read once.
        decision: why it was admitted; None in a laboratory (``admission = "open"``).
        answer: maps rows (n, …) to answers; may block, may raise `redan.core.errors.SubjectError`.
        dtype: what rows are converted to.
        shape: of one row.
        columns: names of the columns of a table, or empty.
        classes: names of the classes, or empty.
        score_kind: what scores are.
        schema: what rows must fit, or None.
        detected: the model as detectors see it.
    """

    settings: ServedModel
    digest: str
    decision: Decision | None
    answer: Callable[[NDArray[Any]], Answers]
    dtype: Any
    shape: tuple[int, ...]
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    score_kind: Literal["logits", "probabilities", ""] = ""
    schema: Schema | None = None
    detected: Detected | None = field(default=None)

    @property
    def label(self) -> str:
        """``name@version``, as the audit log writes it."""
        return f"{self.settings.name}@{self.settings.version}"
