"""Sessions at the console: a random cookie whose digest alone is stored, with an idle and an absolute end.

A login makes a *half* session where a second factor is still to be shown; it opens nothing. Each step up makes a new
cookie, so that one that was planted or seen before is worth nothing afterwards (OWASP ASVS 5.0, V7).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from redan.service.identity.login.tables import sessions
from redan.service.identity.tables import subjects

IDLE_S = 3600.0
HALF_S = 300.0
MOST_TRIES = 5
MOST_OF_ONE = 20
SEEN_EVERY_S = 60.0
_LONGEST_COOKIE = 128
_LONGEST_AGENT = 200
State = Literal["half", "full"]
RECOVERED = " and recovery code"
"""Ends the method of a session that a recovery code completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as its owner sees it.

    Attributes:
        id: its name, which opens nothing.
        person: whose.
        state: half until the second factor was shown.
        method: how it began: password, passkey, oidc; and whether a recovery code completed it.
        proved_s: when its owner last proved who they are, seconds since the epoch.
        mfa_s: when a second factor was last shown, or None.
        created_s: when it began.
        seen_s: when it was last used, to the minute.
        ends_s: when it ends at the latest.
        addr: network address that it began from.
        agent: what the browser called itself.
    """

    id: str
    person: str
    state: State
    method: str
    proved_s: float
    mfa_s: float | None
    created_s: float
    seen_s: float
    ends_s: float
    addr: str
    agent: str

    @property
    def recovered(self) -> bool:
        """Whether a recovery code completed it, and no second factor was shown since."""
        return self.mfa_s is None and self.method.endswith(RECOVERED)


def begin(
    connection: Connection,
    person: str,
    *,
    state: State,
    method: str,
    ttl_s: float,
    addr: str,
    agent: str,
    mfa_s: float | None = None,
) -> str:
    """Begin a session and return the cookie's secret, 256 random bits, which is stored nowhere.

    One person has at most `MOST_OF_ONE`: the one that was used least lately goes.
    """
    now_s, secret = time.time(), secrets.token_urlsafe(32)
    connection.execute(delete(sessions).where(sessions.c.ends_s < now_s))
    lasting = (
        select(sessions.c.id)
        .where(sessions.c.person == person)
        .order_by(sessions.c.seen_s.desc(), sessions.c.id)
        .limit(MOST_OF_ONE - 1)
    )
    kept = connection.execute(lasting).scalars().all()
    connection.execute(delete(sessions).where(sessions.c.person == person, sessions.c.id.not_in(kept)))
    row = {
        "id": f"session:{secrets.token_hex(8)}",
        "sha256": _digest(secret),
        "person": person,
        "state": state,
        "method": method,
        "proved_s": now_s,
        "mfa_s": mfa_s,
        "created_s": now_s,
        "seen_s": now_s,
        "ends_s": now_s + (HALF_S if state == "half" else ttl_s),
        "tries": 0,
        "addr": addr[:64],
        "agent": agent[:_LONGEST_AGENT],
    }
    connection.execute(insert(sessions).values(**row))
    _used(connection, person, now_s)
    return secret


def find(connection: Connection, secret: str) -> Session | None:
    """Return the session of a cookie that has not ended, half or full."""
    if not 0 < len(secret) <= _LONGEST_COOKIE:
        return None
    row = connection.execute(select(sessions).where(sessions.c.sha256 == _digest(secret))).one_or_none()
    now_s = time.time()
    if row is None or row.ends_s <= now_s or row.seen_s + IDLE_S <= now_s:
        return None
    return _session(row)


def touch(connection: Connection, session: Session) -> None:
    """Note that a session was used, and its person seen."""
    now_s = time.time()
    connection.execute(update(sessions).where(sessions.c.id == session.id).values(seen_s=now_s))
    _used(connection, session.person, now_s)


def count_try(connection: Connection, session: Session) -> bool:
    """Count an attempt at a second factor; return whether it is still among those allowed, else the session ends."""
    row = connection.execute(
        update(sessions)
        .where(sessions.c.id == session.id)
        .values(tries=sessions.c.tries + 1)
        .returning(sessions.c.tries)
    ).one_or_none()
    if row is not None and row.tries <= MOST_TRIES:
        return True
    end(connection, session.person, session.id)
    return False


def rotate(connection: Connection, session: Session, *, ttl_s: float, mfa: bool) -> str | None:
    """Make a session full under a new cookie; the old one is worth nothing from now on.

    Args:
        connection: a transaction.
        session: half or full.
        ttl_s: how long it is good if it was half; a full one keeps its end.
        mfa: whether a second factor was just shown; else a recovery code.

    Returns:
        The new secret, or None when the session ended meanwhile.
    """
    now_s, secret = time.time(), secrets.token_urlsafe(32)
    changed = connection.execute(
        update(sessions)
        .where(sessions.c.id == session.id)
        .values(
            sha256=_digest(secret),
            state="full",
            method=session.method if mfa else session.method + RECOVERED,
            proved_s=now_s,
            mfa_s=now_s if mfa else session.mfa_s,
            seen_s=now_s,
            tries=0,
            ends_s=now_s + ttl_s if session.state == "half" else session.ends_s,
        )
    )
    return secret if changed.rowcount == 1 else None


def end(connection: Connection, person: str, session_id: str) -> bool:
    """End one session of a person; return whether there was one."""
    return (
        connection.execute(delete(sessions).where(sessions.c.person == person, sessions.c.id == session_id)).rowcount
        > 0
    )


def end_all(connection: Connection, person: str, *, but: str = "") -> int:
    """End every session of a person but one; return how many."""
    return connection.execute(delete(sessions).where(sessions.c.person == person, sessions.c.id != but)).rowcount


def of_person(connection: Connection, person: str) -> list[Session]:
    """Return somebody's sessions that have not ended, the last used first."""
    now_s = time.time()
    rows = connection.execute(
        select(sessions)
        .where(sessions.c.person == person, sessions.c.ends_s > now_s, sessions.c.seen_s > now_s - IDLE_S)
        .order_by(sessions.c.seen_s.desc())
    )
    return [_session(row) for row in rows]


def _used(connection: Connection, person: str, now_s: float) -> None:
    """Let reviews know that this access is used."""
    connection.execute(update(subjects).where(subjects.c.id == person).values(used_us=int(now_s * 1e6)))


def _session(row: Row[Any]) -> Session:
    names = Session.__dataclass_fields__
    return Session(**{name: row._mapping[name] for name in names})


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
