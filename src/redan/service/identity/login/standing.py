"""From a session to a principal: what somebody may do is looked up each time, so that a change counts at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from redan.service.identity import directory
from redan.service.identity.login import sessions
from redan.service.identity.principal import Principal

if TYPE_CHECKING:
    from redan.service.identity.login.desk import Logins
    from redan.service.identity.login.sessions import Session
    from redan.service.identity.roles import Roles


async def from_session(logins: Logins, secret: str, addr: str) -> Principal | None:
    """Judge a session's cookie (`redan.service.parts.Authority.from_session`).

    Args:
        logins: the desk.
        secret: what the browser sent.
        addr: network address; people move between networks, so that a session is not bound to it.

    Raises:
        EvidenceError: the database does not answer: nobody is let in by what cannot be looked up.
    """
    found = await logins.read(lambda connection: _judged(connection, logins.roles, secret))
    if found is None:
        return None
    session, principal = found
    if time.time() - session.seen_s > sessions.SEEN_EVERY_S:
        await logins.write(lambda connection: sessions.touch(connection, session))
    return principal


def valid(connection: Connection, secret: str) -> Session | None:
    """Return the session of a cookie, half or full, of a person who may still come in."""
    session = sessions.find(connection, secret)
    if session is None:
        return None
    person = directory.find(connection, session.person)
    if person is None or person.disabled or session.created_s * 1e6 < person.tokens_from_us:
        return None
    return session


def _judged(connection: Connection, roles: Roles, secret: str) -> tuple[Session, Principal] | None:
    session = valid(connection, secret)
    if session is None or session.state != "full":
        return None
    given = directory.assigned(connection, session.person)
    return session, Principal(
        id=session.person,
        kind="person",
        roles=frozenset(assignment.role for assignment in given),
        grants=roles.grants((assignment.role, assignment.model) for assignment in given),
        credential=session.id,
        expires_s=min(session.ends_s, max(session.seen_s, time.time()) + sessions.IDLE_S),
        mfa_s=session.mfa_s,
    )
