"""A detector that was calibrated and priced, and what its file says about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import EvidenceError, ShapeMismatch, Unreadable, UsageError
from redan.kernels.detectors.calibration import Calibration
from redan.kernels.detectors.price import price_us

if TYPE_CHECKING:
    from redan.core.inputs import Dataset
    from redan.core.probe import Spec
    from redan.subjects.detectors.served import Asked, Served

Score = Callable[[NDArray[Any]], NDArray[np.float64]]
"""Maps rows (n, …) to how suspicious each is, (n,)."""
PRICED_ROWS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What holds for one detector in front of one model.

    Attributes:
        subject: name of the model.
        model: its digest.
        data: digest of the rows it was calibrated on.
        shape: of one row.
        reads: what it looks at.
        bounds: lowest and highest legal value of inputs, or None when unknown.
        calibration: threshold and false-alarm rate.
        price_us: microseconds of CPU a request when it was made, one request at a time.
    """

    subject: str
    model: str
    data: str
    shape: tuple[int, ...]
    reads: str
    bounds: tuple[float, float] | None
    calibration: Calibration
    price_us: float

    def about(self, spec: Spec) -> dict[str, Any]:
        """Return the words of the detector's file."""
        c = self.calibration
        return {
            "rule": spec.id,
            "subject": self.subject,
            "model": self.model,
            "data": self.data,
            "shape": list(self.shape),
            "reads": self.reads,
            "bounds": None if self.bounds is None else list(self.bounds),
            "calibration": {"threshold": c.threshold, "asked_rate": c.asked_rate, "alarms": c.alarms, "n": c.n},
            "price_us": self.price_us,
        }


def digest_of(data: Dataset) -> str:
    """Return the digest of rows: their shape, type and bytes."""
    rows = np.ascontiguousarray(data.x)
    found = sha256(f"{rows.dtype.str} {rows.shape} ".encode())
    found.update(rows.data if rows.size else b"")
    return found.hexdigest()


def priced(ask: Callable[[Any], Any], requests: list[Any], budget_us: float | None, name: str) -> float:
    """Measure what one request costs.

    Raises:
        UsageError: more than the budget, with the price.
    """
    price = round(price_us(ask, requests[:PRICED_ROWS]), 1)
    if budget_us is not None and price > budget_us:
        raise UsageError(
            f"{name} costs {price:g} us of CPU a request on this machine; {budget_us:g} us are allowed",
            hint="raise budget_us, or choose a cheaper detector",
        )
    return price


def made(
    spec: Spec,
    score: Score,
    benign: Dataset,
    served: Served,
    asked: Asked,
    calibrate: Callable[[NDArray[np.float64], float], Calibration],
    *,
    reads: str,
) -> Made:
    """Calibrate a detector of single rows and measure its price.

    Args:
        spec: of the monitor.
        score: the detector.
        benign: rows of the model's normal use that the detector was not fitted on.
        served: the model.
        asked: rate and budget.
        calibrate: chooses or judges the threshold.
        reads: what it looks at.

    Raises:
        UsageError: too few rows for the rate, or the detector is too dear.
    """
    x = np.asarray(benign.x, dtype=np.float32)
    calibration = calibrate(score(x), asked.rate)
    rows = [x[i : i + 1] for i in range(min(PRICED_ROWS, len(x)))]
    return Made(
        subject=served.name,
        model=served.digest,
        data=digest_of(benign),
        shape=tuple(benign.x.shape[1:]),
        reads=reads,
        bounds=served.bounds,
        calibration=calibration,
        price_us=priced(score, rows, asked.budget_us, spec.name),
    )


def restored(about: Mapping[str, Any], spec: Spec, served: Served, reads: str) -> Made:
    """Read back what `Made.about` wrote.

    Raises:
        EvidenceError: the detector was calibrated for another model.
        ShapeMismatch: it looks at something that this model does not show.
        Unreadable: the file says something else.
    """
    try:
        if about["rule"] != spec.id:
            raise ValueError(f"it is {about['rule']}, not {spec.id}")
        told = about["calibration"]
        found = Made(
            subject=str(about["subject"]),
            model=str(about["model"]),
            data=str(about["data"]),
            shape=tuple(int(side) for side in about["shape"]),
            reads=str(about["reads"]),
            bounds=None if about["bounds"] is None else (float(about["bounds"][0]), float(about["bounds"][1])),
            calibration=Calibration(
                threshold=float(told["threshold"]),
                asked_rate=float(told["asked_rate"]),
                alarms=int(told["alarms"]),
                n=int(told["n"]),
            ),
            price_us=float(about["price_us"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as err:
        raise Unreadable(f"this is no {spec.name} detector: {type(err).__name__} {err}") from err
    if not 0 <= found.calibration.alarms < found.calibration.n or not 0 < found.calibration.asked_rate < 1:
        raise Unreadable(f"this is no {spec.name} detector: {found.calibration.alarms} alarms of {found.calibration.n}")
    if found.model != served.digest:
        raise EvidenceError(
            f"the {spec.name} detector was calibrated for model {found.model[:16]}, and this is {served.digest[:16]}",
            hint="calibrate it for this model",
        )
    if found.reads != reads:
        raise ShapeMismatch(f"the {spec.name} detector reads {found.reads}, and this model shows {reads}")
    return found
