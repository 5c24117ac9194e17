"""Lock-out that replicas share through Redis; while Redis does not answer, each replica's own counting goes on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from redan.service.identity.lockout import ADDRESS, PAIR, Backoff, Lockout, network

if TYPE_CHECKING:
    from redis.asyncio import Redis

ANSWER_S = 0.25
"""How long Redis may take before its word is done without."""
SILENT_S = 1.0
"""How long Redis is left alone after it did not answer."""
# what waits is told by the life of a key, so that no clock but Redis's own counts
_FAILED = """
if redis.call('EXISTS', KEYS[2]) == 1 then return redis.call('PTTL', KEYS[2]) end
local n = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local over = n - tonumber(ARGV[1])
if over <= 0 then return 0 end
local wait = math.floor(math.min(tonumber(ARGV[3]), tonumber(ARGV[2]) * 2 ^ math.min(over - 1, 40)))
redis.call('SET', KEYS[2], n, 'PX', wait)
return 0
"""


class Lockouts:
    """Lock-out of addresses, and of credentials and accounts from an address.

    Args:
        redis_url: ``redis://`` URL that replicas share; empty: this process counts alone.
    """

    def __init__(self, redis_url: str = "") -> None:
        self._addresses, self._pairs = Lockout(ADDRESS), Lockout(PAIR)
        self._redis: Redis | None = None
        self._silent_until_s = 0.0
        self.n_waits = 0
        """How many attempts had to wait."""
        self.unshared = 0
        """How often Redis was asked and did not answer."""
        if redis_url:
            import redis.asyncio

            self._redis = redis.asyncio.from_url(redis_url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)

    async def wait_s(self, addr: str, account: str = "") -> float:
        """Return how many seconds an attempt must wait; 0: it may be made.

        Args:
            addr: network address.
            account: identifier of a key, or of whoever wants to log in; empty: none is named.
        """
        place = network(addr)
        own = max(self._addresses.wait_s(place), self._pairs.wait_s(_pair(place, account)) if account else 0.0)
        names = [f"redan:wait:{place}"] + ([f"redan:wait:{_pair(place, account)}"] if account else [])
        shared = await asyncio.gather(*(self._asked("pttl", name) for name in names))
        wait_s = max(own, *(ms / 1000 for ms in shared))
        self.n_waits += wait_s > 0
        return wait_s

    async def attempt(self, addr: str, account: str) -> float:
        """Count an attempt of an account from an address as a failure until `succeeded` says otherwise.

        So those that come at once count each other; failures of the address are for `failed` to count.

        Returns:
            0 when it may be judged; else how many seconds it must wait.
        """
        wait_s = await self.wait_s(addr, account)
        if wait_s == 0:
            name = _pair(network(addr), account)
            wait_s = max(self._pairs.attempt(name), await self._share(name, PAIR))
            self.n_waits += wait_s > 0
        return wait_s

    async def failed(self, addr: str, account: str = "") -> None:
        """Count a failure."""
        place = network(addr)
        self._addresses.failed(place)
        await self._share(place, ADDRESS)
        if account:
            self._pairs.failed(_pair(place, account))
            await self._share(_pair(place, account), PAIR)

    async def succeeded(self, addr: str, account: str) -> None:
        """Forget the failures of an account from an address; those of the address stand, whoever else was tried."""
        name = _pair(network(addr), account)
        self._pairs.succeeded(name)
        await self._asked("delete", f"redan:fail:{name}", f"redan:wait:{name}")

    async def stop(self) -> None:
        """Close the connection."""
        if self._redis is not None:
            await self._redis.aclose()

    async def _share(self, name: str, backoff: Backoff) -> float:
        """Count a failure with the other replicas, unless the name waits; return how many seconds it had to."""
        times = [int(s * 1000) for s in (backoff.first_s, backoff.most_s, backoff.forget_s)]
        keys = f"redan:fail:{name}", f"redan:wait:{name}"
        return await self._asked("eval", _FAILED, 2, *keys, backoff.free, *times) / 1000

    async def _asked(self, command: str, *words: Any) -> float:
        if self._redis is None or time.monotonic() < self._silent_until_s:
            return 0.0
        try:
            return max(0.0, float(await getattr(self._redis, command)(*words) or 0))
        except (RedisError, OSError, TimeoutError):
            self.unshared += 1
            self._silent_until_s = time.monotonic() + SILENT_S
            return 0.0


def _pair(place: str, account: str) -> str:
    return f"{place}|{account[:256]}"
