"""How far an update has come: one small file, replaced whole after each step, so that a killed update goes on."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, EvidenceError, Unreadable, UsageError
from redan.evidence.places import durable_write

Step = Literal["retrain", "check", "seal", "push", "canary", "promote"]
STEPS: tuple[Step, ...] = get_args(Step)
FILE = "update.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A step that is behind us: when it ended (UTC, ISO 8601), and what came of it."""

    step: Step
    at: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One update.

    Attributes:
        why: what started it.
        started: UTC, ISO 8601.
        steps: what is done, in order.
        version: what was pushed; empty before.
        ended: how it ended: promoted, or a sentence why not; empty while it goes on.
    """

    why: str
    started: str
    steps: tuple[Done, ...] = field(default=())
    version: str = ""
    ended: str = ""

    @property
    def next(self) -> Step | None:
        """The step to do next; None when it has ended."""
        return None if self.ended else STEPS[len(self.steps)]

    def after(self, note: str, *, version: str = "") -> Progress:
        """Return what it is with its next step done."""
        step = STEPS[len(self.steps)]
        done = (*self.steps, Done(step=step, at=moment(), note=note))
        ended = "promoted" if step == STEPS[-1] else ""
        return replace(self, steps=done, version=version or self.version, ended=ended)

    def when(self, step: Step) -> datetime | None:
        """Return when a step was done."""
        at = next((done.at for done in self.steps if done.step == step), None)
        return None if at is None else datetime.fromisoformat(at)


def load(folder: Path) -> Progress | None:
    """Return the last update, ended or not; None before the first.

    Raises:
        Unreadable: the file was changed by somebody else.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return decode(Progress, json.loads(path.read_bytes()))
    except (OSError, ValueError, ConfigError) as err:
        raise Unreadable(
            f"{FILE} cannot be read: {err}", hint=f"remove {FILE}; the registry itself is not hurt"
        ) from err


def keep(folder: Path, progress: Progress) -> Progress:
    """Write where an update stands.

    Raises:
        EvidenceError: it cannot be written.
    """
    durable_write(folder / FILE, [json.dumps(encode(progress), indent=1).encode() + b"\n"])
    return progress


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a second update from running beside this one.

    Raises:
        UsageError: another one runs.
        EvidenceError: the folder cannot be written.
    """
    try:
        handle = os.open(folder / f"{FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise EvidenceError(f"cannot lock {str(folder)!r}: {err.strerror}") from err
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as err:
        raise UsageError("another update is running", hint="wait for it") from err
    finally:
        os.close(handle)


def moment() -> str:
    """Return the time as progress writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
