"""A model's calibrated detectors in the path of its requests.

Detectors of single rows judge whole batches here; what they measure goes with the call, so that whoever watches need
not measure it again. They deny only where that was meant: where the false-alarm rate they were calibrated to is at most
`DENY_RATE`. Detectors that remember clients stand beside the path (`redan.service.watching`), and whom they find is
denied here for a while: a look into a table.
"""

from __future__ import annotations

import time
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from redan.core.errors import ConfigError
from redan.service.gateway.refusal import WATCHED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.service.gateway.call import Batch
    from redan.service.models.served import Served

DENY_RATE = 0.001
"""A false alarm in the path refuses somebody's good request: to deny, calibrate to one in a thousand or fewer."""
MOST_PATH_US = 2000.0
"""A detector dearer than this by its own price only watches."""
DENIED_S = 600.0
MOST_SUSPECTS = 10_000
_LOOKED_AT = 64


@runtime_checkable
class Screens(Protocol):
    """A detector of single rows."""

    made: Any
    spec: Any

    def suspicions(self, inputs: Any) -> list[float]:
        """Return how suspicious each input is; NaN for what is none."""


def open_detectors(served: Served, root: Path) -> tuple[Any, ...]:
    """Open the detectors that the settings name for a model, with nothing counted.

    Raises:
        ConfigError: the model was loaded without what detectors see of it.
        Unreadable, EvidenceError, ShapeMismatch: a file is no detector of this model.
    """
    from redan.subjects.detectors.opening import open_detector

    if not served.settings.detectors:
        return ()
    if served.detected is None:
        raise ConfigError(
            f"model {served.settings.name!r} names detectors and shows them nothing",
            hint="name a sample of its rows: sample = 'rows.npz'",
        )
    return tuple(open_detector(root / name, served.detected) for name in served.settings.detectors)


def stands_in_path(monitor: Any) -> bool:
    """Tell whether a detector judges rows in the path of their request: single rows, at a bearable price.

    The schema is judged by `redan.service.guards.validation` already.
    """
    if not isinstance(monitor, Screens) or monitor.spec.name == "validity":
        return False
    return bool(monitor.made.price_us <= MOST_PATH_US)


class Screen:
    """One detector of single rows, over whole batches.

    Args:
        monitor: the detector.
        denies: whether rows above its threshold are refused.
    """

    def __init__(self, monitor: Screens, *, denies: bool) -> None:
        self._monitor, self._denies = monitor, denies
        self._rule, self.name = monitor.spec.id, monitor.spec.name
        self._threshold = monitor.made.calibration.threshold

    def before(self, batch: Batch) -> None:
        """Measure each row, and refuse calls with one above the threshold."""
        found: NDArray[np.float64] = np.array(self._monitor.suspicions(list(batch.x)))
        at = 0
        for call in batch.calls:
            call.suspicion[self._rule] = found[at : at + len(call.x)]
            at += len(call.x)
        if self._denies:
            # what is no input of the detector is none of the model
            refused = ~(found <= self._threshold)
            if refused.any():
                batch.refuse(refused, WATCHED)

    def after(self, batch: Batch) -> None:
        """Leave answers alone."""


class Suspects:
    """Clients that a monitor found, each denied for `DENIED_S` after it was found last; used from any thread.

    Args:
        clock: monotonic seconds.
    """

    name = "suspects"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._until_s: dict[tuple[str, str], float] = {}
        self._clock, self._lock = clock, Lock()

    def __len__(self) -> int:
        return len(self._until_s)

    def add(self, digest: str, client: str) -> None:
        """Deny a client at a model from now on."""
        with self._lock:
            # in the order of their ends: whoever was found last stands last
            self._until_s.pop((digest, client), None)
            if len(self._until_s) >= MOST_SUSPECTS:
                del self._until_s[next(iter(self._until_s))]
            self._until_s[digest, client] = self._clock() + DENIED_S

    def holds(self, digest: str, client: str) -> bool:
        """Tell whether a client is denied at a model now."""
        return self._until_s.get((digest, client), 0.0) > self._clock()

    def let_go(self, client: str) -> None:
        """Deny a client no longer."""
        with self._lock:
            for key in [key for key in self._until_s if key[1] == client]:
                del self._until_s[key]

    def before(self, batch: Batch) -> None:
        """Refuse the calls of whoever was found."""
        if not self._until_s:
            return
        now_s, digest = self._clock(), batch.served.digest
        self._forget(now_s)
        for call in batch.calls:
            if call.refusal is None and self._until_s.get((digest, call.principal.id), 0.0) > now_s:
                call.refusal = WATCHED

    def after(self, batch: Batch) -> None:
        """Leave answers alone."""

    def _forget(self, now_s: float) -> None:
        """Let those go whose time is over, some at a time."""
        with self._lock:
            for key in list(islice(self._until_s, _LOOKED_AT)):
                if self._until_s[key] > now_s:
                    break
                del self._until_s[key]
