"""Taking a version out: into a folder, or into memory for the gateway; every byte is held against its digest."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from redan.core.errors import EvidenceError, UsageError
from redan.evidence.statements import beside
from redan.evidence.statements.resource import Resource
from redan.evidence.store.blobs import StoreBlobs
from redan.service.registry.history import Version
from redan.service.registry.opening import Registry
from redan.service.registry.transition import require_name

CONFIG, DATA = "redan.toml", "data.manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Held:
    """A version in memory.

    Attributes:
        version: what the registry says of it.
        model: name and digest.
        files: path inside the model → content.
        statements: the bundle of statements, or empty.
    """

    version: Version
    model: Resource
    files: dict[str, bytes]
    statements: bytes


def split(reference: str) -> tuple[str, str]:
    """Read ``NAME@VERSION``; without a version the live one is meant.

    Raises:
        UsageError: a name does not fit.
    """
    name, at, version = reference.partition("@")
    require_name("model", name)
    return name, require_name("version", version) if at else "live"


def held(registry: Registry, name: str, version: str) -> Held:
    """Return a version in memory; nothing is written.

    Raises:
        UsageError: there is no such version, or it is retired.
        EvidenceError: a byte is missing or was changed.
    """
    found = _kept(registry, name, version)
    blobs, push = StoreBlobs(registry.store), found.push.transition
    return Held(
        version=found,
        model=found.push.model,
        files={path: blobs.get(digest) for path, digest in push.files.items()},
        statements=blobs.get(push.statements) if push.statements else b"",
    )


def pull(registry: Registry, name: str, version: str, to: Path) -> Path:
    """Write a version below a new folder: the model, its statements beside it, manifest and configuration.

    The folder appears whole or not at all.

    Returns:
        The model's path.

    Raises:
        UsageError: there is no such version, it is retired, or the folder exists.
        EvidenceError: a byte is missing or was changed, or the folder cannot be written.
    """
    found = _kept(registry, name, version)
    if to.exists():
        raise UsageError(f"{str(to)!r} exists already", hint="name a new folder")
    to.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=f".{to.name}.", dir=to.parent))
    try:
        model = _written(registry, found, temporary)
        temporary.rename(to)
    except OSError as err:
        raise EvidenceError(
            f"cannot write {str(to)!r}: {err.strerror}", hint="make room, or name another place"
        ) from err
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return to / model


def _written(registry: Registry, found: Version, folder: Path) -> str:
    blobs, push = StoreBlobs(registry.store), found.push.transition
    model = folder / Path(found.push.model.name).name
    for path, digest in push.files.items():
        target = (model / path) if push.folder else model
        if not target.resolve().is_relative_to(folder.resolve()):
            raise EvidenceError(f"the path {path!r} of the version leads out of its folder")
        _write(blobs, digest, target)
    for digest, target in (
        (push.statements, beside(model)),
        (push.data, folder / DATA),
        (push.config, folder / CONFIG),
    ):
        if digest:
            _write(blobs, digest, folder / target.name)
    return model.name


def _write(blobs: StoreBlobs, digest: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        for piece in blobs.stream(digest):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _kept(registry: Registry, name: str, version: str) -> Version:
    found = registry.history(name).version(version)
    if found.state == "retired":
        raise UsageError(f"version {found.name} of {name!r} is retired; its bytes are gone", hint="choose another")
    return found
