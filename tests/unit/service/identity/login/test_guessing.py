"""Guesses at one password from everywhere: a hundred, then few an hour, and the owner goes in and out meanwhile."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.login_house import PASSWORD, House, house

from redan.service.identity.lockout import PAIR
from redan.service.identity.login import attempts, places, tables
from redan.service.identity.login.desk import Logins
from redan.service.identity.login.entering import From, with_password
from redan.service.web.errors import Refused

MOST = attempts.STRANGERS.free + 1
"""Guesses from where the owner never was, before the first wait."""
OWN = From(addr="192.0.2.7")
_numbers = count()


def elsewhere() -> From:
    """Return an address that nobody else here comes from."""
    number = next(_numbers)
    return From(addr=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")


async def told(logins: Logins, name: str, password: str, source: From) -> str:
    """Log in; return how it ended: in, login, lock-out, overload."""
    try:
        await with_password(logins, name, password, source)
    except Refused as refused:
        return refused.refusal.why
    return "in"


def judged_within(seconds: float) -> int:
    """Return how many of the waits of 1, 2, 4, … seconds may have passed."""
    return MOST + int(math.log2(1 + seconds))


@pytest.mark.parametrize("there_is_one", [True, False])
def test_a_hundred_guesses_from_as_many_addresses_and_two_replicas_stop_strangers_and_not_the_owner(
    new_url: Callable[[str], str], tmp_path: Path, *, there_is_one: bool
) -> None:
    url = new_url("postgresql")
    with house(tmp_path, database=url) as one, house(tmp_path, database=url) as two:
        owner = one.person()
        name = owner if there_is_one else "nobody-at-all"

        async def attack() -> None:
            assert await told(one.logins, owner, PASSWORD, OWN) == "in"
            began_s, outcomes = time.monotonic(), Counter[str]()
            for number in range(MOST + 20):
                home = (one, two)[number % 2]
                outcomes[await told(home.logins, name, f"guess {number}", elsewhere())] += 1
            assert MOST <= outcomes["login"] <= judged_within(time.monotonic() - began_s)
            assert outcomes["login"] + outcomes["lock-out"] == MOST + 20
            with two.logins.database.writing() as connection:  # as it is after ten waits
                connection.execute(tables.attempts.update().values(failures=MOST + 10, until_s=time.time() + 900))
            assert await told(two.logins, owner, PASSWORD, OWN) == "in"
            if there_is_one:
                assert await told(two.logins, owner, PASSWORD, elsewhere()) == "lock-out"
            assert await told(one.logins, f"{owner}x", PASSWORD, elsewhere()) == "login", "another name"

        asyncio.run(attack())


def test_guesses_that_come_at_once_count_each_other(home: House) -> None:
    name, attacker = home.person(), elsewhere()

    async def attack(source: Callable[[], From], most: int) -> Counter[str]:
        return Counter(await asyncio.gather(*(told(home.logins, name, f"guess {n}", source()) for n in range(most))))

    outcomes = asyncio.run(attack(lambda: attacker, 30))
    assert outcomes["login"] == PAIR.free + 1
    assert outcomes["lock-out"] == 30 - PAIR.free - 1
    began_s, total = time.monotonic(), Counter[str]()
    while total["login"] < MOST - PAIR.free - 1:
        total += asyncio.run(attack(elsewhere, 30))
    total += asyncio.run(attack(elsewhere, 30))
    assert total["login"] <= judged_within(time.monotonic() - began_s) - PAIR.free - 1
    assert set(total) == {"login", "lock-out"}


def test_what_does_not_get_a_place_at_the_desk_is_not_counted(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    name = home.person()
    monkeypatch.setattr(home.logins.verifier, "_n_logins", 1000)
    outcomes = [asyncio.run(told(home.logins, name, "guess", OWN)) for _ in range(2 * PAIR.free)]
    assert set(outcomes) == {"overload"}
    monkeypatch.undo()
    assert asyncio.run(told(home.logins, name, PASSWORD, OWN)) == "in"


def test_who_travels_is_not_counted_and_the_last_places_are_kept(home: House) -> None:
    name = home.person()
    travels = [elsewhere() for _ in range(places.MOST_OF_ONE + 5)]

    async def travel() -> set[str]:
        return {await told(home.logins, name, PASSWORD, source) for source in travels}

    assert asyncio.run(travel()) == {"in"}
    sealer, person = home.logins.sealer, f"user:{name}"
    with home.logins.database.reading() as connection:
        kept = [places.known(connection, sealer, person, source.addr) for source in travels]
        failures = select(tables.attempts.c.failures).where(tables.attempts.c.name == attempts.bucket(sealer, person))
        assert connection.execute(failures).scalar_one() == 0
        stored = connection.execute(select(tables.places)).all()
        mine = connection.execute(select(func.count()).where(tables.places.c.person == person)).scalar_one()
    assert kept == [False] * 5 + [True] * places.MOST_OF_ONE
    assert mine == places.MOST_OF_ONE
    assert not any(source.addr in repr(stored) for source in travels)
