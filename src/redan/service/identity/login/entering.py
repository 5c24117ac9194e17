"""How people come in: password, second factor, passkey; and how they prove once more that it is they (step-up)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from redan.core.errors import SignatureRefused
from redan.service.gateway.refusal import Refusal
from redan.service.identity import directory
from redan.service.identity.login import attempts, passkeys, passwords, places, recovery, sessions, totp
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.identity.login.desk import Logins
    from redan.service.identity.login.sessions import Session, State

WRONG = Refusal(401, "login", "name or password is wrong")
WRONG_FACTOR = Refusal(401, "second-factor", "this second factor does not fit")
LOCKED = Refusal(429, "lock-out", "too many attempts; wait and try again")
RECOVERY = "recovery"
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where somebody comes from: network address, and what the browser calls itself."""

    addr: str
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A session that was made.

    Attributes:
        person: whose.
        secret: for the cookie.
        state: half when a second factor is still to be shown.
        how: word for the audit record: password, totp, recovery, passkey, oidc.
    """

    person: str
    secret: str
    state: State
    how: str

    def __repr__(self) -> str:
        """Tell everything but the secret."""
        return f"Entered(person={self.person!r}, state={self.state!r}, how={self.how!r})"


async def with_password(logins: Logins, name: str, password: str, source: From) -> Entered:
    """Judge a name and a password. Who does not exist costs the same work and gets the same words.

    Raises:
        Refused: wrong, or the address or strangers to the person must wait, or too many log in at once.
    """
    person = f"user:{name[:_LONGEST_NAME]}"
    # what was typed as a name may be a password, which replicas need not tell each other
    account = logins.sealer.pseudonym(person)
    with logins.verifier.desk():
        wait(await logins.authority.lockouts.attempt(source.addr, account))
        asked = await logins.write(lambda connection: _look_up(connection, logins, person, source))
        wait(asked.wait_s)
        fits = await logins.verifier.fits(asked.hashed, password)
        if not (fits and asked.active and asked.hashed):
            await logins.authority.lockouts.failed(source.addr)
            raise Refused(WRONG)
        entered = await _entered(logins, person, password, source, asked)
    await logins.authority.lockouts.succeeded(source.addr, account)
    return entered


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Asked:
    """What is known of whoever a name and a password are for.

    Attributes:
        wait_s: how long guesses at this name must wait.
        strangers: name of the count in which this attempt stands; empty where the person came in from there before.
        hashed: of their password, if they have one.
        active: whether they are somebody who may come in.
    """

    wait_s: float
    strangers: str
    hashed: str | None
    active: bool


def _look_up(connection: Connection, logins: Logins, person: str, source: From) -> _Asked:
    """Count an attempt of a stranger; how long it takes tells nobody whether there is such a person."""
    strangers, wait_s = "", 0.0
    if not places.known(connection, logins.sealer, person, source.addr):
        strangers = attempts.bucket(logins.sealer, person)
        wait_s = attempts.attempt(connection, strangers, attempts.STRANGERS)
    found = directory.find(connection, person)
    return _Asked(
        wait_s=wait_s,
        strangers=strangers,
        hashed=passwords.hash_of(connection, person),
        active=found is not None and not found.disabled,
    )


async def _entered(logins: Logins, person: str, password: str, source: From, asked: _Asked) -> Entered:
    hashed = asked.hashed or ""
    fresh = await logins.verifier.rehashed(hashed, password)

    def enter(connection: Connection) -> Entered:
        """Begin the session."""
        if fresh is not None:
            passwords.keep_hash(connection, person, hashed, fresh)
        if asked.strangers:
            attempts.withdrawn(connection, asked.strangers)
        return begin(connection, logins, person, "password", source)

    return await logins.write(enter)


def wait(seconds: float) -> None:
    """Refuse whoever failed too often.

    Raises:
        Refused: they must wait.
    """
    if seconds > 0:
        raise Refused(replace(LOCKED, retry_s=math.ceil(seconds)))


def begin(connection: Connection, logins: Logins, person: str, method: str, source: From) -> Entered:
    """Begin a session after the first factor: a half one where there is a second."""
    places.came(connection, logins.sealer, person, source.addr)
    state: State = "half" if has_second(connection, person) else "full"
    secret = sessions.begin(
        connection, person, state=state, method=method, ttl_s=logins.ttl_s, addr=source.addr, agent=source.agent
    )
    return Entered(person=person, secret=secret, state=state, how=method)


async def with_code(logins: Logins, session: Session, code: str, source: From) -> Entered:
    """Judge a code of the app, or in a half session a recovery code; the session becomes full under a new cookie.

    Raises:
        Refused: it does not fit, was shown before, or there were too many attempts.
    """

    def judge(connection: Connection) -> str:
        """Judge what was shown."""
        if totp.take(connection, logins.sealer, session.person, code):
            return "totp"
        # what brings back who lost the factor confirms nothing dangerous: the session may enrol a new factor
        if session.state == "half" and recovery.take_code(connection, session.person, code):
            return RECOVERY
        return ""

    return await _second(logins, session, source, judge)


async def with_passkey_second(
    logins: Logins, session: Session, ticket: str, answer: dict[str, Any], source: From
) -> Entered:
    """Judge a passkey shown in a session that is there already.

    Raises:
        Refused: it does not fit, or there were too many attempts.
    """
    site = logins.the_site()

    def judge(connection: Connection) -> str:
        """Judge what was shown."""
        try:
            passkeys.show(
                connection,
                logins.sealer,
                site,
                person=session.person,
                bound=session.id,
                ticket=ticket,
                answer=answer,
            )
        except SignatureRefused:
            return ""
        return "passkey"

    return await _second(logins, session, source, judge)


async def with_passkey(logins: Logins, ticket: str, answer: dict[str, Any], source: From) -> Entered:
    """Judge a passkey shown instead of a name: it holds both factors, since the authenticator verifies its owner.

    Raises:
        Refused: it does not fit, or the address must wait.
    """
    wait(await logins.authority.lockouts.wait_s(source.addr))
    site = logins.the_site()

    def enter(connection: Connection) -> Entered | None:
        """Begin the session."""
        try:
            person = passkeys.show(connection, logins.sealer, site, person="", bound="", ticket=ticket, answer=answer)
        except SignatureRefused:
            return None
        found = directory.find(connection, person)
        if found is None or found.disabled:
            return None
        secret = sessions.begin(
            connection, person, state="half", method="passkey", ttl_s=logins.ttl_s, addr=source.addr, agent=source.agent
        )
        places.came(connection, logins.sealer, person, source.addr)
        half = sessions.find(connection, secret)
        full = sessions.rotate(connection, half, ttl_s=logins.ttl_s, mfa=True) if half else None
        return Entered(person=person, secret=full, state="full", how="passkey") if full else None

    entered = await logins.write(enter)
    if entered is None:
        await logins.authority.lockouts.failed(source.addr)
        raise Refused(WRONG_FACTOR)
    return entered


async def prove(logins: Logins, person: str, code: str, source: From) -> None:
    """Judge a code of the app outside a session.

    Raises:
        Refused: it does not fit, was shown before, or there were too many attempts.
    """
    wait(await logins.authority.lockouts.wait_s(source.addr))
    wait(await logins.write(lambda connection: attempts.attempt(connection, person)))

    def judge(connection: Connection) -> bool:
        """Judge the code."""
        fits = totp.take(connection, logins.sealer, person, code)
        if fits:
            attempts.succeeded(connection, person)
        return fits

    if not await logins.write(judge):
        await logins.authority.lockouts.failed(source.addr)
        raise Refused(WRONG_FACTOR)


def has_second(connection: Connection, person: str) -> bool:
    """Return whether somebody has a second factor."""
    return totp.has_totp(connection, person) or bool(passkeys.of_person(connection, person))


async def _second(logins: Logins, session: Session, source: From, judge: Callable[[Connection], str]) -> Entered:
    """Count the attempt first, in a transaction of its own, so that no failure un-counts it."""
    wait(await logins.authority.lockouts.wait_s(source.addr))

    def admit(connection: Connection) -> tuple[float, bool]:
        """Count the attempt: the person's, then the session's."""
        wait_s = attempts.attempt(connection, session.person)
        return wait_s, wait_s == 0 and sessions.count_try(connection, session)

    wait_s, admitted = await logins.write(admit)
    wait(wait_s)

    def step(connection: Connection) -> Entered | None:
        """Judge, and rotate the session; rows are locked in the order of `admit`."""
        how = judge(connection)
        if not how:
            return None
        attempts.succeeded(connection, session.person)
        secret = sessions.rotate(connection, session, ttl_s=logins.ttl_s, mfa=how != RECOVERY)
        return Entered(person=session.person, secret=secret, state="full", how=how) if secret else None

    entered = await logins.write(step) if admitted else None
    if entered is None:
        await logins.authority.lockouts.failed(source.addr)
        raise Refused(WRONG_FACTOR)
    return entered
