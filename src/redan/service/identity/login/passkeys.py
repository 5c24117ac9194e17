"""Passkeys and security keys (W3C Web Authentication, Level 3): registration and use, the person verified each time.

A challenge is a ticket that the browser carries back: nothing is stored for strangers who ask for one. It is good
for five minutes, for one purpose and one session, and once.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import webauthn
from sqlalchemy import Connection, delete, insert, select, update
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from redan.core.errors import ConfigError, SignatureRefused, UsageError
from redan.service.identity.login.sealing import Sealer, spend
from redan.service.identity.login.tables import passkeys

CHALLENGE_S = 300
MOST_OF_ONE = 10
_LONGEST_TITLE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where passkeys are good.

    Attributes:
        origin: scheme, host and port, as the browser names them.
        host: of the origin: what passkeys are bound to.
        title: what the person is shown.
    """

    origin: str
    host: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A registered credential as its owner sees it.

    Attributes:
        id: the credential's own identifier, base64url.
        title: what its owner calls it.
        created_s: when it was registered, seconds since the epoch.
        used_s: when it was last used, or None.
    """

    id: str
    title: str
    created_s: float
    used_s: float | None


class Challenge(msgspec.Struct, kw_only=True, frozen=True):
    """What a browser is asked.

    Attributes:
        ticket: to send back beside the answer.
        options: for ``navigator.credentials``.
    """

    ticket: str
    options: dict[str, Any]


def site_of(origin: str, title: str) -> Site:
    """Read the site from ``identity.origin``.

    Raises:
        ConfigError: the origin is empty or no origin; or neither HTTPS nor this machine, where browsers refuse.
    """
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError("passkeys need the gateway's public address", hint='identity.origin = "https://HOST"')
    if parts.scheme != "https" and not (parts.scheme == "http" and host == "localhost"):
        raise ConfigError("passkeys need HTTPS, or http://localhost", hint='identity.origin = "https://HOST"')
    return Site(origin=f"{parts.scheme}://{parts.netloc}", host=host, title=title)


def ask_to_register(connection: Connection, sealer: Sealer, site: Site, person: str, bound: str) -> Challenge:
    """Ask a browser to make a passkey.

    Args:
        connection: to the database.
        sealer: of tickets.
        site: where.
        person: for whom.
        bound: identifier of the session that may answer.

    Raises:
        UsageError: the person has as many as one may.
    """
    rows = connection.execute(select(passkeys.c.id, passkeys.c.handle).where(passkeys.c.person == person)).all()
    if len(rows) >= MOST_OF_ONE:
        raise UsageError(f"a person has at most {MOST_OF_ONE} passkeys", hint="remove one")
    handle = base64url_to_bytes(rows[0].handle) if rows else secrets.token_bytes(32)
    challenge = secrets.token_bytes(32)
    name = person.partition(":")[2]
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=site.title,
        user_name=name,
        user_display_name=name,
        user_id=handle,
        challenge=challenge,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(row.id)) for row in rows],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    facts = {"challenge": bytes_to_base64url(challenge), "handle": bytes_to_base64url(handle)}
    ticket = sealer.ticket(facts, f"passkey register {person} {bound}", ttl_s=CHALLENGE_S)
    return Challenge(ticket=ticket, options=msgspec.json.decode(options_to_json(options)))


def register(
    connection: Connection,
    sealer: Sealer,
    site: Site,
    person: str,
    bound: str,
    *,
    ticket: str,
    answer: dict[str, Any],
    title: str,
) -> Passkey:
    """Keep the public key that a browser answered with.

    Raises:
        SignatureRefused: the answer does not fit what was asked, or came before.
    """
    facts, until_s = sealer.facts(ticket, f"passkey register {person} {bound}")
    try:
        seen = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(facts["challenge"]),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise SignatureRefused("the passkey's answer does not fit what was asked") from error
    known = bytes_to_base64url(seen.credential_id)
    taken = connection.execute(select(passkeys.c.id).where(passkeys.c.id == known)).one_or_none()
    if taken is not None or not spend(connection, ticket, until_s):
        raise SignatureRefused("this passkey or answer came before")
    made = Passkey(id=known, title=title[:_LONGEST_TITLE] or "passkey", created_s=time.time(), used_s=None)
    connection.execute(
        insert(passkeys).values(
            id=made.id,
            person=person,
            handle=facts["handle"],
            public_key=seen.credential_public_key,
            sign_count=seen.sign_count,
            title=made.title,
            created_s=made.created_s,
        )
    )
    return made


def ask_to_show(connection: Connection, sealer: Sealer, site: Site, *, person: str, bound: str) -> Challenge:
    """Ask a browser for a passkey: one of a person's, or with no person named, one that it knows for this site."""
    challenge = secrets.token_bytes(32)
    rows = connection.execute(select(passkeys.c.id).where(passkeys.c.person == person)).all() if person else []
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(row.id)) for row in rows],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    facts = {"challenge": bytes_to_base64url(challenge)}
    ticket = sealer.ticket(facts, f"passkey show {person} {bound}", ttl_s=CHALLENGE_S)
    return Challenge(ticket=ticket, options=msgspec.json.decode(options_to_json(options)))


def show(
    connection: Connection,
    sealer: Sealer,
    site: Site,
    *,
    person: str,
    bound: str,
    ticket: str,
    answer: dict[str, Any],
) -> str:
    """Judge a browser's answer; return whose passkey it was.

    The count of signatures must grow where the authenticator keeps one: a copy of it is found out by this.

    Raises:
        SignatureRefused: the answer does not fit what was asked, is somebody else's, or came before.
    """
    facts, until_s = sealer.facts(ticket, f"passkey show {person} {bound}")
    row = connection.execute(select(passkeys).where(passkeys.c.id == str(answer.get("id", ""))[:1024])).one_or_none()
    if row is None or (person and row.person != person):
        raise SignatureRefused("this passkey is not known here")
    try:
        seen = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(facts["challenge"]),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise SignatureRefused("the passkey's answer does not fit what was asked") from error
    # the count is compared once more where it is written: two replicas may judge at once
    used = (
        update(passkeys)
        .where(passkeys.c.id == row.id, passkeys.c.sign_count == row.sign_count)
        .values(sign_count=seen.new_sign_count, used_s=time.time())
    )
    if not spend(connection, ticket, until_s) or connection.execute(used).rowcount != 1:
        raise SignatureRefused("this answer came before")
    return str(row.person)


def of_person(connection: Connection, person: str) -> list[Passkey]:
    """Return somebody's passkeys, the oldest first."""
    rows = connection.execute(select(passkeys).where(passkeys.c.person == person).order_by(passkeys.c.created_s))
    return [Passkey(id=row.id, title=row.title, created_s=row.created_s, used_s=row.used_s) for row in rows]


def forget(connection: Connection, person: str, passkey_id: str = "") -> int:
    """Take one passkey of a person away, or with none named all; return how many."""
    statement = delete(passkeys).where(passkeys.c.person == person)
    if passkey_id:
        statement = statement.where(passkeys.c.id == passkey_id)
    return connection.execute(statement).rowcount
