"""Load a file once in the sandbox, and compare what its loader did with what the scan said it would do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redan.core.errors import SubjectFailed, UnsafeArtifact
from redan.core.record import dataclass
from redan.subjects.digests import uri
from redan.subjects.loading import Part
from redan.subjects.sandbox.confinement import why_not
from redan.subjects.sandbox.frames import read_frame, write_frame
from redan.subjects.sandbox.starting import ended, printable, started

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from redan.kernels.artifacts import Reading

LOADING_S = 180.0
MOST_FRAMES = 50_000

_LIBRARIES: dict[str, tuple[str, ...]] = {
    "torch-zip": ("torch",),
    "torch-legacy": ("torch",),
    "torchscript": ("torch",),
    "pt2": ("torch.export", "torch._dynamo"),
    "safetensors": ("safetensors.torch",),
    "joblib": ("joblib",),
    "keras": ("keras",),
    "onnx": ("onnxruntime",),
    "lightgbm": ("lightgbm",),
}
_MOVED_BY_TORCH = {"torch.tensor": "torch._tensor"}
"""Modules that torch's unpickler renames before it resolves a name (torch `serialization.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What one load in the sandbox did.

    Attributes:
        type: type of the object; empty when it was not loaded.
        parts: its arrays.
        failure: why it was not loaded.
        resolved: names that the loader resolved, in order.
        imported: modules that were imported while it loaded, in order.
        tried: acts that the sandbox refuses, in order.
        unseen: resolved, and not in the scan's reading.
        unused: in the scan's reading, and not resolved.
    """

    type: str
    parts: tuple[Part, ...] = ()
    failure: str = ""
    resolved: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def rehearse(path: Path, reading: Reading, *, within_s: float = LOADING_S) -> Rehearsal:
    """Load a file in the sandbox.

    Args:
        path: the file.
        reading: what the scan says of it.
        within_s: most wall seconds; the process is then stopped.

    Raises:
        UnsafeArtifact: this machine has no sandbox.
        SubjectFailed: the sandbox could not be closed, or its process answered nonsense.
    """
    if reason := why_not():
        raise UnsafeArtifact(
            f"{uri(path)!r} is not loaded: there is no sandbox: {reason}", hint="run Redan on Linux 6.7 or later"
        )
    child = started("redan.subjects.sandbox.rehearsal")
    try:
        told = _told(child, _task(path, reading), time.monotonic() + within_s)
    finally:
        ended(child)
    if "entered" not in told:
        raise SubjectFailed(f"{uri(path)!r} was not loaded: {', '.join(told.get('failed', ['no reason']))}")
    # a hostile file may repeat itself; each name counts once
    resolved = tuple(dict.fromkeys(told.get("resolved", ())))
    unseen, unused = compared(resolved, reading.imports)
    return Rehearsal(
        type=next(iter(told.get("loaded", ())), ""),
        parts=tuple(told.get("parts", ())),
        failure=next(iter(told.get("failed", ())), ""),
        resolved=resolved,
        imported=tuple(told.get("imported", ())),
        tried=tuple(dict.fromkeys(told.get("tried", ()))),
        unseen=unseen,
        unused=unused,
    )


def compared(resolved: tuple[str, ...], predicted: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names that only the loader resolved, and names that only the scan read.

    Both sides are brought to the Python 3 name of the module, since a loader renames as it resolves.
    """
    known = {_canonical(name): name for name in predicted}
    met = {_canonical(name) for name in resolved}
    unseen = tuple(name for name in resolved if _canonical(name) not in known)
    unused = (name for key, name in known.items() if key not in met and not _is_storage(name))
    return unseen, tuple(unused)


def _is_storage(name: str) -> bool:
    """Whether torch's unpickler makes something of its own of the name and resolves nothing."""
    return name.startswith("torch.") and name.endswith("Storage")


def _canonical(name: str) -> str:
    from redan.kernels.artifacts.judgement.allowlist import canonical

    module, dot, rest = name.rpartition(".")
    module = _MOVED_BY_TORCH.get(module, module)
    head, sep, tail = module.partition(".")
    return f"{canonical(head)}{sep}{tail}{dot}{rest}"


def _task(path: Path, reading: Reading) -> dict[str, Any]:
    from redan.kernels.artifacts.judgement.allowlist import PACKAGES

    roots = sorted({name.partition(".")[0] for name in reading.imports} & (PACKAGES - {"stdlib"}))
    # the module of a listed class, too: sklearn alone imports little
    modules = sorted({name.rpartition(".")[0] for name in reading.imports if name.partition(".")[0] in roots})
    return {
        "path": str(path.absolute()),
        "format": reading.format,
        "packages": [*_LIBRARIES.get(reading.format, ()), *roots, *modules],
        "readable": [str(path.absolute())],
    }


def _told(child: subprocess.Popen[bytes], task: dict[str, Any], until_s: float) -> dict[str, list[Any]]:
    """Collect frames until the load ended; what came before an end that was no answer is kept."""
    told: dict[str, list[Any]] = {}
    if child.stdin is None or child.stdout is None:
        raise SubjectFailed("the sandbox has no pipes")
    try:
        write_frame(child.stdin.fileno(), task)
        for _ in range(MOST_FRAMES):
            left_s = max(0.0, until_s - time.monotonic())
            frame, _ = read_frame(child.stdout.fileno(), within_s=left_s, most_array_bytes=0)
            _take(frame, told)
            if "loaded" in frame or "failed" in frame:
                break
    except (OSError, SubjectFailed) as err:
        told.setdefault("failed", []).append(printable(err))
    return told


def _take(frame: dict[str, Any], told: dict[str, list[Any]]) -> None:
    """Keep what is known of a frame; the far side is not trusted."""
    for kind in ("resolved", "imported", "tried", "failed", "loaded", "entered"):
        if kind in frame:
            told.setdefault(kind, []).append(printable(frame[kind]))
    if isinstance(rows := frame.get("parts"), list):
        told["parts"] = [part for row in rows if (part := _part(row)) is not None]


def _part(row: Any) -> Part | None:
    if not isinstance(row, list) or len(row) != 3 or not isinstance(row[1], list):
        return None
    shape = tuple(n for n in row[1] if isinstance(n, int))
    return Part(name=printable(row[0]), shape=shape, dtype=printable(row[2]))
