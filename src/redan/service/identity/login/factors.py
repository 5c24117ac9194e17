"""People's own factors: password, app, recovery codes, passkeys; and what an administrator does about them.

Functions over a connection, so that the console, the API and ``redan identity`` do the same; callers record the act.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from redan.core.errors import UsageError
from redan.service.gateway.refusal import STEP_UP
from redan.service.identity import directory
from redan.service.identity.freshness import fresh
from redan.service.identity.login import passkeys, passwords, recovery, sessions, tables, totp
from redan.service.identity.login.entering import has_second
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.identity.login.passkeys import Passkey
    from redan.service.identity.login.sealing import Sealer
    from redan.service.identity.login.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What somebody proves who they are with.

    Attributes:
        password: whether there is one.
        totp: whether an app is enrolled.
        recovery_left: recovery codes that were not used.
        passkeys: registered ones.
        linked: whether an OpenID provider vouches for them.
    """

    password: bool
    totp: bool
    recovery_left: int
    passkeys: tuple[Passkey, ...]
    linked: bool

    @property
    def second(self) -> bool:
        """Whether there is a second factor: what a review calls missing where it is not."""
        return self.totp or bool(self.passkeys)


def factors_of(connection: Connection, person: str) -> Factors:
    """Return somebody's factors."""
    return Factors(
        password=passwords.hash_of(connection, person) is not None,
        totp=totp.has_totp(connection, person),
        recovery_left=recovery.codes_left(connection, person),
        passkeys=tuple(passkeys.of_person(connection, person)),
        linked=connection.execute(tables.links.select().where(tables.links.c.person == person)).first() is not None,
    )


def set_password(connection: Connection, person: str, password: str) -> None:
    """Give somebody a password, and end their sessions.

    Raises:
        UnknownName: there is no such person.
        UsageError: not a person, or the password is too short, too long or too common.
    """
    found = directory.get(connection, person)
    if found.kind != "person":
        raise UsageError(f"{person} is a program; programs have keys, not passwords", hint="redan identity key new")
    passwords.check_new(password, person.partition(":")[2], *person.partition(":")[2].split("."))
    passwords.store_password(connection, person, password)
    sessions.end_all(connection, person)


def enrol_totp(connection: Connection, sealer: Sealer, person: str, ticket: str, code: str) -> list[str]:
    """Enrol an app whose code was shown; return new recovery codes where none are left.

    Raises:
        UnknownName: there is no such person.
        UsageError: the code is wrong.
        SignatureRefused: the offer is too old or somebody else's.
    """
    directory.get(connection, person)
    if not totp.enrol(connection, sealer, person, ticket, code):
        raise UsageError("this code does not fit", hint="check the clock of the device, and try the next code")
    return [] if recovery.codes_left(connection, person) else recovery.new_codes(connection, person)


def reset_factors(connection: Connection, person: str) -> None:
    """Take every factor but the password away and end all sessions: for whoever lost them, by an administrator.

    Raises:
        UnknownName: there is no such person.
    """
    directory.get(connection, person)
    totp.forget_totp(connection, person)
    recovery.forget_codes(connection, person)
    passkeys.forget(connection, person)
    sessions.end_all(connection, person)


def check_fresh(connection: Connection, session: Session, within_s: float, *, enrolling: bool = False) -> None:
    """Judge whether a session may change factors: a fresh second factor, or where there is none a fresh login.

    So whoever finds a browser open cannot make the account theirs. Whoever came in by password and recovery code may
    enrol a new factor, and nothing else (NIST SP 800-63B-4, section 4.2: recovery binds a new authenticator).

    Raises:
        Refused: it is not fresh.
    """
    by_first = (enrolling and session.recovered) or not has_second(connection, session.person)
    proved_s = session.proved_s if by_first else session.mfa_s
    if not fresh(session.id, proved_s, within_s=within_s, now_s=time.time()):
        raise Refused(STEP_UP)
