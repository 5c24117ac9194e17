"""Which version answers whom, as one snapshot that is never changed: the data path reads it without a lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.service.models.served import Role, Served

MOST_KEPT = 65_536
"""Clients whose place is remembered for one model; a further one begins anew with an empty memory."""
_SCALE = float(1 << 64)


def place(key: bytes, name: str, client: str) -> float:
    """Return where a client stands in [0, 1) for one model: the same on every replica with the same key.

    Args:
        key: at most 64 bytes, the same on every replica and known to no client.
        name: of the model, so that places for different models are independent.
        client: its identifier.
    """
    text = f"{len(name)}:{name}{client}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, key=key, digest_size=8).digest(), "big") / _SCALE


@dataclass(slots=True, eq=False)
class Route:
    """Who answers for one model.

    Attributes:
        name: of the model.
        live: what answers whoever no canary answers; None while nothing is live.
        cuts: (end of its part of [0, 1), version) of each canary, ends rising.
        key: of `place`.
        places: client → what answers it, so that the hash is computed once a client.
    """

    name: str
    live: Served | None
    cuts: tuple[tuple[float, Served], ...]
    key: bytes
    places: dict[str, Served | None] = field(default_factory=dict)

    def chosen(self, client: str) -> Served | None:
        """Return what answers a client that was not met yet, and remember it."""
        where = place(self.key, self.name, client)
        found = next((served for end, served in self.cuts if where < end), self.live)
        if len(self.places) >= MOST_KEPT:
            self.places = {}
        self.places[client] = found
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """What is served at one moment.

    Attributes:
        routes: model → who answers for it.
        named: (model, version) → what answers who names a version: live and canary versions.
        shadows: model → versions that are asked too.
        everything: every loaded version with its role.
        refused: (model, version, why) of every version that may not be served.
    """

    routes: Mapping[str, Route] = field(default_factory=dict)
    named: Mapping[tuple[str, str], Served] = field(default_factory=dict)
    shadows: Mapping[str, tuple[Served, ...]] = field(default_factory=dict)
    everything: tuple[tuple[Served, Role], ...] = ()
    refused: tuple[tuple[str, str, str], ...] = ()


def snapshot(
    everything: Sequence[tuple[Served, Role]], refused: Sequence[tuple[str, str, str]], key: bytes
) -> Snapshot:
    """Put together what is served.

    Args:
        everything: every loaded version that may be served, with its role.
        refused: as in `Snapshot`.
        key: of `place`.
    """
    named = {(s.settings.name, s.settings.version): s for s, role in everything if role in ("live", "canary")}
    names = dict.fromkeys(s.settings.name for s, _ in everything)
    return Snapshot(
        routes={name: _route(name, everything, key) for name in names},
        named=named,
        shadows={name: _of(name, everything, "shadow") for name in names},
        everything=tuple(everything),
        refused=tuple(refused),
    )


def _route(name: str, everything: Sequence[tuple[Served, Role]], key: bytes) -> Route:
    cuts: list[tuple[float, Served]] = []
    for served in _of(name, everything, "canary"):
        end = served.settings.share + (cuts[-1][0] if cuts else 0.0)
        cuts.append((end, served))
    return Route(name=name, live=next(iter(_of(name, everything, "live")), None), cuts=tuple(cuts), key=key)


def _of(name: str, everything: Sequence[tuple[Served, Role]], wanted: Role) -> tuple[Served, ...]:
    return tuple(served for served, role in everything if served.settings.name == name and role == wanted)
