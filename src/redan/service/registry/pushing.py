"""Bringing a version into the registry: its bytes, what was stated about it, what it was made from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from redan.core.errors import EvidenceError, Unreadable
from redan.evidence.statements import beside, describe
from redan.evidence.statements.resource import Model
from redan.evidence.store.blobs import StoreBlobs
from redan.service.audit.act import Act
from redan.service.registry.history import History
from redan.service.registry.opening import Registry
from redan.service.registry.transition import Transition, require_name

LARGEST_DOCUMENT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who does it and why, for the record."""

    who: str
    why: str = ""


def push(
    registry: Registry,
    model: Path,
    *,
    name: str,
    version: str,
    by: Person,
    statements: Path | None = None,
    data: Path | None = None,
    config: Path | None = None,
) -> History:
    """Keep a model and what belongs to it as a new version, staged.

    Args:
        registry: where.
        model: file or folder.
        name: of the model.
        version: new for this model.
        by: who pushes.
        statements: bundle of statements; the one beside the model when None, if there is one.
        data: manifest of the training data (``redan data manifest``).
        config: the redan.toml it was made and measured with.

    Raises:
        UsageError: a name does not fit, the version exists, or the registry is open for reading only.
        Unreadable: a file cannot be read.
        EvidenceError: it changed while it was read, or the store cannot be written.
    """
    require_name("model", name)
    require_name("version", version)
    about = describe(model)
    bundle = statements if statements is not None else (beside(model) if beside(model).exists() else None)
    blobs = StoreBlobs(registry.store)
    # bytes that are there already must not be retired between being found and being named
    with registry.exclusive():
        _keep_files(blobs, model, about)
        kept = {
            "statements": _document(blobs, bundle),
            "data": _document(blobs, data),
            "config": _document(blobs, config),
        }
        found = registry.append(
            Transition(
                name=name,
                version=version,
                act="push",
                at=now(),
                who=by.who,
                why=by.why,
                previous=registry.history(name).head,
                files=about.files,
                folder=model.is_dir(),
                **kept,
            ),
            about,
        )
    recorded(registry, found)
    return found


def recorded(registry: Registry, found: History) -> None:
    """Tell the audit log of the last transition."""
    last = found.transitions[-1]
    transition = last.transition
    registry.record(
        Act(
            t_us=time.time_ns() // 1000,
            who=transition.who,
            act=f"registry.{transition.act}",
            model=f"{transition.name}@{transition.version}",
            digest=next(iter(last.model.digest.values())),
            why=transition.why,
            more={"transition": last.sha256},
        )
    )


def now() -> str:
    """Return the time as transitions write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _keep_files(blobs: StoreBlobs, model: Path, about: Model) -> None:
    for path, digest in about.files.items():
        file = model / path if model.is_dir() else model
        if blobs.put_file(file) != digest:
            raise EvidenceError(f"{path!r} changed while it was pushed", hint="push what nobody writes to")


def _document(blobs: StoreBlobs, path: Path | None) -> str:
    if path is None:
        return ""
    try:
        if path.stat().st_size > LARGEST_DOCUMENT_BYTES:
            raise Unreadable(f"{path.name!r} is larger than {LARGEST_DOCUMENT_BYTES} bytes")
        return blobs.put_file(path)
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err
