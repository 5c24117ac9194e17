"""Lock-out grows, ends, stays bounded, and never reaches an owner elsewhere."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.service.guards.conftest import RedisServer, redis_server  # noqa: F401

from redan.service.identity.lockout import ADDRESS, PAIR, Backoff, Lockout, network
from redan.service.identity.lockout_shared import Lockouts


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_waits_double_up_to_a_bound_and_are_forgotten() -> None:
    clock = Clock()
    lockout = Lockout(Backoff(free=2, first_s=1.0, most_s=8.0, forget_s=100.0), clock=clock)
    waits = []
    for _ in range(8):
        waits.append(lockout.failed("a"))
        clock.now_s += waits[-1]
    assert waits == [0, 0, 1, 2, 4, 8, 8, 8]
    clock.now_s += 101
    assert lockout.failed("a") == 0


def test_failures_while_waiting_do_not_prolong_the_wait() -> None:
    clock = Clock()
    lockout = Lockout(Backoff(free=0, first_s=10.0, most_s=100.0, forget_s=1000.0), clock=clock)
    assert lockout.failed("a") == 10
    clock.now_s += 4
    assert [lockout.failed("a") for _ in range(50)] == [6] * 50
    clock.now_s += 6
    assert lockout.wait_s("a") == 0


def test_attempts_that_come_at_once_are_counted_before_they_are_judged() -> None:
    clock = Clock()
    lockout = Lockout(Backoff(free=2, first_s=1.0, most_s=8.0, forget_s=100.0), clock=clock)
    admitted = []
    for _ in range(10):
        waits = [lockout.attempt("a") for _ in range(100)]
        admitted.append(waits.count(0.0))
        clock.now_s += max(waits)
    assert admitted == [3, *[1] * 9]
    lockout.succeeded("a")
    assert lockout.attempt("a") == 0


def test_memory_is_bounded_and_a_success_forgets() -> None:
    lockout = Lockout(PAIR, most_names=100)
    for i in range(1000):
        lockout.failed(str(i))
    assert len(lockout) == 100
    lockout.succeeded("999")
    assert len(lockout) == 99


@pytest.mark.parametrize(
    ("addr", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "nonsense"),
    ],
)
def test_addresses_are_counted_as_what_one_customer_has(addr: str, counted: str) -> None:
    assert network(addr) == counted


def test_an_attacker_elsewhere_does_not_lock_the_owner_out() -> None:
    async def attack() -> None:
        lockouts = Lockouts()
        for _ in range(PAIR.free + 1):
            await lockouts.failed("198.51.100.1", "key")
        assert await lockouts.wait_s("198.51.100.1", "key") > 0
        assert await lockouts.wait_s("198.51.100.1", "other") == 0
        assert await lockouts.wait_s("192.0.2.1", "key") == 0
        for _ in range(ADDRESS.free):
            await lockouts.failed("198.51.100.1")
        assert await lockouts.wait_s("198.51.100.1", "other") > 0

    asyncio.run(attack())


def test_attempts_that_come_at_once_at_two_replicas_count_each_other(redis_server: RedisServer) -> None:  # noqa: F811
    async def attack() -> None:
        one, two = Lockouts(redis_server.url), Lockouts(redis_server.url)
        asked = [which.attempt("198.51.100.1", "name") for _ in range(10) for which in (one, two)]
        waits = await asyncio.gather(*asked)
        assert waits.count(0.0) == PAIR.free + 1
        assert all(0 < wait_s <= PAIR.first_s for wait_s in waits if wait_s)
        assert await one.attempt("198.51.100.2", "name") == 0, "another address"
        await two.succeeded("198.51.100.1", "name")
        one._pairs.succeeded("198.51.100.1|name")
        assert await one.attempt("198.51.100.1", "name") == 0
        await one.stop()
        await two.stop()

    asyncio.run(attack())


def test_replicas_share_a_lock_out_and_go_on_alone_without_redis(redis_server: RedisServer) -> None:  # noqa: F811
    async def attack() -> None:
        one, two = Lockouts(redis_server.url), Lockouts(redis_server.url)
        for _ in range(3):
            await one.failed("198.51.100.1", "key")
            await two.failed("198.51.100.1", "key")
        # neither saw enough by itself
        assert one._pairs.wait_s("198.51.100.1|key") == two._pairs.wait_s("198.51.100.1|key") == 0
        assert 0 < await one.wait_s("198.51.100.1", "key") <= 1
        assert 0 < await two.wait_s("198.51.100.1", "key") <= 1
        assert await two.wait_s("192.0.2.1", "key") == 0
        await one.succeeded("198.51.100.1", "key")
        assert await two.wait_s("198.51.100.1", "key") == 0
        redis_server.stop()
        for _ in range(PAIR.free + 1):
            await one.failed("203.0.113.1", "key")
        assert await one.wait_s("203.0.113.1", "key") > 0
        assert one.unshared > 0
        redis_server.start()
        await one.stop()
        await two.stop()

    asyncio.run(attack())
