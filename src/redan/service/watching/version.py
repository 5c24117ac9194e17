"""What watches one version of a model: its own detectors, drift and accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import RedanError
from redan.core.monitor import Event
from redan.service.guards.detectors import open_detectors, stands_in_path
from redan.threats.operation.drifting import BASELINE_ROWS
from redan.threats.operation.monitors.accuracy_drop import Accuracy, AccuracyDrop
from redan.threats.operation.monitors.answer_drift import AnswerDrift
from redan.threats.operation.monitors.input_drift import InputDrift

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.core.finding import Finding
    from redan.core.settings_service import Serve
    from redan.service.gateway.call import Call
    from redan.service.models.served import Served

BASELINE_TRUTHS = 500
"""Truths that accuracy is held against where no file says what was measured."""
EVENTS_AT_ONCE = 64


class Version:
    """The monitors of one version, and what became of each.

    Args:
        served: the version.
        serve: which watchers are on.
        root: folder that detectors' paths start from.

    Raises:
        RedanError: a detector's file is none of this model.
    """

    def __init__(self, served: Served, serve: Serve, root: Path) -> None:
        self.served, self.last_s = served, 0.0
        opened = open_detectors(served, root) if serve.guards.monitors else ()
        self._inputs = next((each for each in opened if isinstance(each, InputDrift)), None)
        self._answers = next((each for each in opened if isinstance(each, AnswerDrift)), None)
        self._accuracy = next((each for each in opened if isinstance(each, AccuracyDrop)), None)
        own = (InputDrift, AnswerDrift, AccuracyDrop)
        rest = [each for each in opened if not isinstance(each, own)]
        self._screens = [each for each in rest if stands_in_path(each)]
        # answered rows fit the schema already: validation refused the others
        self._dear = [each for each in rest if each not in self._screens and each.spec.name != "validity"]
        self._drift, self._truths = "drift" in serve.watch, "performance" in serve.watch
        self._baseline: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]] = []
        self._n_baseline = 0
        self._first_truths = [0, 0]
        self._looked = True
        self.failed: dict[str, str] = {}
        """Why a monitor that failed did, by its name."""
        self.drift: dict[str, float] = {}
        """Largest stability index of a column, by what drifts, at the last look."""

    @property
    def is_dear(self) -> bool:
        """Whether a monitor here needs each request as an event."""
        return any(each.spec.name not in self.failed for each in self._dear)

    def see(
        self, x: NDArray[Any], labels: NDArray[Any], scores: NDArray[Any] | None, calls: Sequence[Call], time_s: float
    ) -> Iterator[Finding]:
        """Take answered rows of all calls together: what costs little a row."""
        for monitor in self._screens:
            measured = [call.suspicion[monitor.spec.id] for call in calls if monitor.spec.id in call.suspicion]
            if measured:
                yield from monitor.counted(np.concatenate(measured), time_s)
        if not self._drift:
            return
        if self._inputs is None or self._answers is None:
            self._learn(x, labels, scores)
        if self._inputs is not None:
            self._inputs.count_rows(x, time_s)
        if self._answers is not None:
            self._answers.count_answers(labels, scores, time_s)
        self._looked = False

    def see_events(self, events: Sequence[Event]) -> Iterator[Finding]:
        """Show events to the monitors that need each one; one that fails says why and is left out from then on."""
        for monitor in self._dear:
            name = monitor.spec.name
            if name in self.failed:
                continue
            try:
                yield from monitor.observe(events)
            except RedanError as err:
                self.failed[name] = err.message

    def truths(self, right: int, n: int, time_s: float) -> None:
        """Count answers of a time whose truth is known now."""
        if self._accuracy is not None:
            self._accuracy.count_truths(right, n, time_s)
            self._looked = False
        elif self._truths:
            self._first_truths = [self._first_truths[0] + right, self._first_truths[1] + n]
            if self._first_truths[1] >= BASELINE_TRUTHS:
                known_right, known = self._first_truths
                name, digest = self.served.settings.name, self.served.digest
                self._accuracy = AccuracyDrop(Accuracy(subject=name, model=digest, right=known_right, n=known))

    def look(self) -> Iterator[Finding]:
        """Judge drift and accuracy, if anything came since the last look."""
        if self._looked:
            return
        self._looked = True
        self.drift = {
            what: monitor.index()
            for what, monitor in (("inputs", self._inputs), ("answers", self._answers))
            if monitor is not None
        }
        for monitor in (self._inputs, self._answers, self._accuracy):
            if monitor is not None:
                yield from monitor.findings()

    @property
    def accuracy(self) -> tuple[int, int]:
        """Answers with a truth that were right, and all of them, since the baseline."""
        return self._accuracy.counted if self._accuracy is not None else (0, 0)

    def _learn(self, x: NDArray[Any], labels: NDArray[Any], scores: NDArray[Any] | None) -> None:
        """Take the first rows for the reference where no file brings one."""
        self._baseline.append((x, labels, scores))
        self._n_baseline += len(x)
        if self._n_baseline < BASELINE_ROWS:
            return
        rows, told = (np.concatenate([each[i] for each in self._baseline]) for i in (0, 1))
        known = [each[2] for each in self._baseline if each[2] is not None]
        sure = np.concatenate(known) if len(known) == len(self._baseline) else None
        name, digest = self.served.settings.name, self.served.digest
        if self._inputs is None and rows.dtype.kind in "fiub":
            self._inputs = InputDrift.fitted(rows, name, digest, columns=self.served.columns)
        if self._answers is None:
            self._answers = AnswerDrift.fitted(told, sure, name, digest)
        self._baseline = []


def events_of(calls: Sequence[Call], time_s: float) -> list[Event]:
    """Return every row of calls as an event."""
    found = []
    for call in calls:
        labels, scores, client, digest = call.labels, call.scores, call.principal.id, call.served.digest
        for i, row in enumerate(call.x):
            found.append(
                Event(
                    client=client,
                    time_s=time_s,
                    model=digest,
                    x=row,
                    scores=None if scores is None else scores[i],
                    label=None if labels is None else int(labels[i]),
                    suspicion={rule: float(each[i]) for rule, each in call.suspicion.items()},
                )
            )
    return found
