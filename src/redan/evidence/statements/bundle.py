"""A bundle: the statements about one model, one signed envelope a line, in a file beside it.

Source: in-toto attestation specification v1.1, Bundle layer (JSON Lines, ``.intoto.jsonl``). The bundle as a whole is
not signed: somebody who can write it can take lines out, which is why a policy limits their age.
"""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from redan.core.errors import EvidenceError, Unreadable
from redan.evidence import dsse
from redan.evidence.dsse import Envelope
from redan.evidence.statements.statement import LARGEST_BYTES

SUFFIX = ".intoto.jsonl"
LARGEST_BUNDLE_BYTES = 64 << 20
MOST_LINES = 1000
_LARGEST_LINE_BYTES = 2 * LARGEST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a file of statements holds.

    Attributes:
        envelopes: in the order of the file; nothing about them is checked yet.
        ignored: a sentence for each line that is no envelope.
    """

    envelopes: tuple[Envelope, ...] = ()
    ignored: tuple[str, ...] = ()


def beside(model: Path) -> Path:
    """Return where the statements about a model lie: beside it, named after it."""
    resolved = model.resolve()
    return resolved.with_name(resolved.name + SUFFIX)


def append(path: Path, envelope: Envelope) -> None:
    """Add one envelope to a bundle and wait until it is on disk.

    Several processes may append at once. A line that a crash left half-written is closed first, so that it spoils
    nothing but itself.

    Raises:
        EvidenceError: the file cannot be written, or would become larger than `read` accepts.
    """
    line = envelope.to_json() + b"\n"
    try:
        with path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = file.seek(0, os.SEEK_END)
            if end + len(line) > LARGEST_BUNDLE_BYTES or len(line) > _LARGEST_LINE_BYTES:
                raise EvidenceError(
                    f"{path.name!r} would have more than {LARGEST_BUNDLE_BYTES} bytes",
                    hint="begin a new file: move the old one away",
                )
            if end:
                file.seek(end - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        raise EvidenceError(f"cannot write {path.name!r}: {err.strerror}", hint="is the folder writable?") from err


def read(path: Path, *, pipes: bool = True) -> Bundle:
    """Read a bundle; a file that does not exist is an empty one.

    Lines that are no envelopes are named and left out, as the specification asks: they prove nothing, so they cannot
    make a model better.

    Args:
        path: of the file.
        pipes: whether it may be something that is waited for; a server waits for nobody.

    Raises:
        Unreadable: not permitted, no regular file where it must be one, or larger than `LARGEST_BUNDLE_BYTES` or
            `MOST_LINES`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if pipes else os.O_NONBLOCK))
        with open(handle, "rb") as file:  # noqa: PTH123 - of a handle, so that one file is looked at
            if not pipes and not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unreadable(f"the statements {path.name!r} are no regular file")
            data = file.read(LARGEST_BUNDLE_BYTES + 1)
    except FileNotFoundError:
        return Bundle()
    except OSError as err:
        raise Unreadable(f"cannot read the statements in {path.name!r}: {err.strerror}") from err
    return parsed(data, path.name)


def parsed(data: bytes, name: str) -> Bundle:
    """Read the bytes of a bundle; errors as in `read`.

    Args:
        data: JSON lines.
        name: what messages call it.
    """
    if len(data) > LARGEST_BUNDLE_BYTES or data.count(b"\n") > MOST_LINES:
        raise Unreadable(
            f"{name!r} has more than {LARGEST_BUNDLE_BYTES} bytes or {MOST_LINES} lines",
            hint="begin a new file with the newest statements",
        )
    envelopes, ignored = [], []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            envelopes.append(_envelope(line))
        except Unreadable as err:
            ignored.append(f"line {number} is ignored: {err.message}")
    return Bundle(envelopes=tuple(envelopes), ignored=tuple(ignored))


def _envelope(line: bytes) -> Envelope:
    if len(line) > _LARGEST_LINE_BYTES:
        raise Unreadable(f"it has {len(line)} bytes; at most {_LARGEST_LINE_BYTES} are read")
    return dsse.from_json(line)
