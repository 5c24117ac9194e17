"""Requests or rows a second for each client over all replicas: leased from Redis in blocks, never asked for one by one.

Every `TICK_S` one script settles and leases for all clients that asked since. Between ticks a replica spends what it
leased. Whom it does not know yet it lends its share of the burst, one part in as many as there are replicas, and
charges it afterwards whether or not it was there: a client that tries all R replicas at once gets at most 2 - 1/R
bursts, and in the long run exactly its rate. Who asks at once for more than was lent is refused, and finds it leased
when it asks again. While Redis does not answer, each replica allows that share of rate and
burst and no more; when it answers again, what was spent is charged. Time is the clock of Redis there and a monotonic
clock here.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from redan.service.guards.rates import MOST_CLIENTS, Rates

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S = 0.05
RETRY_S = 0.5
TIMEOUT_S = 0.5
EXPECTED_REPLICAS = 4
"""Among so many a limit is shared by a replica that has never reached Redis."""
RETURNED_AFTER_S = 1.0
"""Without a request for so long, a lease goes back."""
HERE_EVERY_S = 1.0
"""So often at least a replica says that it is there."""
_SWEPT = 64
_STRANGERS = ""


class _Lease:
    """What one client may still spend here.

    Attributes:
        left: what is leased, or lent while the client is not settled.
        uncharged: spent and not told to Redis yet.
        spent: in this tick.
        refused: in this tick.
        settled: whether Redis has answered about this client.
        returned: whether the lease was given back, as of whoever is idle; who comes back is lent what was left.
        full_at_s: monotonic time at which the bucket is full again, as Redis last said.
        asked_s: monotonic time at which it was last found to have asked.
    """

    __slots__ = ("asked_s", "full_at_s", "left", "refused", "returned", "settled", "spent", "uncharged")

    def __init__(self, lent: int) -> None:
        self.left, self.uncharged, self.spent, self.refused = lent, 0, 0, 0
        self.settled, self.returned, self.full_at_s, self.asked_s = False, False, 0.0, math.inf


class SharedRates:
    """Token buckets of clients in Redis, spent from leases.

    Args:
        rate_per_s: how many a second over all replicas, above 0.
        burst: how many at once.
        what: is counted: ``rate`` (requests) or ``rows``, as names of buckets in Redis.
        url: of Redis.
        replica: name of this one.
        clock: monotonic seconds.
    """

    def __init__(
        self, rate_per_s: float, burst: int, *, what: str, url: str, replica: str, clock: Callable[[], float]
    ) -> None:
        from redis import asyncio as redis

        self.rate_per_s, self.burst, self.replica, self._clock = rate_per_s, max(1, burst), replica, clock
        self._redis = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=None, retry_on_timeout=False
        )
        self._script = self._redis.register_script(files(__package__).joinpath("leases.lua").read_bytes())
        self._keys = ["redan:replicas", f"redan:{what}:"]
        self._leases: dict[str, _Lease] = {}
        self._active: set[str] = set()
        self._block = max(1, round(2 * TICK_S * rate_per_s))
        self._told_s = -math.inf
        self._alone: Rates | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.n_replicas = EXPECTED_REPLICAS
        self.connected = False
        """Whether Redis answered last; without it each replica keeps to its share."""
        self.n_outages = 0
        self._cut_off()

    async def start(self) -> None:
        """Reach Redis if it is there, and go on in the background."""
        await self._tick()
        self._task = asyncio.create_task(self._forever(), name="redan-leases")

    async def stop(self) -> None:
        """Give leases back and close."""
        self._stopping.set()
        if self._task is not None:
            # not cancelled: the client of Redis may swallow that, and nobody could wait for the end
            await self._task
        if self.connected:
            await self._tick(returned=True)
        await self._redis.aclose()

    def take(self, client: str, now_s: float, n: int = 1) -> bool:
        """Take all of ``n``; False: so many are not left here, and the next tick asks for more."""
        if self._alone is not None:
            taken = self._alone.take(client, now_s, n)
            if taken:
                lease = self._known(client)
                lease.uncharged += n
                # what was spent alone is not lent once more when Redis is back
                lease.left = max(0, lease.left - n)
            return taken
        lease = self._leases.get(client) or self._known(client)
        self._active.add(client)
        if lease.returned:
            self._lend_again(lease, now_s)
        if lease.left < n:
            lease.refused += n
            return False
        lease.left -= n
        lease.spent += n
        if not lease.settled:
            lease.uncharged += n
        return True

    def put_back(self, client: str) -> None:
        """Give one back that was taken just now, since the request was refused for another reason."""
        lease = self._leases.get(client)
        if lease is None:
            return
        if self._alone is not None:
            self._alone.put_back(client)
            lease.uncharged -= 1
            return
        lease.left += 1
        lease.spent -= 1
        if not lease.settled:
            lease.uncharged -= 1

    def retry_s(self, client: str, now_s: float, n: int = 1) -> int:
        """Return whole seconds until it is worth asking again for ``n``, at most the burst, at least 1."""
        if self._alone is not None:
            return self._alone.retry_s(client, now_s, n)
        lease = self._leases.get(client)
        if lease is None:
            return 1
        lacking = min(n, self.burst) - lease.left - self.burst
        return max(1, math.ceil(lease.full_at_s - now_s + lacking / self.rate_per_s))

    @property
    def share(self) -> int:
        """What this replica lends to whom it does not know."""
        return max(1, self.burst // max(1, self.n_replicas))

    def _lend_again(self, lease: _Lease, now_s: float) -> None:
        """Lend to somebody who was idle: no more than the bucket held when it was last heard of."""
        room = self.burst - max(0.0, lease.full_at_s - now_s) * self.rate_per_s
        lease.left, lease.settled, lease.returned = max(0, min(self.share, int(room + 1e-6))), False, False

    def _known(self, client: str) -> _Lease:
        if client not in self._leases and len(self._leases) >= MOST_CLIENTS:
            client = _STRANGERS
        self._active.add(client)
        return self._leases.setdefault(client, _Lease(self.share))

    async def _forever(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S if self.connected else RETRY_S):
                    await self._stopping.wait()
            await self._tick()

    async def _tick(self, *, returned: bool = False) -> None:
        from redis.exceptions import RedisError

        asked = self._asked()
        if returned:
            held = {name: lease for name, lease in self._leases.items() if lease.settled and lease.left}
            asked = {name: (-lease.left, 0, 0) for name, lease in held.items()}
        now_s = self._clock()
        if self.connected and not asked and now_s - self._told_s < HERE_EVERY_S:
            return
        flat = [item for name, each in asked.items() for item in (name, *each)]
        told = msgspec.msgpack.encode([self.replica, 1e6 / self.rate_per_s, self.burst, flat])
        try:
            answer = await self._script(keys=self._keys, args=[told])
        except (RedisError, OSError, TimeoutError):
            self._unasked(asked)
            if self.connected:
                self._cut_off()
            return
        self.n_replicas, gave = msgspec.msgpack.decode(answer)
        self._settle(asked, gave)
        self.connected, self._alone, self._told_s = True, None, now_s

    def _asked(self) -> dict[str, tuple[int, int, int]]:
        """Return charge, wish and what is known of the bucket in microseconds, for each client that has a reason."""
        now_s, found = self._clock(), {}
        for name in self._active:
            lease = self._leases.get(name)
            if lease is None:
                continue
            need, have = 2 * lease.spent + lease.refused, lease.left if lease.settled else 0
            # a share of the burst lies here, so that what comes at once finds it without a tick in between
            want = min(self.burst, max(need, self._block, self.share)) - have if have < need or not lease.settled else 0
            charge = min(lease.uncharged, self.burst)
            if charge or want > 0:
                found[name] = (charge, max(0, want), max(0, int((lease.full_at_s - now_s) * 1e6)))
            # who was told to ask again in a second finds it then
            lease.asked_s = now_s + (RETURNED_AFTER_S if lease.refused else 0.0)
            lease.uncharged = lease.spent = lease.refused = 0
        self._active.clear()
        for name in list(islice(self._leases, _SWEPT)):
            self._swept(name, now_s, found)
        return found

    def _swept(self, name: str, now_s: float, found: dict[str, tuple[int, int, int]]) -> None:
        """Give back what an idle client does not use, forget it once its bucket is full; others go to the back."""
        lease = self._leases.pop(name)
        idle = now_s - lease.asked_s > RETURNED_AFTER_S and name not in found
        if idle and lease.left and lease.settled:
            found[name] = (-lease.left, 0, 0)
            lease.left, lease.returned = 0, True
        elif idle and lease.full_at_s < now_s and not lease.uncharged:
            return
        self._leases[name] = lease

    def _unasked(self, asked: dict[str, tuple[int, int, int]]) -> None:
        """Keep what Redis did not answer to for the next time."""
        for name, (charge, _, _) in asked.items():
            lease = self._leases.get(name)
            if lease is None:
                continue
            self._active.add(name)
            lease.uncharged += max(0, charge)
            if charge < 0 and lease.returned:
                lease.left, lease.returned = -charge, False

    def _settle(self, asked: dict[str, tuple[int, int, int]], gave: list[int]) -> None:
        now_s = self._clock()
        for i, (name, (charge, _, _)) in enumerate(asked.items()):
            lease = self._leases.get(name)
            if lease is None:
                continue
            if charge >= 0 and (lease.settled or gave[2 * i] or lease.left <= 0):
                lease.left = gave[2 * i] + (lease.left if lease.settled else 0)
                lease.settled = True
            # where nothing was left to lease, another replica may have all of it: what was lent holds, and is charged
            # else it was given back, and may have been lent again meanwhile
            lease.full_at_s = now_s + gave[2 * i + 1] / 1e6

    def _cut_off(self) -> None:
        """Keep to this replica's share until Redis answers."""
        self.n_outages += self.connected
        self.connected = False
        self._alone = Rates(self.rate_per_s / max(1, self.n_replicas), self.share)
