"""Attempts at second factors, counted where the factors are kept: once for all replicas, and over restarts.

Whoever gets as far as a second factor knows the password, so that a person's failures count from wherever they come.
A replica that cannot ask the database judges no factor either: nothing is ever counted apart. Replicas compare each
other's wall clocks; one that was set back makes nobody wait longer than the count itself says.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, select, update

from redan.evidence.store.database import insert_new
from redan.service.identity.lockout import PAIR
from redan.service.identity.login.tables import attempts


def attempt(connection: Connection, person: str) -> float:
    """Admit an attempt and count it as a failure until `succeeded` says otherwise: those at once count each other.

    Commit before it is judged, so that no failure un-counts it.

    Returns:
        0 when it may be judged; else how many seconds the person must wait, and nothing was counted.
    """
    now_s = time.time()
    insert_new(connection, attempts, [{"person": person, "failures": 0, "last_s": now_s, "until_s": 0.0}])
    row = connection.execute(select(attempts).where(attempts.c.person == person).with_for_update()).one()
    until_s = min(row.until_s, now_s + PAIR.wait_s(row.failures))
    if until_s <= now_s:
        failures = PAIR.counted(row.failures, since_s=now_s - row.last_s)
        _keep(connection, person, failures, now_s, now_s + PAIR.wait_s(failures))
        return 0.0
    if until_s < row.until_s:
        # it was written by a clock that was set back since
        _keep(connection, person, row.failures, now_s, until_s)
    return float(until_s - now_s)


def succeeded(connection: Connection, person: str) -> None:
    """Forget a person's failures."""
    _keep(connection, person, 0, time.time(), 0.0)


def _keep(connection: Connection, person: str, failures: int, last_s: float, until_s: float) -> None:
    kept = update(attempts).where(attempts.c.person == person)
    connection.execute(kept.values(failures=failures, last_s=last_s, until_s=until_s))
