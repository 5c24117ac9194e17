"""How much the registry keeps: the bytes of old versions go, the signed record of what they were stays for ever."""

from __future__ import annotations

from dataclasses import dataclass

from redan.evidence.store.removal import remove
from redan.service.registry.history import History
from redan.service.registry.moving import retire
from redan.service.registry.opening import Registry
from redan.service.registry.pushing import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was retired.

    Attributes:
        versions: ``NAME@VERSION`` of each.
        n_blobs: blobs that no version needs any more and that are gone.
    """

    versions: tuple[str, ...]
    n_blobs: int


def too_old(found: History, keep: int) -> tuple[str, ...]:
    """Return versions beyond the newest ``keep``; never what is live or a canary, nor the version to go back to."""
    kept = [version for version in found.versions if version.state != "retired"]
    spared = {found.before[-1]} if found.before else set()
    return tuple(
        version.name
        for version in kept[: max(0, len(kept) - keep)]
        if version.state not in ("live", "canary") and version.name not in spared
    )


def prune(registry: Registry, keep: int, *, by: Person) -> Pruned:
    """Retire old versions of every model and remove the bytes that no kept version shares.

    Args:
        registry: where.
        keep: versions of each model that stay, at least 1.
        by: who and why.

    Raises:
        UsageError: somebody else changes the registry meanwhile.
        EvidenceError: the store cannot be written; what was retired stays retired and the next call removes its bytes.
    """
    gone = []
    for name, found in registry.histories().items():
        for version in too_old(found, max(1, keep)):
            retire(registry, name, version, by=by)
            gone.append(f"{name}@{version}")
    with registry.exclusive():
        histories = registry.histories()
        needed, retired = set[str](), set[str]()
        for found in histories.values():
            for each in found.versions:
                push = each.push.transition
                digests = {*push.files.values(), push.statements, push.data, push.config} - {""}
                (retired if each.state == "retired" else needed).update(digests)
        n_blobs = remove(registry.store, sorted(retired - needed))
    return Pruned(versions=tuple(gone), n_blobs=n_blobs)
