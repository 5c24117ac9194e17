"""Attempts at passwords and second factors, counted where these are kept: once for all replicas, and over restarts.

Whoever gets as far as a second factor knows the password, so that a person's failures count from wherever they come.
Passwords are guessed by anybody: their count stops guesses from networks alone that the person never came in from
(`redan.service.identity.login.places`), and is kept for names that nobody has just as well, a number of names together.
A replica that cannot ask the database judges neither: nothing is ever counted apart. Replicas compare each other's wall
clocks; one that was set back makes nobody wait longer than the count itself says.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, update

from redan.evidence.store.database import insert_new
from redan.service.identity.lockout import PAIR, Backoff
from redan.service.identity.login.tables import attempts

if TYPE_CHECKING:
    from redan.service.identity.login.sealing import Sealer

STRANGERS = Backoff(free=99, first_s=1.0, most_s=900.0, forget_s=86_400.0)
"""Guesses at one password from wherever its owner never was: a hundred failures at most, then the wait
(NIST SP 800-63B-4, section 3.2.2)."""


def bucket(sealer: Sealer, person: str) -> str:
    """Return what failures at a password are counted under: one of 65,536, which nobody without the key can choose."""
    return f"password {sealer.pseudonym(person)[:4]}"


def attempt(connection: Connection, name: str, backoff: Backoff = PAIR) -> float:
    """Admit an attempt and count it as a failure until somebody says otherwise: those at once count each other.

    Commit before it is judged, so that no failure un-counts it.

    Args:
        connection: a transaction.
        name: a person, at the second factor; or a `bucket`.
        backoff: how long failures make wait.

    Returns:
        0 when it may be judged; else how many seconds to wait, and nothing was counted.
    """
    now_s = time.time()
    insert_new(connection, attempts, [{"name": name, "failures": 0, "last_s": now_s, "until_s": 0.0}])
    row = connection.execute(select(attempts).where(attempts.c.name == name).with_for_update()).one()
    until_s = min(row.until_s, now_s + backoff.wait_s(row.failures))
    if until_s <= now_s:
        failures = backoff.counted(row.failures, since_s=now_s - row.last_s)
        _keep(connection, name, failures, now_s, now_s + backoff.wait_s(failures))
        return 0.0
    if until_s < row.until_s:
        # it was written by a clock that was set back since
        _keep(connection, name, row.failures, now_s, until_s)
    return float(until_s - now_s)


def succeeded(connection: Connection, name: str) -> None:
    """Forget all failures."""
    _keep(connection, name, 0, time.time(), 0.0)


def withdrawn(connection: Connection, name: str) -> None:
    """Take one attempt back that was no failure; others' failures stand."""
    one = update(attempts).where(attempts.c.name == name, attempts.c.failures > 0)
    connection.execute(one.values(failures=attempts.c.failures - 1))


def _keep(connection: Connection, name: str, failures: int, last_s: float, until_s: float) -> None:
    kept = update(attempts).where(attempts.c.name == name)
    connection.execute(kept.values(failures=failures, last_s=last_s, until_s=until_s))
