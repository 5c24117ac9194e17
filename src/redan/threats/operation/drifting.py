"""What both monitors of drift share: a reference, counts of the stream, the finding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import EvidenceError, Unreadable
from redan.core.finding import Finding, Location, Quantity, Table
from redan.kernels.drift.profile import BINS, Profile, profile
from redan.kernels.drift.stream import Counted, most_evident, stabilities, stability
from redan.threats.operation.threat import THREAT

if TYPE_CHECKING:
    from redan.core.probe import Spec

LEVEL = 0.01
LEAST_INDEX = 0.1
"""A smaller change is none worth telling, however certain it is."""
BASELINE_ROWS = 2000
"""Rows that a monitor without a reference learns from first."""
MOST_TOLD = 20
_NO_EDGE = np.finfo(np.float64).max


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """What a monitor of drift watches.

    Attributes:
        subject: what findings are about.
        model: digest of the model.
        level: probability of ever raising a false finding.
        profile: the reference.
    """

    subject: str
    model: str
    level: float
    profile: Profile

    def about(self, spec: Spec) -> dict[str, Any]:
        """Return the words of the monitor's file."""
        names = list(self.profile.names)
        return {"rule": spec.id, "subject": self.subject, "model": self.model, "level": self.level, "names": names}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], spec: Spec, model: str) -> Watched:
        """Read back what `about` and the profile gave.

        Raises:
            EvidenceError: it was made for another model.
            Unreadable: the file says something else.
        """
        try:
            names, level = tuple(str(name) for name in about["names"]), float(about["level"])
            edges = np.asarray(arrays["edges"], np.float64)
            edges = np.where(edges >= _NO_EDGE, np.inf, edges)
            counts = np.asarray(arrays["counts"], np.int64)
            found = cls(
                subject=str(about["subject"]),
                model=str(about["model"]),
                level=level,
                profile=Profile(names=names, edges=edges, counts=counts),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as err:
            raise Unreadable(f"this is no {spec.name} monitor: {type(err).__name__} {err}") from err
        d = len(names)
        if edges.shape != (d, BINS - 1) or counts.shape != (d, BINS + 1) or (counts < 0).any() or not 0 < level < 1:
            raise Unreadable(f"this is no {spec.name} monitor: its arrays do not fit together")
        if found.model != model:
            raise EvidenceError(
                f"the {spec.name} monitor was made for model {found.model[:16]}, and this is {model[:16]}",
                hint="calibrate it for this model",
            )
        return found


class Drifting:
    """Counts of a stream against a reference.

    Args:
        made: the reference.
        counted: what was counted already.
    """

    spec: ClassVar[Spec]
    what: ClassVar[str]
    detail: ClassVar[str]

    def __init__(self, made: Watched, counted: Counted | None = None) -> None:
        self.made = made
        self._counted = counted or Counted.nothing(made.profile.counts.shape)

    @property
    def n(self) -> int:
        """Rows that were counted."""
        return int(self._counted.total[0].sum()) if len(self._counted.total) else 0

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        # files hold finite numbers alone
        edges = np.minimum(self.made.profile.edges, _NO_EDGE)
        arrays = {"edges": edges, "counts": self.made.profile.counts}
        return arrays, self.made.about(self.spec)

    def merge(self, other: Self) -> Self:
        """Return a monitor that has counted what both have."""
        both = object.__new__(type(self))
        both.__dict__.update(self.__dict__)
        both._counted = self._counted.merged(other._counted)
        return both

    def count(self, columns: NDArray[Any], time_s: float) -> None:
        """Count rows (n, d) of one time, in the columns of the reference."""
        if len(columns):
            self._counted = self._counted.plus(time_s, self.made.profile.counted(columns))

    def index(self) -> float:
        """Return the largest stability index of a column over the intervals that are kept; 0 for no rows."""
        recent = self._counted.recent
        if not recent:
            return 0.0
        return float(stabilities(self.made.profile.counts, np.sum(list(recent.values()), axis=0)).max())

    def findings(self) -> Iterator[Finding]:
        """Yield one finding when columns have drifted."""
        reference = self.made.profile
        sums, weights = self._counted.since()
        evident, start = most_evident(sums, weights, reference.counts, reference.n_bins)
        bar = math.log(len(reference.names) / self.made.level)
        moved = []
        for j in np.flatnonzero(evident >= bar):
            current = sums[start[j], j]
            index = stability(reference.counts[j], current, seed=int(j))
            if index.value >= LEAST_INDEX:
                moved.append((index, reference.names[j], int(current.sum())))
        if moved:
            yield self._finding(sorted(moved, key=lambda each: (-each[0].value, each[1])))

    def _finding(self, moved: list[tuple[Any, str, int]]) -> Finding:
        worst, name, n = moved[0]
        measured = Quantity(
            name="stability_index",
            value=worst.value,
            unit="nats",
            n=n,
            low=worst.low,
            high=worst.high,
            better="lower",
        )
        rows = [
            (column, m, round(index.value, 4), round(index.low, 4), round(index.high, 4))
            for index, column, m in moved[:MOST_TOLD]
        ]
        d = len(self.made.profile.names)
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=self.made.subject,
            title=f"{len(moved)} of {d} {self.what} drifted; {name} most, by a stability index of {worst.value:.2f}",
            severity=THREAT.severity(measured),
            confidence="likely",
            detail=self.detail,
            params={"level": self.made.level},
            quantities=(measured,),
            tables=(Table(name="drifted", columns=("column", "n", "index", "low", "high"), rows=tuple(rows)),),
            locations=(Location(uri="stream"),),
            remedies=("find the cause upstream", "measure the model again on recent rows, then retrain"),
            references=self.spec.references,
        )


def reference(subject: str, model: str, columns: NDArray[Any], names: tuple[str, ...], level: float) -> Watched:
    """Take a reference from columns (n, d)."""
    return Watched(subject=subject, model=model, level=level, profile=profile(columns, names))
