"""What all detectors of single inputs share: decide about one, count alarms, tell when there are too many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np

from redan.core.finding import Finding, Quantity
from redan.core.guard import Decision
from redan.core.monitor import Event
from redan.kernels.streams.asked import as_row
from redan.threats.evasion.monitors.tally import INTERVAL_S, SCALE, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from redan.core.probe import Spec
    from redan.subjects.detectors.made import Made, Score

Judge: TypeAlias = Callable[[Sequence[Any]], list[float]]
"""Maps inputs, whatever they are, to how suspicious each is; NaN for what is no input of the model."""


class Screening:
    """A guard and a monitor at once: `decide` changes nothing, `observe` counts.

    Args:
        judge: the detector.
        made: its calibration.
        tally: what was counted already.
    """

    spec: ClassVar[Spec]
    detail: ClassVar[str] = (
        "Somebody sends inputs that are made for this model, or its normal use has changed: look at the inputs that "
        "raised the alarm and at drift before you calibrate again."
    )

    def __init__(self, judge: Judge, made: Made, tally: Tally | None = None) -> None:
        self.made = made
        self._judge = judge
        self._tally = tally or Tally()

    def decide(self, request: Event) -> Decision:
        """Deny a request above the threshold, and what is no input of this model."""
        (suspicion,) = self._suspicions([request])
        if math.isnan(suspicion):
            return Decision(verdict="deny", reason=f"{self.spec.name}: no input of shape {self.made.shape}")
        threshold = self.made.calibration.threshold
        if suspicion > threshold:
            reason = f"{self.spec.name}: {suspicion:.4g} is above {threshold:.4g}"
            return Decision(verdict="deny", reason=reason, suspicion=suspicion)
        return Decision(verdict="allow", suspicion=suspicion)

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count the alarms among the events of this model, and yield a finding when they are too many."""
        ours = [each for each in events if isinstance(each, Event) and each.model == self.made.model]
        pairs = [(e.time_s, s) for e, s in zip(ours, self._suspicions(ours), strict=True) if not math.isnan(s)]
        if not pairs:
            return
        threshold = self.made.calibration.threshold
        self._tally = self._tally.plus((time_s, bool(suspicion > threshold)) for time_s, suspicion in pairs)
        rate = self._tally.risen(self.made.calibration.interval[1])
        if rate is not None:
            yield self._finding(rate)

    def counted(self, suspicions: NDArray[np.float64], time_s: float) -> Iterator[Finding]:
        """Count what was measured already of requests of one time, (n,), and yield a finding as `observe` does."""
        known = suspicions[~np.isnan(suspicions)]
        if not len(known):
            return
        alarms = int((known > self.made.calibration.threshold).sum())
        place = math.floor(time_s / INTERVAL_S)
        self._tally = self._tally.merged(Tally(counts={place: (alarms, len(known))}))
        rate = self._tally.risen(self.made.calibration.interval[1])
        if rate is not None:
            yield self._finding(rate)

    def merge(self, other: Self) -> Self:
        """Return a monitor that has counted what both have."""
        both = object.__new__(type(self))
        both.__dict__.update(self.__dict__)
        both._tally = self._tally.merged(other._tally)
        return both

    def suspicions(self, inputs: Sequence[Any]) -> list[float]:
        """Judge inputs together, and count nothing: how suspicious each is; NaN for what is no input of the model."""
        return self._judge(inputs)

    def _suspicions(self, events: Sequence[Event]) -> list[float]:
        """Judge events; what a guard measured already is taken as it is."""
        found = [float(each.suspicion.get(self.spec.id, math.nan)) for each in events]
        asked = [i for i, known in enumerate(found) if math.isnan(known)]
        for i, suspicion in zip(asked, self._judge([events[i].x for i in asked]), strict=True):
            found[i] = suspicion
        return found

    def _finding(self, rate: Quantity) -> Finding:
        calibration = self.made.calibration
        low, high = calibration.interval
        calibrated = Quantity(
            name="calibrated_rate",
            value=calibration.rate,
            unit="fraction",
            n=calibration.n,
            low=low,
            high=high,
            better="lower",
        )
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=self.made.subject,
            title=f"{self.spec.name}: {rate.value:.1%} of {rate.n} requests raise an alarm, at most {high:.1%} should",
            severity=SCALE.severity(rate),
            confidence="likely",
            detail=self.detail,
            params={"rate": calibration.asked_rate},
            quantities=(rate, calibrated),
            references=self.spec.references,
        )


def rowwise(score: Score, shape: tuple[int, ...]) -> Judge:
    """Return a judge that scores finite rows of one shape together; whatever else is no input."""

    def judge(inputs: Sequence[Any]) -> list[float]:
        found = [math.nan] * len(inputs)
        rows = {i: row for i, x in enumerate(inputs) if (row := as_row(x, shape)) is not None}
        if rows:
            for i, suspicion in zip(rows, score(np.stack(list(rows.values()))), strict=True):
                found[i] = float(suspicion)
        return found

    return judge
