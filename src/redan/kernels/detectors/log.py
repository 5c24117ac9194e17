"""Recorded traffic as JSON lines: one `redan.core.monitor.Event` a line, read in bounded memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import RedanError, Unreadable
from redan.core.monitor import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LONGEST_LINE = 16 << 20
"""Bytes; a longer line is read past and counts as unreadable."""


def to_line(event: Event) -> bytes:
    """Write an event as one line."""
    document: dict[str, Any] = {"client": event.client, "time_s": event.time_s, "model": event.model}
    if isinstance(event.x, np.ndarray):
        document["x"] = event.x.tolist()
    elif event.x is not None:
        document["x"] = dict(event.x)
    if event.scores is not None:
        document["scores"] = np.asarray(event.scores).tolist()
    if event.label is not None:
        document["label"] = int(event.label)
    if event.suspicion:
        document["suspicion"] = {name: float(value) for name, value in event.suspicion.items()}
    if event.truth is not None:
        document["truth"] = int(event.truth)
    if event.groups:
        document["groups"] = dict(event.groups)
    if event.source:
        document["source"] = event.source
    return json.dumps(document).encode() + b"\n"


def events_of(path: Path) -> Iterator[Event | None]:
    """Read events in order, None for each line that is none.

    Raises:
        Unreadable: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                        pass
                    yield None
                elif line.strip():
                    yield from_line(line)
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err


def from_line(line: bytes) -> Event | None:
    """Read what `to_line` wrote; None when it is no event."""
    try:
        document = json.loads(line)
        return Event(
            client=_text(document["client"]),
            time_s=float(document["time_s"]),
            model=_text(document["model"]),
            x=_input(document.get("x")),
            scores=None if document.get("scores") is None else np.asarray(document["scores"], dtype=np.float64),
            label=None if document.get("label") is None else int(document["label"]),
            suspicion={str(name): float(value) for name, value in _table(document.get("suspicion"))},
            truth=None if document.get("truth") is None else int(document["truth"]),
            groups={str(name): _text(value) for name, value in _table(document.get("groups"))},
            source=_text(document.get("source", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, RedanError):
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _table(value: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    return [] if value is None else list(value.items())


def _input(value: Any) -> Any:
    return np.asarray(value, dtype=np.float64) if isinstance(value, list) else value
