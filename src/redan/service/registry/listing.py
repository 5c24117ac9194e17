"""What people see of a registry: a row for each version, or for each transition of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redan.service.registry.history import History, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A version; ``digest`` is that of the model, ``by`` the key that signed its push."""

    model: str
    version: str
    state: str
    pushed: str
    files: int
    digest: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRow:
    """A transition; ``sha256`` is the digest of what was signed."""

    at: str
    act: str
    version: str
    who: str
    why: str
    key: str
    sha256: str


def versions(histories: Mapping[str, History]) -> list[VersionRow]:
    """Return every version of every model, the newest of each last."""
    return [_row(name, each) for name, found in sorted(histories.items()) for each in found.versions]


def transitions(found: History) -> list[TransitionRow]:
    """Return what happened to a model, in order."""
    return [
        TransitionRow(
            at=each.transition.at,
            act=each.transition.act,
            version=each.transition.version,
            who=each.transition.who,
            why=each.transition.why,
            key=each.key_id[:16],
            sha256=each.sha256[:16],
        )
        for each in found.transitions
    ]


def _row(name: str, version: Version) -> VersionRow:
    push = version.push
    return VersionRow(
        model=name,
        version=version.name,
        state=version.state,
        pushed=push.transition.at,
        files=len(push.transition.files),
        digest=next(iter(push.model.digest.values()))[:16],
        by=push.key_id[:16],
    )
