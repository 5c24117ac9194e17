"""A model file is scanned before it is ever loaded, and the bytes that were scanned are the bytes that are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from redan.core.errors import Unreadable, UnsafeArtifact
from redan.core.subject import Component
from redan.subjects.digests import uri

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from redan.kernels.artifacts import Reading, Reason

_SHOWN_REASONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A file that may be loaded.

    Attributes:
        path: where it lies.
        data: its bytes as they were scanned; loaders take these, not the path, so that nobody can swap the file.
        format: slug that the scanner found by content.
        safe: whether the scanner found it safe; if not, it may be loaded in the sandbox only.
        component: its digest.
    """

    path: Path
    data: bytes
    format: str
    safe: bool
    component: Component


def admit(path: Path, *, trust: bool, role: str = "weights") -> Admitted:
    """Read and scan a file.

    Args:
        path: the file.
        trust: let a file pass that is not safe; the caller must then load it in the sandbox.
        role: of the component.

    Raises:
        Unreadable: missing, empty or without permission.
        UnsafeArtifact: not safe and not trusted, with the scanner's reasons.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise Unreadable(f"cannot read {uri(path)!r}: {err.strerror}") from err
    return admit_bytes(data, path, trust=trust, role=role)


def admit_bytes(data: bytes, path: Path, *, trust: bool = False, role: str = "weights") -> Admitted:
    """Scan bytes that were read already; ``path`` names them, and is not read. Arguments and errors as in `admit`."""
    from redan.kernels.artifacts import inspect_bytes

    if not data:
        raise Unreadable(f"{uri(path)!r} is empty")
    reading = inspect_bytes(data, path.name)
    if reading.verdict != "safe" and not trust:
        raise refusal(path, reading)
    part = Component(role=role, uri=uri(path), sha256=sha256(data).hexdigest(), size_bytes=len(data))
    return Admitted(path=path, data=data, format=reading.format, safe=reading.verdict == "safe", component=part)


def admit_all(paths: Sequence[Path], *, trust: bool) -> tuple[bool, tuple[Component, ...]]:
    """Scan the files of a folder that is loaded as one; return whether all are safe, and their digests.

    The libraries that load folders take paths, so here the files themselves are read twice.

    Raises:
        Unreadable: one is missing, empty or without permission.
        UnsafeArtifact: one is not safe and not trusted.
    """
    admitted = [admit(path, trust=trust) for path in paths]
    return all(each.safe for each in admitted), tuple(each.component for each in admitted)


def refusal(path: Path, reading: Reading) -> UnsafeArtifact:
    """Build the error that names the verdict, the first reasons and what can be done."""
    # the worst first: a reader must not look for the decisive one among doubts
    ordered = sorted(reading.reasons, key=lambda reason: reason.verdict != "unsafe")
    shown = "; ".join(_said(reason) for reason in ordered[:_SHOWN_REASONS])
    more = len(ordered) - _SHOWN_REASONS
    tail = f"; and {more} more" if more > 0 else ""
    return UnsafeArtifact(
        f"{uri(path)!r} is {reading.verdict} and was not loaded: {shown or 'it could not be read'}{tail}",
        hint="`redan scan` shows every reason; --trust loads it in a sandbox, for labels and scores only",
    )


def _said(reason: Reason) -> str:
    return f"{reason.message} ({reason.where})" if reason.where else reason.message
