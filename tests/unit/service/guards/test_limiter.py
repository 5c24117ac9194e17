"""The limiter: refusals, throttles, what outlives a restart, and rates shared through a real Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from tests.unit.service.guards.conftest import RedisServer

from redan.core.errors import EvidenceError
from redan.core.settings_service import Guards
from redan.service.database import open_database
from redan.service.gateway.refusal import BUDGET, RATE, SUSPENDED
from redan.service.guards.keeping import Keeping
from redan.service.guards.limiter import ClientLimiter, open_limiter
from redan.service.guards.shared_rates import SharedRates


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)  # the other end is a server of another program


def test_refusals_say_rate_or_budget_and_when_to_ask_again() -> None:
    clock = Clock()
    limiter = open_limiter(Guards(rate_per_s=0.1, burst=2, rows_per_day=5), redis_url="", replica="a", clock=clock)
    assert limiter.take("c", 1) is None
    assert limiter.take("c", 5) is BUDGET
    refusal = limiter.take("c", 1)
    assert refusal is not None
    assert (refusal.status, refusal.why, refusal.retry_s) == (429, "rate", 10)
    assert limiter.rows_left("c") == 4
    assert list(limiter.readings()) == [("redan_clients_near_budget", (), 0)]
    clock.now_s += 100
    assert limiter.take("c", 3) is None
    assert list(limiter.readings()) == [("redan_clients_near_budget", (), 1)]
    assert open_limiter(Guards(rate_per_s=0, rows_per_s=0), redis_url="", replica="a").take("c", 10**9) is None


def test_rows_have_a_rate_of_their_own_and_a_refusal_of_rows_costs_no_request() -> None:
    clock = Clock()
    guards = Guards(rate_per_s=1, burst=3, rows_per_s=10, rows_burst=50)
    limiter = open_limiter(guards, redis_url="", replica="a", clock=clock)
    assert limiter.take("c", 40) is None
    for _ in range(20):
        refusal = limiter.take("c", 40)
        assert refusal is not None
        assert (refusal.status, refusal.why, refusal.retry_s) == (429, "rate", 3)
        assert "rows" in refusal.say
    assert limiter.take("c", 10) is None
    assert limiter.take("c", 0) is None
    assert limiter.take("c", 0) is RATE
    assert limiter.take("other", 50) is None
    clock.now_s += 3
    assert limiter.take("c", 30) is None


def test_more_rows_than_there_may_ever_be_at_once_are_told_to_be_fewer_and_not_to_wait() -> None:
    limiter = open_limiter(Guards(rows_burst=50), redis_url="", replica="a")
    refusal = limiter.take("c", 51)
    assert refusal is not None
    assert (refusal.status, refusal.why, refusal.retry_s) == (413, "size", 0)
    assert "at most 50 rows" in refusal.say
    assert limiter.take("c", 50) is None
    for off in (Guards(rows_per_s=0), Guards(rows_per_s=0, rate_per_s=0)):
        assert open_limiter(off, redis_url="", replica="a").take("c", 10**9) is None


def test_who_is_slowed_down_pays_for_each_row(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        limiter = open_limiter(Guards(rate_per_s=0, rows_per_s=0), redis_url="", replica="a", clock=clock)
        await limiter.throttle("eve", rate_per_s=2, until_s=time.time() + 600)
        refusal = limiter.take("eve", 500)
        assert refusal is not None
        assert (refusal.status, refusal.why) == (429, "rate")
        assert limiter.take("eve", 2) is None
        assert limiter.take("eve", 0) is not None
        clock.now_s += 1
        assert limiter.take("eve", 0) is None
        assert limiter.take("eve", 1) is None

    asyncio.run(main())


def test_a_jump_of_the_wall_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    limiter = open_limiter(Guards(rate_per_s=1, burst=1, rows_per_day=2), redis_url="", replica="a", clock=clock)
    assert limiter.take("c", 2) is None
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert limiter.take("c", 1) is not None
    clock.now_s += 5
    assert limiter.take("c", 1) is BUDGET


async def _throttles(root: Path) -> None:
    clock = Clock()
    database = open_database("service.db", root=root)
    guards = Guards(rate_per_s=100, burst=100)
    one = open_limiter(guards, redis_url="", replica="a", database=database, clock=clock)
    other = open_limiter(guards, redis_url="", replica="b", database=database, clock=clock)
    await one.start()
    await one.throttle("eve", rate_per_s=0, until_s=time.time() + 60)
    await one.throttle("slow", rate_per_s=2, until_s=time.time() + 60)
    assert one.take("eve", 1) is SUSPENDED
    assert sum(one.take("slow", 1) is None for _ in range(10)) == 2
    await other.start()
    assert other.take("eve", 1) is SUSPENDED
    assert set(other.throttled()) == {"eve", "slow"}
    await other.throttle("eve", rate_per_s=None, until_s=0)
    assert other.take("eve", 1) is None
    await until(lambda: one.take("eve", 1) is None)
    clock.now_s += 61
    assert one.throttled() == {}
    assert one.take("slow", 1) is None
    await one.stop()
    await other.stop()
    database.close()


def test_a_suspension_holds_at_once_reaches_other_replicas_and_ends(tmp_path: Path) -> None:
    asyncio.run(_throttles(tmp_path))


def test_throttles_that_are_over_are_forgotten_here_at_once_and_in_the_database_later(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        database = open_database("service.db", root=tmp_path)
        limiter = open_limiter(Guards(), redis_url="", replica="a", database=database, clock=clock)
        keeping = Keeping(database=database, replica="a")
        began_s = time.time()
        await limiter.throttle("short", rate_per_s=0, until_s=began_s + 10)
        await limiter.throttle("long", rate_per_s=0, until_s=began_s + 9000)
        clock.now_s += 60
        await limiter._exchange()
        assert set(limiter._slow) == {"long"}
        assert set(keeping.slowed()) == {"short", "long"}, "a replica whose clock is behind may hold it still"
        clock.now_s += 3600
        await limiter._exchange()
        assert set(keeping.slowed()) == {"long"}
        database.close()

    asyncio.run(main())


def test_many_old_throttles_are_forgotten_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redan.service.guards.keeping.MOST_FORGOTTEN", 3)
    database = open_database("service.db", root=tmp_path)
    keeping = Keeping(database=database, replica="a")
    for number in range(7):
        keeping.slow(f"c{number}", 0.0, 1000.0)
    for left in (4, 1, 0, 0):
        keeping.forget(10_000.0)
        assert len(keeping.slowed()) == left
    database.close()


async def _restart(root: Path) -> None:
    guards = Guards(rate_per_s=0, rows_per_day=10)
    database = open_database("service.db", root=root)
    first = open_limiter(guards, redis_url="", replica="a", database=database)
    await first.start()
    assert first.take("c", 6) is None
    await first.stop()
    again = open_limiter(guards, redis_url="", replica="a", database=database)
    await again.start()
    assert again.take("c", 5) is BUDGET
    assert again.take("c", 3) is None
    await again.stop()
    other = open_limiter(guards, redis_url="", replica="b", database=database)
    await other.start()
    assert other.take("c", 2) is BUDGET
    assert other.take("c", 1) is None
    await other.stop()
    database.close()


@pytest.mark.parametrize("error", [ValueError, EvidenceError])
def test_a_failed_exchange_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("redan.service.guards.limiter.KEPT_EVERY_S", 0.01)
    real = Keeping.slowed

    async def main() -> None:
        database = open_database("service.db", root=tmp_path)
        one = open_limiter(Guards(), redis_url="", replica="a", database=database)
        two = open_limiter(Guards(), redis_url="", replica="b", database=database)
        await one.start()
        await two.start()

        def broken(keeping: Keeping) -> dict[str, tuple[float, float]]:
            raise error("something that nobody thought of")

        monkeypatch.setattr(Keeping, "slowed", broken)
        await until(lambda: one.n_unkept and two.n_unkept)
        monkeypatch.setattr(Keeping, "slowed", real)
        await one.throttle("eve", rate_per_s=0.0, until_s=time.time() + 60)
        await until(lambda: two.take("eve", 1) is SUSPENDED)
        await one.stop()
        await two.stop()
        database.close()

    asyncio.run(main())
    assert capsys.readouterr().err.count("nobody thought of") <= 2


def test_a_restart_or_another_replica_gives_no_fresh_budget(tmp_path: Path) -> None:
    asyncio.run(_restart(tmp_path))


async def _postgres(url: str) -> None:
    database = open_database(url, root=Path())
    guards = Guards(rate_per_s=0, rows_per_day=10)
    one, other = (open_limiter(guards, redis_url="", replica=name, database=database) for name in ("pg-a", "pg-b"))
    await one.start()
    await other.start()
    assert one.take("client:pg", 6) is None
    await one._exchange()
    assert one.take("client:pg", 1) is None
    await one.throttle("user:pg", rate_per_s=0, until_s=time.time() + 60)
    await one.stop()
    await other._exchange()
    assert other.take("client:pg", 4) is BUDGET
    assert other.take("client:pg", 3) is None
    assert other.take("user:pg", 1) is SUSPENDED
    await other.throttle("user:pg", rate_per_s=None, until_s=0)
    await other.stop()
    database.close()


def test_replicas_share_budgets_and_suspensions_through_postgresql(postgres: str) -> None:
    asyncio.run(_postgres(postgres))


async def full_again(server: RedisServer) -> None:
    """Let pass at Redis, whose clock is nobody's to set, as much time as every bucket needs to be full."""
    from redis import asyncio as redis

    client = redis.Redis.from_url(server.url)
    await client.delete("redan:rows:c")
    await client.aclose()


def _cut_off(rates: SharedRates) -> bool:
    return not rates.connected


def _shared(limiter: ClientLimiter) -> SharedRates:
    assert isinstance(limiter._rates, SharedRates)
    return limiter._rates


async def _two(server: RedisServer, work: Callable[[ClientLimiter, ClientLimiter], Awaitable[None]]) -> None:
    guards = Guards(rate_per_s=50, burst=100)
    pair = [open_limiter(guards, redis_url=server.url, replica=name) for name in "ab"]
    for each in pair:
        await each.start()
    for each in pair:
        _shared(each)._told_s = 0.0
        await _shared(each)._tick()  # both know that they are two
    await work(*pair)
    for each in pair:
        await each.stop()


def test_two_replicas_give_one_client_one_rate_within_the_stated_bound(redis_server: RedisServer) -> None:
    async def work(one: ClientLimiter, other: ClientLimiter) -> None:
        assert _shared(one).share == 50
        start, taken = time.monotonic(), 0
        while time.monotonic() - start < 1.5:
            taken += (one.take("c", 1) is None) + (other.take("c", 1) is None)
            await asyncio.sleep(0.001)
        spent_s = time.monotonic() - start
        allowed = 100 + 50 * spent_s
        assert taken <= allowed + 100 * (1 - 1 / 2), (taken, allowed)
        assert taken >= 0.8 * allowed, (taken, allowed)

    asyncio.run(_two(redis_server, work))


def _rows(limiter: ClientLimiter) -> SharedRates:
    assert isinstance(limiter._rows, SharedRates)
    return limiter._rows


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_of_one_client_at_two_replicas_keep_to_the_stated_bound(redis_server: RedisServer, seed: int) -> None:
    """Whatever sizes it asks, in every stretch of time; and what it gets in the long run is its rate."""
    rng = random.Random(seed)

    async def main() -> None:
        guards = Guards(rate_per_s=0, rows_per_s=400, rows_burst=200)
        pair = [open_limiter(guards, redis_url=redis_server.url, replica=name) for name in "ab"]
        for each in pair:
            await each.start()
            await _rows(each)._tick()
        taken, start = [], time.monotonic()
        while time.monotonic() - start < 1.5:
            n = rng.choice((1, 3, 20, 60, 150, 200))
            if rng.choice(pair).take("c", n) is None:
                taken.append((time.monotonic(), n))
            await asyncio.sleep(0.002)
        for i, (begin, _) in enumerate(taken):
            total = 0
            for end, n in taken[i:]:
                total += n
                # the settling of a tick that was late is the scheduler's, not the client's
                assert total <= 400 * (end - begin) + 200 * (2 - 1 / 2) + 1, (total, end - begin)
        assert sum(n for _, n in taken) >= 0.7 * 400 * 1.5
        for each in pair:
            await each.stop()

    asyncio.run(main())


def test_who_keeps_below_the_rate_of_rows_at_one_of_two_replicas_is_never_refused(redis_server: RedisServer) -> None:
    async def main() -> None:
        guards = Guards(rate_per_s=0, rows_per_s=400, rows_burst=200)
        pair = [open_limiter(guards, redis_url=redis_server.url, replica=name) for name in "ab"]
        for each in pair:
            await each.start()
            await _rows(each)._tick()
        for step in range(12):
            for client, n in (("evenly", 40), ("in small pieces", 1)):
                for _ in range(40 // n):
                    assert pair[0].take(client, n) is None, (step, client)
            await asyncio.sleep(0.11)
        for each in pair:
            await each.stop()

    asyncio.run(main())


def test_a_request_larger_than_what_a_replica_lends_is_leased_when_it_is_asked_again(redis_server: RedisServer) -> None:
    async def main() -> None:
        clock = Clock()
        guards = Guards(rate_per_s=0, rows_per_s=1000, rows_burst=4096)
        limiter = open_limiter(guards, redis_url=redis_server.url, replica="a", clock=clock)
        for name in "bcd":
            other = open_limiter(guards, redis_url=redis_server.url, replica=name)
            await other.start()
            await other.stop()
        rows = _rows(limiter)
        await rows._tick()  # it is not started: this test says when it ticks
        assert rows.share == 1024
        impossible = limiter.take("c", 4097)
        assert impossible is not None
        assert impossible.status == 413
        assert "c" not in rows._leases, "what may never be is not leased for"
        for _ in range(3):
            refusal = limiter.take("c", 3000)
            assert refusal is not None
            assert refusal.retry_s == 1
            await rows._tick()
            clock.now_s += 1.2
            await rows._tick()
            assert limiter.take("c", 3000) is None
            await rows._tick()
            await full_again(redis_server)
            clock.now_s += 60
            await rows._tick()
            assert "c" not in rows._leases or rows._leases["c"].returned
        await limiter.stop()

    asyncio.run(main())


def test_requests_that_were_refused_for_their_rows_are_put_back_at_every_replica(redis_server: RedisServer) -> None:
    async def main() -> None:
        guards = Guards(rate_per_s=0.001, burst=8, rows_per_s=0.001, rows_burst=8)
        limiter = open_limiter(guards, redis_url=redis_server.url, replica="a")
        await limiter.start()
        for _ in range(2):
            for _ in range(50):
                refusal = limiter.take("c", 8)
                assert refusal is None or refusal.say != RATE.say
            await _shared(limiter)._tick()
            await _rows(limiter)._tick()
        redis_server.stop()
        await until(partial(_cut_off, _shared(limiter)))
        await until(partial(_cut_off, _rows(limiter)))
        assert limiter.take("d", 8) is None
        for _ in range(50):
            refusal = limiter.take("d", 8)
            assert refusal is not None
            assert refusal.say != RATE.say
        await limiter.stop()

    asyncio.run(main())


def test_what_one_replica_spent_the_other_does_not_give_again(redis_server: RedisServer) -> None:
    async def work(one: ClientLimiter, other: ClientLimiter) -> None:
        taken = 0
        while taken < 100:
            taken += one.take("c", 1) is None
            await asyncio.sleep(0.001)
        lent = sum(other.take("c", 1) is None for _ in range(200))
        assert lent == 50
        await _shared(other)._tick()
        # that was charged: nobody gets anything until it is paid back
        assert sum(other.take("c", 1) is None for _ in range(200)) == 0

    asyncio.run(_two(redis_server, work))


def test_what_comes_at_once_after_a_request_finds_its_burst(redis_server: RedisServer) -> None:
    async def work(one: ClientLimiter, other: ClientLimiter) -> None:
        assert one.take("c", 1) is None
        await _shared(one)._tick()
        assert sum(one.take("c", 1) is None for _ in range(30)) == 30

    asyncio.run(_two(redis_server, work))


def test_whoever_comes_back_after_a_pause_is_not_refused(redis_server: RedisServer) -> None:
    async def main() -> None:
        clock = Clock()
        guards = Guards(rate_per_s=50, burst=100)
        limiter = open_limiter(guards, redis_url=redis_server.url, replica="a", clock=clock)
        await limiter.start()
        shared = _shared(limiter)
        assert limiter.take("c", 1) is None
        await shared._tick()
        for _ in range(3):
            clock.now_s += 1.5
            await until(lambda: "c" not in shared._leases or shared._leases["c"].left == 0)
            assert limiter.take("c", 1) is None
            await shared._tick()
        # what was leased and not given back is not lent once more
        lease = shared._leases["c"]
        lease.left, lease.returned, lease.full_at_s = 0, True, clock.now_s + 99 / 50
        assert sum(limiter.take("c", 1) is None for _ in range(50)) == 1
        await limiter.stop()

    asyncio.run(main())


def test_without_redis_each_replica_keeps_to_its_share_and_recovers(redis_server: RedisServer) -> None:
    async def work(one: ClientLimiter, other: ClientLimiter) -> None:
        redis_server.stop()
        one.take("somebody", 1)
        other.take("somebody", 1)
        for each in (one, other):
            await until(partial(_cut_off, _shared(each)))
            assert sum(each.take("fresh", 1) is None for _ in range(300)) in (50, 51)
        redis_server.start()
        for each in (one, other):
            await until(partial(getattr, _shared(each), "connected"))
            assert _shared(each).n_outages == 1
        await asyncio.sleep(0.15)
        # what was spent meanwhile is charged, though Redis forgot everything
        assert one.take("fresh", 1) is not None or other.take("fresh", 1) is not None
        assert sum(one.take("another", 1) is None for _ in range(300)) >= 25

    asyncio.run(_two(redis_server, work))


def test_a_reply_of_redis_that_came_too_late_refuses_nobody(redis_server: RedisServer) -> None:
    """Redis leased what it was asked for, and nobody heard."""

    async def work(one: ClientLimiter, other: ClientLimiter) -> None:
        for each in (one, other):
            assert each.take("c", 1) is None
        await _shared(one)._tick()
        redis_server.pause()
        await _shared(other)._tick()
        assert _cut_off(_shared(other))
        redis_server.go_on()
        await until(partial(getattr, _shared(other), "connected"))
        for _ in range(5):
            assert other.take("c", 1) is None
            await _shared(other)._tick()

    asyncio.run(_two(redis_server, work))


def test_a_replica_that_comes_later_refuses_nobody_whose_burst_lies_at_the_first(redis_server: RedisServer) -> None:
    """The first was alone and leased everything; what the second lent holds until Redis has something to give."""

    async def main() -> None:
        guards = Guards(rate_per_s=1, burst=100)
        one = open_limiter(guards, redis_url=redis_server.url, replica="a")
        await one.start()
        assert one.take("c", 1) is None
        await _shared(one)._tick()
        assert _shared(one)._leases["c"].left == 99
        other = open_limiter(guards, redis_url=redis_server.url, replica="b")
        await other.start()
        for _ in range(5):
            assert other.take("c", 1) is None
            await _shared(other)._tick()
        # and no more than its share: 2 - 1/2 bursts in all
        assert sum(other.take("c", 1) is None for _ in range(100)) == 45
        for each in (one, other):
            await each.stop()

    asyncio.run(main())


def test_a_replica_stops_whatever_is_under_way_at_redis(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of Redis may swallow that its task is cancelled, so that nobody could wait for its end."""
    monkeypatch.setattr("redan.service.guards.shared_rates.TICK_S", 0.0)

    async def main() -> None:
        for turns in range(150):
            limiter = open_limiter(Guards(rows_per_s=0), redis_url=redis_server.url, replica="a")
            await limiter.start()
            for _ in range(turns % 30):
                limiter.take("c", 1)
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await limiter.stop()

    asyncio.run(main())


async def _never() -> None:
    limiter = open_limiter(Guards(rate_per_s=50, burst=100), redis_url="redis://127.0.0.1:1/0", replica="a")
    await limiter.start()
    assert sum(limiter.take("c", 1) is None for _ in range(300)) == 25
    await limiter.stop()


def test_a_redis_that_was_never_there_means_a_share_and_not_everything() -> None:
    asyncio.run(_never())
