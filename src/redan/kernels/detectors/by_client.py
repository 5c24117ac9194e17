"""What is remembered of each client, for a bounded number of them; replicas merge to what one would hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar


class Trail(Protocol):
    """The latest queries of one client."""

    @property
    def last_s(self) -> float:
        """When the last query was asked."""

    def add(self, query: Any) -> None:
        """Keep one more query."""

    def merged(self, other: Self) -> Self:
        """Return what both hold."""


Kept = TypeVar("Kept", bound=Trail)


class ByClient(Generic[Kept]):
    """Trails by client.

    Args:
        most_clients: those that asked last are kept.
        fresh: makes the empty trail of somebody who is not known.
    """

    __slots__ = ("_fresh", "_trails", "most_clients")

    def __init__(self, most_clients: int, fresh: Callable[[], Kept]) -> None:
        self.most_clients, self._fresh = most_clients, fresh
        self._trails: dict[str, Kept] = {}

    def trail(self, client: str) -> Kept:
        """Return the trail of a client, an empty one for somebody who is not known."""
        return self._trails[client] if client in self._trails else self._fresh()

    def add(self, client: str, query: Any) -> None:
        """Keep one more query."""
        if client not in self._trails:
            self._trails[client] = self._fresh()
        self._trails[client].add(query)
        self._forget()

    def merged(self, other: Self) -> Self:
        """Return what both hold."""
        both = type(self)(self.most_clients, self._fresh)
        for client in self._trails.keys() | other._trails.keys():
            both._trails[client] = self.trail(client).merged(other.trail(client))
        both._forget()
        return both

    def _forget(self) -> None:
        while len(self._trails) > self.most_clients:
            del self._trails[min(self._trails, key=lambda name: (self._trails[name].last_s, name))]
