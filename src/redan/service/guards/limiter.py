"""Rates and budgets of clients: what `redan.service.parts.Limiter` promises."""

from __future__ import annotations

import asyncio
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from redan.core.errors import RedanError
from redan.service.gateway.refusal import BUDGET, RATE, SUSPENDED, TOO_LARGE, Refusal
from redan.service.guards.budgets import HOUR_S, RowBudgets
from redan.service.guards.keeping import FORGOTTEN_S
from redan.service.guards.rates import Rates
from redan.service.guards.shared_rates import SharedRates
from redan.service.web.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redan.core.settings_service import Guards
    from redan.evidence.store.database import Database
    from redan.service.guards.keeping import Keeping

KEPT_EVERY_S = 1.0
"""A crash loses the rows of this long, at most; other replicas see them this late."""
MOST_THROTTLED = 10_000
ROWS = replace(RATE, say="too many rows; slow down")
_telling = Telling()


class ClientLimiter:
    """Rates, budgets and who is slowed down, each switchable.

    Args:
        rates: requests a second, or None without limit.
        rows: rows a second, or None without limit.
        budgets: rows a day, or None without limit.
        keeping: where budgets and throttles outlive a restart, or None.
        clock: monotonic seconds; the wall clock is read once, and its jumps change nothing.
    """

    def __init__(
        self,
        rates: Rates | SharedRates | None,
        rows: Rates | SharedRates | None,
        budgets: RowBudgets | None,
        *,
        keeping: Keeping | None,
        clock: Callable[[], float],
    ) -> None:
        self._rates, self._rows, self._budgets = rates, rows, budgets
        self._keeping, self._clock = keeping, clock
        self._epoch_s = time.time() - clock()
        self._slow: dict[str, tuple[float, float, Rates]] = {}
        self._unwritten: dict[str, tuple[float | None, float]] = {}
        self._n_set = 0
        self._task: asyncio.Task[None] | None = None
        self.n_unkept = 0
        """Times that budgets and throttles were not exchanged with the database."""

    async def start(self) -> None:
        """Take up what was counted before, then keep counting."""
        if self._keeping is not None:
            if self._budgets is not None:
                own = await asyncio.to_thread(self._keeping.own, hour=self._hour())
                self._budgets.restore(own)
            await self._exchange()
            self._task = asyncio.create_task(self._forever(), name="redan-limiter")
        for shared in self._shared():
            await shared.start()

    async def stop(self) -> None:
        """Keep what was counted."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._keeping is not None:
            with suppress(RedanError):
                await self._exchange()
        for shared in self._shared():
            await shared.stop()

    def take(self, client: str, rows: int) -> Refusal | None:
        """Take one request and its rows from a client's allowance, or say why not; never blocks."""
        now_s = self._clock()
        if self._slow and client in self._slow and (refusal := self._slowed(client, rows, now_s)) is not None:
            return refusal
        rates = self._rates
        if rates is not None and not rates.take(client, now_s):
            return _again(RATE, rates.retry_s(client, now_s))
        by_row = self._rows
        if by_row is not None and rows:
            never = rows > by_row.burst
            if never or not by_row.take(client, now_s, rows):
                if rates is not None:
                    rates.put_back(client)
                return _beyond(by_row.burst) if never else _again(ROWS, by_row.retry_s(client, now_s, rows))
        budgets = self._budgets
        if budgets is not None and not budgets.take(client, rows, int((now_s + self._epoch_s) // HOUR_S)):
            return BUDGET
        return None

    async def throttle(self, client: str, *, rate_per_s: float | None, until_s: float) -> None:
        """Slow a client down to so many rows a second, until a time; a request without rows counts as one row.

        A rate of 0 suspends it, None gives it back what everybody has. It holds here at once, and is kept for restarts
        and other replicas.

        Raises:
            EvidenceError: it holds here, and could not be kept yet; that is tried again every second.
        """
        self._set(client, rate_per_s, until_s)
        if self._keeping is not None:
            self._n_set += 1
            self._unwritten[client] = (rate_per_s, until_s)
            await self._write_throttles()

    def throttled(self) -> dict[str, tuple[float, float]]:
        """Return clients that are slowed down now: rows a second, until when in seconds since the epoch."""
        now_s = self._clock() + self._epoch_s
        return {client: (rate, until) for client, (rate, until, _) in self._slow.items() if until > now_s}

    def rows_left(self, client: str) -> int | None:
        """Return how many rows a client may still ask within 24 hours; None without limit."""
        return None if self._budgets is None else self._budgets.left(client, self._hour())

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return numbers for `redan.service.monitoring`: family, labels, value."""
        if self._budgets is not None:
            yield ("redan_clients_near_budget", (), self._budgets.near(self._hour()))

    def _shared(self) -> tuple[SharedRates, ...]:
        return tuple(each for each in (self._rates, self._rows) if isinstance(each, SharedRates))

    def _hour(self) -> int:
        return int((self._clock() + self._epoch_s) // HOUR_S)

    def _set(self, client: str, rate_per_s: float | None, until_s: float) -> None:
        if rate_per_s is None:
            self._slow.pop(client, None)
            return
        known = self._slow.get(client)
        if known is not None and known[:2] == (rate_per_s, until_s):
            return
        if len(self._slow) >= MOST_THROTTLED and client not in self._slow:
            # the one that ends first leaves; a suspension outlasts a throttle
            del self._slow[min(self._slow, key=lambda name: (self._slow[name][0] == 0, self._slow[name][1]))]
        bucket = Rates(rate_per_s, max(1, int(rate_per_s)), most_clients=1)
        self._slow[client] = (rate_per_s, until_s, bucket)

    def _slowed(self, client: str, rows: int, now_s: float) -> Refusal | None:
        rate, until_s, bucket = self._slow[client]
        if now_s + self._epoch_s >= until_s:
            del self._slow[client]
            return None
        if rate <= 0:
            return SUSPENDED
        # each row costs one: else one large request would hold what the throttle is to keep back
        n = max(1, rows)
        return None if bucket.take(client, now_s, n) else _again(RATE, bucket.retry_s(client, now_s, n))

    async def _forever(self) -> None:
        while True:
            await asyncio.sleep(KEPT_EVERY_S)
            try:
                await self._exchange()
            except RedanError:
                self.n_unkept += 1
            except Exception:  # noqa: BLE001  # else nobody suspended elsewhere would be refused here ever again
                self.n_unkept += 1
                _telling.tell(traceback.format_exc())

    async def _exchange(self) -> None:
        """Write what changed, and read what other replicas wrote.

        Raises:
            EvidenceError: the database does not answer; what was to be written is written the next time.
        """
        keeping, budgets, hour = self._keeping, self._budgets, self._hour()
        if keeping is None:
            return
        if budgets is not None:
            counts = budgets.changed()
            try:
                await asyncio.to_thread(keeping.write, counts, hour=hour)
            except BaseException:
                budgets.put_back(counts)
                raise
            budgets.told(await asyncio.to_thread(keeping.others, hour=hour))
        await self._write_throttles()
        n_set = self._n_set
        kept = await asyncio.to_thread(keeping.slowed)
        if n_set != self._n_set:
            return  # somebody was slowed down while this was read: it may be from before
        now_s = self._clock() + self._epoch_s
        holding = {client: held for client, held in kept.items() if held[1] > now_s}
        for client in self._slow.keys() - holding.keys():
            self._set(client, None, 0.0)
        for client, (rate, until_s) in holding.items():
            self._set(client, rate, until_s)
        if any(until_s < now_s - FORGOTTEN_S for _, until_s in kept.values()):
            await asyncio.to_thread(keeping.forget, now_s)

    async def _write_throttles(self) -> None:
        if self._keeping is None:
            return
        for client, (rate_per_s, until_s) in list(self._unwritten.items()):
            await asyncio.to_thread(self._keeping.slow, client, rate_per_s, until_s)
            if self._unwritten.get(client) == (rate_per_s, until_s):
                del self._unwritten[client]


def open_limiter(
    guards: Guards,
    *,
    redis_url: str,
    replica: str,
    database: Database | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> ClientLimiter:
    """Return the limiter that settings ask for.

    Args:
        guards: rates and budgets.
        redis_url: where replicas share rates; empty keeps them in memory.
        replica: name of this one.
        database: where budgets and throttles are kept; None forgets them at the end.
        clock: monotonic seconds.
    """
    from redan.service.guards.keeping import Keeping

    def opened(what: str, rate_per_s: float, burst: int) -> Rates | SharedRates | None:
        if rate_per_s <= 0:
            return None
        if redis_url:
            return SharedRates(rate_per_s, burst, what=what, url=redis_url, replica=replica, clock=clock)
        return Rates(rate_per_s, burst)

    return ClientLimiter(
        opened("rate", guards.rate_per_s, guards.burst),
        opened("rows", guards.rows_per_s, guards.rows_burst),
        RowBudgets(guards.rows_per_day) if guards.rows_per_day > 0 else None,
        keeping=Keeping(database=database, replica=replica) if database is not None else None,
        clock=clock,
    )


def _again(refusal: Refusal, retry_s: int) -> Refusal:
    return refusal if retry_s == refusal.retry_s else replace(refusal, retry_s=retry_s)


def _beyond(most: int) -> Refusal:
    return replace(TOO_LARGE, say=f"this gateway takes at most {most} rows at once; send fewer")
