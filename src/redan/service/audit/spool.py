"""Acts that a process hands over to the server which writes the log: one durable file each, recorded at least once."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from redan.core.errors import EvidenceError, Unreadable
from redan.evidence.log.disk import Disk
from redan.evidence.log.reading import read_bounded
from redan.kernels.merkle.tiles import LARGEST_ENTRY_BYTES
from redan.service.audit.act import Act, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.service.audit.redaction import Redaction

MOST_WAITING = 10_000
_ENDING = ".act"


def hand_over(folder: Path, act: Act, redaction: Redaction) -> None:
    """Leave an act for the server; on return it would survive a loss of power.

    Raises:
        EvidenceError: it cannot be written, or so many wait that no server can be taking them.
    """
    if len(waiting(folder)) >= MOST_WAITING:
        raise EvidenceError(
            f"{MOST_WAITING} acts wait in {str(folder)!r} and no server takes them", hint="start the server"
        )
    act = redaction.redacted(act) if act.id else msgspec.structs.replace(redaction.redacted(act), id=_new_id())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Disk().publish({folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}{_ENDING}": encode(act)})
    except OSError as err:
        raise EvidenceError(f"the act was not recorded: {err.strerror}", hint="make room") from err


def waiting(folder: Path) -> list[Path]:
    """Return the files of acts that wait, oldest first."""
    try:
        return sorted(p for p in folder.iterdir() if p.name.endswith(_ENDING) and not p.name.startswith("."))
    except FileNotFoundError:
        return []


def drain(folder: Path, record: Callable[[bytes], object], redaction: Redaction, *, by: str) -> int:
    """Record what waits, durably, then remove it; return how many acts that were.

    What is no act is recorded as such and removed, so that it cannot stand in the way of the others. After a crash
    between the two steps an act is recorded twice, with the same ``id``.

    Args:
        folder: the spool.
        record: returns when an entry is durable.
        redaction: of the server, which may hide more than the process that handed over.
        by: replica that records.

    Raises:
        EvidenceError: an act cannot be recorded now; it still waits.
    """
    paths = waiting(folder)
    for path in paths:
        record(redaction.entry(_read(path, by)))
        path.unlink(missing_ok=True)
    if paths:
        Disk().sync_folder(folder)
    return len(paths)


def _read(path: Path, by: str) -> Act:
    try:
        if path.is_symlink() or not path.is_file():
            raise Unreadable("no regular file")
        return decode(read_bounded(path, LARGEST_ENTRY_BYTES))
    except (Unreadable, msgspec.DecodeError):
        return Act(
            t_us=time.time_ns() // 1000, who="-", act="audit.spool", ok=False, why="unreadable", by=by,
            more={"file": path.name[:128]},
        )  # fmt: skip


def _new_id() -> str:
    return secrets.token_hex(8)
