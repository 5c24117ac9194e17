"""What a log holds for monitors: events, and decisions of an audit log, read in bounded memory."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from redan.core.errors import ShapeMismatch, Unreadable
from redan.core.monitor import Event

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from redan.evidence.datasets.schema import Rule
    from redan.evidence.log import LogReader
    from redan.threats.operation.monitors.access import Use


RowsOf = Callable[[Mapping[str, Any]], "NDArray[Any] | None"]
"""Rows of a recorded request, (n, d), whatever their shape was; None where they are not kept."""


class Beside(Protocol):
    """What a project knows beside an audit log of its gateway."""

    def rows(self, act: Mapping[str, Any]) -> NDArray[Any] | None:
        """Return the rows of a recorded request, (n, d), whatever their shape was; None where they are not kept."""

    def rules(self, label: str) -> tuple[Rule, ...]:
        """Return the data schema of ``name@version`` in the order of its columns; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Some lines of a log.

    Attributes:
        n: how many.
        n_odd: those that are nothing.
        events: answers, one for each row.
        uses: decisions, from an audit log.
        names: ``name@version`` of models, by digest.
        n_blind: answered requests of an audit log whose inputs are not known.
    """

    n: int
    n_odd: int
    events: list[Event]
    uses: list[Use] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    n_blind: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """Answers of one model and interval.

    Attributes:
        model: its digest.
        time_s: start of the interval.
        x: (n, …) inputs, or None where one is missing or of another shape.
        labels: (n,) answers without a truth.
        scores: (n, k), or None where one is missing.
        right: answers with a truth that were right.
        n_truths: answers with a truth.
        asked: answers without a truth by client.
    """

    model: str
    time_s: float
    x: NDArray[Any] | None
    labels: NDArray[np.int64]
    scores: NDArray[Any] | None
    right: int
    n_truths: int
    asked: Mapping[str, int]


def recorded_in(log: Path, size: int, *, rows_of: RowsOf | None = None) -> Iterator[Recorded]:
    """Read a log in parts of at most ``size`` lines.

    Args:
        log: JSON lines of events, or the folder of an audit log, or of several replicas' logs, which are read by time.
        size: lines at once.
        rows_of: what is kept of the inputs beside an audit log; None: nothing.

    Raises:
        Unreadable: it cannot be read.
        EvidenceError: the audit log is damaged.
    """
    from redan.kernels.detectors.log import events_of

    if not log.is_dir():
        events = events_of(log)
        while batch := list(islice(events, size)):
            whole = [event for event in batch if event is not None]
            yield Recorded(n=len(batch), n_odd=len(batch) - len(whole), events=whole)
        return
    readers = _readers(log)
    acts = merge(*(map(_act, reader.entries(reader.pruned)) for reader in readers), key=_time_us)
    while some := list(islice(acts, size)):
        yield _of_acts(some, rows_of)


def _readers(folder: Path) -> list[LogReader]:
    from redan.evidence.log import LogReader
    from redan.evidence.log.reading import CHECKPOINT

    logs = [folder] if (folder / CHECKPOINT).is_file() else [path.parent for path in folder.glob(f"*/{CHECKPOINT}")]
    if not logs:
        raise Unreadable(f"{str(folder)!r} holds no audit log", hint="give the folder that [audit] log names")
    return [LogReader(log) for log in sorted(logs)]


def _time_us(act: Mapping[str, Any] | None) -> int:
    return 0 if act is None else int(act["t_us"])


def pruned_in(log: Path) -> int:
    """Return how many decisions of an audit log are hashes only; 0 for a log of events.

    Raises:
        Unreadable, EvidenceError: as `recorded_in`.
    """
    return sum(reader.pruned for reader in _readers(log)) if log.is_dir() else 0


def slices_of(events: Sequence[Event]) -> Iterator[Slice]:
    """Put events together by model and interval, in order."""
    import numpy as np

    from redan.kernels.drift.stream import INTERVAL_S

    parts: dict[tuple[str, int], list[Event]] = {}
    for event in events:
        if event.label is not None:
            parts.setdefault((event.model, math.floor(event.time_s / INTERVAL_S)), []).append(event)
    for (model, place), held in sorted(parts.items(), key=lambda each: each[0][1]):
        answers = [event for event in held if event.truth is None]
        truths = [event.label == event.truth for event in held if event.truth is not None]
        yield Slice(
            model=model,
            time_s=place * INTERVAL_S,
            x=_stacked([event.x for event in answers]),
            labels=np.array([event.label for event in answers], np.int64),
            scores=_stacked([event.scores for event in answers]),
            right=sum(truths),
            n_truths=len(truths),
            asked=Counter(event.client for event in answers),
        )


def _stacked(each: Sequence[Any]) -> NDArray[Any] | None:
    """Return arrays of one shape on top of each other; None where one is missing or differs."""
    import numpy as np

    if not each or any(not isinstance(one, np.ndarray) or one.shape != each[0].shape for one in each):
        return None
    return np.stack(each)


def _act(line: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(document, dict) and isinstance(document.get("t_us"), int)
    return document if known and isinstance(document.get("who"), str) else None


def _of_acts(acts: Sequence[Mapping[str, Any] | None], rows_of: RowsOf | None) -> Recorded:
    known = [act for act in acts if act is not None]
    answered = [act for act in known if act.get("ok", True) and act.get("labels") and act.get("digest")]
    rows = [None if rows_of is None else rows_of(act) for act in answered]
    return Recorded(
        n=len(acts),
        n_odd=len(acts) - len(known),
        events=[event for act, x in zip(answered, rows, strict=True) for event in _events(act, x)],
        uses=[_use(act) for act in known],
        names={str(act["digest"]): str(act.get("model", "")) for act in answered},
        n_blind=sum(x is None for x in rows),
    )


def _use(act: Mapping[str, Any]) -> Use:
    from redan.threats.operation.monitors.access import Use

    ok, who = bool(act.get("ok", True)), act["who"]
    return Use(
        time_s=act["t_us"] / 1e6,
        who=who,
        addr=str(act.get("addr", "")),
        ok=ok,
        why=str(act.get("why", "")),
        tried=str(act.get("cred", "")) if who == "-" and not ok else "",
    )


def _events(act: Mapping[str, Any], rows: NDArray[Any] | None) -> list[Event]:
    labels, digest = act["labels"], str(act["digest"])
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        return []
    x = [None] * len(labels) if rows is None or len(rows) != len(labels) else rows
    measured = _measured(act, len(labels))
    try:
        return [
            Event(
                client=act["who"],
                time_s=act["t_us"] / 1e6,
                model=digest,
                x=x[i],
                label=label,
                suspicion={rule: found[i] for rule, found in measured.items()},
            )
            for i, label in enumerate(labels)
        ]
    except ShapeMismatch:
        return []


def _measured(act: Mapping[str, Any], n: int) -> dict[str, list[float]]:
    """Return what guards measured of n rows, by rule."""
    more = act.get("more")
    told = more.get("suspicion") if isinstance(more, dict) else None
    if not isinstance(told, dict):
        return {}
    return {
        str(rule): [math.nan if each is None else float(each) for each in found]
        for rule, found in told.items()
        if isinstance(found, list) and len(found) == n and all(isinstance(each, int | float | None) for each in found)
    }
