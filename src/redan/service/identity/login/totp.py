"""Codes of an authenticator app (TOTP, RFC 6238): six digits, thirty seconds, each good once."""

from __future__ import annotations

import hmac
import io
import re
import time
from dataclasses import dataclass

import pyotp
import segno
from sqlalchemy import Connection, delete, select, update

from redan.evidence.store.database import insert_new
from redan.service.identity.login.sealing import Sealer
from redan.service.identity.login.tables import totps

STEP_S = 30
DRIFT_STEPS = 1
OFFER_S = 600
_CODE = re.compile(r"[0-9]{6}", flags=re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A secret that is to be typed or photographed into an app; it counts only once a code of it was shown.

    Attributes:
        uri: ``otpauth:`` address with the secret.
        secret: base32, for typing.
        ticket: carries it back to us, sealed.
    """

    uri: str
    secret: str
    ticket: str

    def __repr__(self) -> str:
        """Tell nothing."""
        return "Offer()"

    def svg(self) -> str:
        """Return a QR code as an SVG element without style or script."""
        out = io.BytesIO()
        segno.make(self.uri, error="m").save(
            out, kind="svg", scale=5, border=4, xmldecl=False, svgns=True, title="QR code", light="#fff"
        )
        return out.getvalue().decode()

    def text(self) -> str:
        """Return a QR code for a terminal."""
        out = io.StringIO()
        segno.make(self.uri, error="l").terminal(out, compact=True, border=2)
        return out.getvalue()


def offer(sealer: Sealer, person: str, issuer: str) -> Offer:
    """Make a new secret for somebody: 160 random bits, stored nowhere yet."""
    secret = pyotp.random_base32()
    name = person.partition(":")[2]
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)
    ticket = sealer.ticket({"secret": secret}, _purpose("offer", person), ttl_s=OFFER_S)
    return Offer(uri=uri, secret=secret, ticket=ticket)


def enrol(connection: Connection, sealer: Sealer, person: str, ticket: str, code: str) -> bool:
    """Keep an offered secret, sealed, if the code shows that the app has it; it replaces the one before.

    Raises:
        SignatureRefused: the ticket is none, too old or somebody else's.
    """
    facts, _ = sealer.facts(ticket, _purpose("offer", person))
    step = _step(facts["secret"], code)
    if step is None:
        return False
    row = {
        "sealed": sealer.seal(facts["secret"].encode(), _purpose("secret", person)),
        "created_s": time.time(),
        "last_step": step,
    }
    if not insert_new(connection, totps, [{"person": person, **row}]):
        connection.execute(update(totps).where(totps.c.person == person).values(**row))
    return True


def take(connection: Connection, sealer: Sealer, person: str, code: str) -> bool:
    """Return whether a code is right and was not shown before; it is used up by this, on every replica.

    Raises:
        SignatureRefused: what is stored was changed.
    """
    row = connection.execute(select(totps).where(totps.c.person == person)).one_or_none()
    if row is None:
        return False
    step = _step(sealer.open(row.sealed, _purpose("secret", person)).decode(), code)
    if step is None:
        return False
    used = update(totps).where(totps.c.person == person, totps.c.last_step < step).values(last_step=step)
    return connection.execute(used).rowcount == 1


def has_totp(connection: Connection, person: str) -> bool:
    """Return whether somebody enrolled an app."""
    return connection.execute(select(totps.c.person).where(totps.c.person == person)).one_or_none() is not None


def forget_totp(connection: Connection, person: str) -> bool:
    """Take somebody's app away; return whether there was one."""
    return connection.execute(delete(totps).where(totps.c.person == person)).rowcount > 0


def _step(secret: str, code: str) -> int | None:
    """Return the newest step within the drift whose code this is."""
    code = code.replace(" ", "")
    if not _CODE.fullmatch(code):
        return None
    now = int(time.time()) // STEP_S
    maker = pyotp.TOTP(secret)
    fits = [
        step
        for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1)
        if hmac.compare_digest(maker.generate_otp(step), code)
    ]
    return max(fits, default=None)


def _purpose(what: str, person: str) -> str:
    return f"totp {what} {person}"
