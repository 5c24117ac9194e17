"""What watches one version of a model: its own detectors, drift and accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import RedanError
from redan.core.monitor import Event
from redan.evidence.datasets.schema import columns_of
from redan.service.guards.detectors import open_detectors, stands_in_path
from redan.threats.operation.monitors.answer_drift import AnswerDrift
from redan.threats.operation.monitors.input_drift import InputDrift
from redan.threats.operation.watching import KINDS, Operation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.core.finding import Finding
    from redan.core.settings_service import Guards, Serve
    from redan.service.gateway.call import Call
    from redan.service.models.served import Served

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
        self.operation = Operation(
            served.settings.name,
            served.digest,
            [*_comparable(opened, serve.guards), *_of_schema(served)],
            columns=served.columns,
            drift="drift" in serve.watch,
            performance="performance" in serve.watch,
        )
        rest = [each for each in opened if not isinstance(each, KINDS)]
        self._screens = [each for each in rest if stands_in_path(each)]
        # answered rows fit the schema already: validation refused the others
        self._dear = [each for each in rest if each not in self._screens and each.spec.name != "validity"]
        self.failed: dict[str, str] = {}
        """Why a monitor that failed did, by its name."""
        self.waiting: list[Event] = []
        """Rows that monitors which need each request have not seen yet, in turns of clients."""

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
        asked: dict[str, int] = {}
        for call in calls:
            asked[call.principal.id] = asked.get(call.principal.id, 0) + len(call.x)
        self.operation.see(x, labels, scores, time_s, asked=asked)

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


def _comparable(opened: Sequence[Any], guards: Guards) -> list[Any]:
    """Leave out a file's reference of answers where guards change them: it is of what the model answers itself."""
    changed = guards.dp_epsilon > 0 or guards.round_digits >= 0
    return [each for each in opened if not (changed and isinstance(each, AnswerDrift))]


def _of_schema(served: Served) -> list[InputDrift]:
    """Return the watcher of inputs whose reference is the model's schema, where that suffices; a file comes before."""
    if served.schema is None:
        return []
    rules = columns_of(served.schema, served.columns)
    found = None if rules is None else InputDrift.of_rules(rules, served.settings.name, served.digest)
    return [] if found is None or found.shape != served.shape else [found]


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
