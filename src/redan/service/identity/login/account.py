"""What people do with their own account in a session: enrol and remove factors, end sessions, change the password.

Each change needs a fresh proof (`redan.service.identity.login.factors.check_fresh`); a factor that was just shown
makes the session's second factor fresh, under a new cookie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection

from redan.core.errors import SignatureRefused, UsageError
from redan.service.identity.login import factors, passkeys, passwords, recovery, sessions, totp
from redan.service.identity.login.entering import WRONG, From, wait
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.identity.login.desk import Logins
    from redan.service.identity.login.passkeys import Challenge, Passkey
    from redan.service.identity.login.sessions import Session
    from redan.service.identity.login.totp import Offer

Kind = Literal["totp", "passkey", "link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A new factor.

    Attributes:
        secret: the session's new cookie; empty when the session ended meanwhile.
        codes: new recovery codes, shown once; empty where there were some.
        passkey: what was registered, or None for an app.
    """

    secret: str
    codes: list[str]
    passkey: Passkey | None = None

    def __repr__(self) -> str:
        """Tell nothing."""
        return "Enrolled()"


async def offer_totp(logins: Logins, session: Session) -> Offer:
    """Offer a secret for an authenticator app.

    Raises:
        Refused: the proof is not fresh.
    """
    await logins.read(lambda connection: factors.check_fresh(connection, session, logins.step_up_s, enrolling=True))
    return totp.offer(logins.sealer, session.person, logins.issuer)


async def enrol_totp(logins: Logins, session: Session, ticket: str, code: str) -> Enrolled:
    """Enrol the app whose code was shown.

    Raises:
        Refused: the proof is not fresh.
        UsageError: the code does not fit, or the offer is too old or somebody else's.
    """

    def enrol(connection: Connection) -> Enrolled:
        """Keep the factor, if the session is fresh."""
        factors.check_fresh(connection, session, logins.step_up_s, enrolling=True)
        try:
            codes = factors.enrol_totp(connection, logins.sealer, session.person, ticket, code)
        except SignatureRefused as error:
            raise UsageError("this offer of a secret is too old", hint="begin again") from error
        return Enrolled(secret=_stepped(connection, logins, session), codes=codes)

    return await logins.write(enrol)


async def ask_passkey(logins: Logins, session: Session) -> Challenge:
    """Ask the browser to make a passkey.

    Raises:
        Refused: the proof is not fresh.
        UsageError: too many, or the gateway has no address that they could be bound to.
    """
    site = logins.the_site()

    def ask(connection: Connection) -> Challenge:
        """Ask for a passkey, if the session is fresh."""
        factors.check_fresh(connection, session, logins.step_up_s, enrolling=True)
        return passkeys.ask_to_register(connection, logins.sealer, site, session.person, session.id)

    return await logins.read(ask)


async def add_passkey(logins: Logins, session: Session, ticket: str, answer: dict[str, Any], title: str) -> Enrolled:
    """Register the passkey that the browser made.

    Raises:
        Refused: the proof is not fresh.
        UsageError: the answer does not fit what was asked.
    """
    site = logins.the_site()

    def add(connection: Connection) -> Enrolled:
        """Keep the passkey, if the session is fresh."""
        factors.check_fresh(connection, session, logins.step_up_s, enrolling=True)
        try:
            made = passkeys.register(
                connection, logins.sealer, site, session.person, session.id, ticket=ticket, answer=answer, title=title
            )
        except SignatureRefused as error:
            raise UsageError("the browser's answer does not fit what it was asked", hint="begin again") from error
        codes = (
            [] if recovery.codes_left(connection, session.person) else recovery.new_codes(connection, session.person)
        )
        return Enrolled(secret=_stepped(connection, logins, session), codes=codes, passkey=made)

    return await logins.write(add)


async def new_recovery_codes(logins: Logins, session: Session) -> list[str]:
    """Make new recovery codes; those from before are worth nothing.

    Raises:
        Refused: the proof is not fresh.
        UsageError: there is no second factor that they could stand in for.
    """

    def make(connection: Connection) -> list[str]:
        """Make new codes, if the session is fresh."""
        factors.check_fresh(connection, session, logins.step_up_s)
        if not factors.factors_of(connection, session.person).second:
            raise UsageError("recovery codes stand in for a second factor, and there is none", hint="enrol one first")
        return recovery.new_codes(connection, session.person)

    return await logins.write(make)


async def remove(logins: Logins, session: Session, kind: Kind, passkey_id: str = "") -> bool:
    """Remove a factor; with the last second factor go the recovery codes. Returns whether there was such a factor.

    Raises:
        Refused: the proof is not fresh.
    """

    def take_away(connection: Connection) -> bool:
        """Forget the factor, if the session is fresh."""
        factors.check_fresh(connection, session, logins.step_up_s)
        if kind == "totp":
            found = totp.forget_totp(connection, session.person)
        elif kind == "link":
            from redan.service.identity.login.oidc_login import unlink

            found = unlink(connection, logins, session.person) > 0
        else:
            found = bool(passkey_id) and passkeys.forget(connection, session.person, passkey_id) > 0
        if not factors.factors_of(connection, session.person).second:
            recovery.forget_codes(connection, session.person)
        return found

    return await logins.write(take_away)


async def change_password(logins: Logins, session: Session, old: str, new: str, source: From) -> None:
    """Change the password and end every other session.

    Raises:
        Refused: the old one is wrong, the proof is not fresh, or the address must wait.
        UsageError: the new one is too short, too long or too common.
    """

    def look(connection: Connection) -> str | None:
        """Return the hash to compare with, if the session is fresh."""
        factors.check_fresh(connection, session, logins.step_up_s)
        return passwords.hash_of(connection, session.person)

    hashed = await logins.read(look)
    name = session.person.partition(":")[2]
    passwords.check_new(new, name, *name.split("."))
    lockouts, own = logins.authority.lockouts, logins.sealer.pseudonym(session.person)
    wait(await lockouts.attempt(source.addr, own))
    if not await logins.verifier.fits(hashed, old):
        await lockouts.failed(source.addr)
        raise Refused(WRONG, "the present password is wrong")
    await lockouts.succeeded(source.addr, own)
    fresh = await logins.verifier.hashed(new)

    def change(connection: Connection) -> None:
        """Keep the new hash."""
        passwords.keep(connection, session.person, fresh)
        sessions.end_all(connection, session.person, but=session.id)

    await logins.write(change)


async def end_sessions(logins: Logins, session: Session, session_id: str) -> int:
    """End one of one's own sessions, or with an empty identifier all but this one; return how many ended."""

    def stop(connection: Connection) -> int:
        """End one session, or all others."""
        if session_id:
            return int(sessions.end(connection, session.person, session_id))
        return sessions.end_all(connection, session.person, but=session.id)

    return await logins.write(stop)


def _stepped(connection: Connection, logins: Logins, session: Session) -> str:
    return sessions.rotate(connection, session, ttl_s=logins.ttl_s, mfa=True) or ""
