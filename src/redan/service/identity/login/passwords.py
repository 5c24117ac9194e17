"""Passwords: how they are hashed, which are taken, and how a flood of guesses is kept from stopping the gateway.

Argon2id (RFC 9106) with 46 MiB, two passes, one lane: twice the work of the first choice in OWASP's cheat sheet on
password storage. Length counts, composition rules do not (NIST SP 800-63B, section 3.1.1).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, select

from redan.core.errors import UsageError
from redan.evidence.store.database import insert_new
from redan.service.gateway.refusal import OVERLOADED
from redan.service.identity.login.common_passwords import is_common
from redan.service.identity.login.tables import passwords
from redan.service.web.errors import Refused

Answer = TypeVar("Answer")
SHORTEST, LONGEST = 12, 256
MEMORY_KIB, PASSES, LANES = 47_104, 2, 1
AT_ONCE = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Comparisons that run at once: half the cores, so that the other half goes on answering."""
WAITING = 32
_NICE = 10
_LEAST_KIB = 8
"""Below this Argon2 does nothing (RFC 9106, section 3.1)."""
_KEPT_KIB = 32 << 10
"""What glibc's malloc keeps for the next time at most; for more it takes fresh pages each time."""


def hasher() -> PasswordHasher:
    """Return Argon2id with the parameters in force."""
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def normal(password: str) -> str:
    """Return a password as it is hashed: composed the same way on every keyboard (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_new(password: str, *own: str) -> None:
    """Judge a password that somebody chose.

    Raises:
        UsageError: too short, too long or too common.
    """
    if len(normal(password)) < SHORTEST:
        raise UsageError(f"a password needs {SHORTEST} characters", hint="several unrelated words are easy to keep")
    if len(password) > LONGEST:
        raise UsageError(f"a password has at most {LONGEST} characters")
    if is_common(normal(password), *own):
        raise UsageError("this password is among the first that are guessed", hint="take several unrelated words")


def store_password(connection: Connection, person: str, password: str) -> None:
    """Hash a judged password and keep the hash. Takes about a tenth of a second."""
    keep(connection, person, hasher().hash(normal(password)))


def keep(connection: Connection, person: str, hashed: str) -> None:
    """Keep the hash of somebody's password, in place of any before."""
    row = {"hash": hashed, "changed_s": time.time()}
    if not insert_new(connection, passwords, [{"person": person, **row}]):
        connection.execute(passwords.update().where(passwords.c.person == person).values(**row))


def hash_of(connection: Connection, person: str) -> str | None:
    """Return the hash of somebody's password, or None for a person without one or nobody."""
    return connection.execute(select(passwords.c.hash).where(passwords.c.person == person)).scalar_one_or_none()


class Verifier:
    """Compares passwords in threads of its own: a few at a time, a bounded queue, refusal beyond.

    So a flood of guesses costs at most half the cores and 46 MiB each, at a lower priority than what else runs, and
    other work keeps its threads.
    """

    def __init__(self) -> None:
        self._hasher = hasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2", initializer=_step_back)
        self._places = threading.BoundedSemaphore(AT_ONCE + WAITING)
        self._n_logins = 0
        # somebody who does not exist costs the same work: a hash that nobody knows the password of
        self._nobody = self._hasher.hash(secrets.token_hex())

    @contextmanager
    def desk(self) -> Iterator[None]:
        """A place for one login, from before anything is looked up or counted until it is judged.

        Raises:
            Refused: all are taken.
        """
        if self._n_logins >= AT_ONCE + WAITING:
            raise Refused(replace(OVERLOADED, retry_s=5))
        self._n_logins += 1
        try:
            yield
        finally:
            self._n_logins -= 1

    async def fits(self, hashed: str | None, password: str) -> bool:
        """Return whether a password fits a hash; without one the same work is done and the answer is no.

        Raises:
            Refused: too many are being compared.
        """
        return await self._in_thread(lambda: self._fits(hashed, password))

    async def rehashed(self, hashed: str, password: str) -> str | None:
        """Return a new hash where the old one has other parameters than are in force, or None.

        Raises:
            Refused: too many are being compared.
        """
        return await self.hashed(password) if self._hasher.check_needs_rehash(hashed) else None

    async def hashed(self, password: str) -> str:
        """Return the hash of a judged password.

        Raises:
            Refused: too many are being compared.
        """
        return await self._in_thread(lambda: self._hasher.hash(normal(password)))

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        if not self._places.acquire(blocking=False):
            raise Refused(replace(OVERLOADED, retry_s=5))
        running = self._threads.submit(work)
        # a place is free when the work ended, not when the client went away
        running.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(running)

    def _fits(self, hashed: str | None, password: str) -> bool:
        if len(password) > LONGEST:
            password = ""
        text = normal(password)
        if (rest := _rest(hashed)) is not None:
            # made when hashes were cheaper: without the rest of the work, time would tell that somebody is there
            rest.hash(text)
        try:
            self._hasher.verify(hashed or self._nobody, text)
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None


def _rest(hashed: str | None) -> PasswordHasher | None:
    """Return what does the work that a hash of today costs more than this one; None where that is nothing."""
    if hashed is None:
        return None
    try:
        made = extract_parameters(hashed)
    except InvalidHashError:
        return hasher()
    work_kib = MEMORY_KIB * PASSES - made.memory_cost * made.time_cost
    if work_kib < _LEAST_KIB * PASSES:
        return None
    # fresh pages cost as much as a pass over them, and a hash of today takes some once
    passes = 1 if max(made.memory_cost, work_kib // PASSES) <= _KEPT_KIB else PASSES
    return PasswordHasher(time_cost=passes, memory_cost=work_kib // passes, parallelism=LANES)


def _step_back() -> None:
    """Lower this thread's priority; Linux alone has one for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def keep_hash(connection: Connection, person: str, old: str, new: str) -> None:
    """Replace a hash by one of the same password, unless the password was changed meanwhile."""
    connection.execute(passwords.update().where(passwords.c.person == person, passwords.c.hash == old).values(hash=new))
