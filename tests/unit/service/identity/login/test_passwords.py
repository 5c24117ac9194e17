"""Passwords: which are taken, what a guess costs, and that a flood of guesses is bounded."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from statistics import median

import pytest
from argon2 import PasswordHasher

from redan.core.errors import UnknownName, UsageError
from redan.evidence.store.database import Database
from redan.service.gateway.refusal import OVERLOADED
from redan.service.identity import directory
from redan.service.identity.login import factors, passwords
from redan.service.identity.login.common_passwords import is_common
from redan.service.web.errors import Refused


@pytest.mark.parametrize(
    "password",
    ["Passw0rd1234!", "qwertyuiop123", "123456789012", "aaaaaaaaaaaa", "correcthorsebatterystaple", "P@ssw0rd!!!!",
     "Summer2026!!!", "letmein.letmein", "1qaz2wsx3edc", "abcdefghijkl", "anna2026anna!", "Administrator1",
     "adminadminadmin",      "iloveyou!iloveyou", "20262026202620", "ABABABABABAB"],
)  # fmt: skip
def test_the_commonest_are_refused(password: str) -> None:
    assert is_common(password, "anna")
    with pytest.raises(UsageError, match="guessed"):
        passwords.check_new(password, "anna")


@pytest.mark.parametrize(
    "password",
    [
        "zebra kiln ochre flute",
        "7Kj!x02pQ_vvLm",
        "ein langer Satz über Tee",
        "пароль из пяти слов",
        "password zebra kiln",
    ],
)
def test_others_are_taken(password: str) -> None:
    passwords.check_new(password, "anna")


@pytest.mark.parametrize(("password", "words"), [("short", "12"), ("x1" * 129, "256"), ("é" * 11, "12")])
def test_length_is_bounded(password: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        passwords.check_new(password)


def test_argon2id_with_what_owasp_asks_or_more() -> None:
    # in a process of its own: houses of other tests hash cheaply while they stand
    script = (
        "from redan.service.identity.login.passwords import hasher; h = hasher(); "
        "print(h.type.name, h.memory_cost, h.time_cost, h.parallelism)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert told[0] == "ID"
    assert (int(told[1]), int(told[2])) >= (47_104, 1)
    assert told[3] == "1"


def test_the_same_password_composed_otherwise_fits(database: Database) -> None:
    verifier = passwords.Verifier()
    with database.writing() as connection:
        factors.set_password(connection, "user:ann", "cafe\u0301 zebra kiln")
        hashed = passwords.hash_of(connection, "user:ann")
    assert asyncio.run(verifier.fits(hashed, "caf\u00e9 zebra kiln"))
    assert not asyncio.run(verifier.fits(hashed, "cafe zebra kiln"))
    verifier.stop()


def test_programs_and_nobody_have_no_password(database: Database) -> None:
    with pytest.raises(UsageError, match="program"), database.writing() as connection:
        factors.set_password(connection, "client:shop", "zebra kiln ochre")
    with pytest.raises(UnknownName), database.writing() as connection:
        factors.set_password(connection, "user:nobody", "zebra kiln ochre")


def test_a_hash_of_other_parameters_is_made_again(database: Database) -> None:
    verifier = passwords.Verifier()
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("zebra kiln ochre")
    fresh = asyncio.run(verifier.rehashed(old, "zebra kiln ochre"))
    assert fresh is not None
    assert f"m={passwords.MEMORY_KIB},t={passwords.PASSES},p=1" in fresh
    assert asyncio.run(verifier.rehashed(fresh, "zebra kiln ochre")) is None
    with database.writing() as connection:
        passwords.keep(connection, "user:ann", old)
        passwords.keep_hash(connection, "user:ann", "changed meanwhile", fresh)
        assert passwords.hash_of(connection, "user:ann") == old
        passwords.keep_hash(connection, "user:ann", old, fresh)
        assert passwords.hash_of(connection, "user:ann") == fresh
    verifier.stop()


def test_who_does_not_exist_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    # a gateway of other tests in this process may hash cheaply
    monkeypatch.setattr(passwords, "MEMORY_KIB", 47_104)
    monkeypatch.setattr(passwords, "PASSES", 2)
    verifier = passwords.Verifier()
    hashed = passwords.hasher().hash("zebra kiln ochre")

    def cost_s(given: str | None, password: str = "wrong guess") -> float:
        began = time.process_time()
        assert asyncio.run(verifier.fits(given, password)) is False
        return time.process_time() - began

    def ratio(given: str, times: int) -> float:
        """Return what it costs against nobody's: by turns, as what else runs here makes both dearer for a while."""
        return median(cost_s(given) / cost_s(None) for _ in range(times))

    assert 0.8 < ratio(hashed, 7) < 1.25
    assert cost_s(hashed, "x" * 100_000) < 3 * cost_s(hashed), "an endless password costs no more"
    # nor does time tell of a person whose hash was made when hashes were cheaper
    for passes, memory_kib in ((1, 8192), (1, 47_104), (2, 19_456)):
        old = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1).hash("zebra kiln ochre")
        assert 0.75 < ratio(old, 5) < 1.3, (passes, memory_kib)
    verifier.stop()


def test_a_flood_is_refused_while_other_threads_and_the_loop_go_on() -> None:
    verifier = passwords.Verifier()
    hold, running = threading.Event(), []

    def slow(hashed: str | None, password: str) -> bool:
        running.append(threading.current_thread().name)
        return hold.wait(20)

    verifier._fits = slow  # type: ignore[method-assign]

    async def flood() -> None:
        tasks = [asyncio.create_task(verifier.fits(None, "x")) for _ in range(200)]
        done, waiting = await asyncio.wait(tasks, timeout=0.3)
        refused = [task.exception() for task in done]
        assert len(waiting) == passwords.AT_ONCE + passwords.WAITING
        assert all(isinstance(error, Refused) and error.refusal.why == OVERLOADED.why for error in refused)
        assert len(refused) == 200 - len(waiting)
        assert len(running) == passwords.AT_ONCE
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), 2) == 7
        for task in list(waiting)[:5]:
            task.cancel()
        hold.set()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(flood())
    verifier.stop()
    assert verifier._places._value == passwords.AT_ONCE + passwords.WAITING, "every place is free again"


def test_what_was_set_for_somebody_works_on_both_databases(new_service: Callable[[str], Database], kind: str) -> None:
    database = new_service(kind)
    with database.writing() as connection:
        directory.add(connection, "user:eve", by="test")
        factors.set_password(connection, "user:eve", "zebra kiln ochre")
        factors.set_password(connection, "user:eve", "zebra kiln flute")
        assert factors.factors_of(connection, "user:eve").password
