"""Who is connected, and how long each connection may go on waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from redan.service.gateway.refusal import OVERLOADED, Refusal

if TYPE_CHECKING:
    from redan.core.settings_service import Limits
    from redan.service.gateway.protocol import GuardedProtocol
    from redan.service.gateway.proxies import Proxies

_SWEEPS_PER_LIMIT = 4


class Doors:
    """The connections of one server: how many there are, of whom, and which have had their time.

    One sweep looks at all of them, so that no request pays for a timer; a limit is kept to a quarter of the shortest.

    Args:
        limits: what a connection may take.
        refused: is told of every refusal before a request was understood, with the network address; returns an
            identifier for the answer.
        proxies: in front of the server; None where there are none.

    Attributes:
        held_bytes: bodies in memory that are not answered yet, of all connections.
        lingering: connections that were answered for good and may still be read from.
    """

    def __init__(self, limits: Limits, refused: Callable[[Refusal, str], str], proxies: Proxies | None = None) -> None:
        self.limits, self.refused, self.proxies = limits, refused, proxies
        self.addresses: dict[str, int] = {}
        self.connections: set[GuardedProtocol] = set()
        self.held_bytes = 0
        self.lingering = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._every_s = min(max(min(limits.header_s, limits.body_s, limits.idle_s) / _SWEEPS_PER_LIMIT, 0.02), 1.0)

    def enter(self, connection: GuardedProtocol, address: str) -> Refusal | None:
        """Count a new connection in, or say that there are too many."""
        count = self.addresses.get(address, 0)
        # a proxy brings everybody's connections
        most = self.limits.connections if connection.proxied else self.limits.connections_per_address
        if len(self.connections) >= self.limits.connections or count >= most:
            return OVERLOADED
        self.addresses[address] = count + 1
        self.connections.add(connection)
        if self._sweeping is None:
            self._sweeping = connection.loop.call_later(self._every_s, self._sweep, connection.loop)
        return None

    def leave(self, connection: GuardedProtocol, address: str) -> None:
        """Count a connection out that was let in."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        left = self.addresses[address] - 1
        if left:
            self.addresses[address] = left
        else:
            del self.addresses[address]

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for connection in [one for one in self.connections if one.ends_s < now_s]:
            connection.out_of_time()
        self._sweeping = loop.call_later(self._every_s, self._sweep, loop) if self.connections else None
