"""API keys: ``redan_ID_SECRET``, shown once, kept as SHA-256.

The secret is 256 random bits, so that guessing is hopeless whatever the hash costs: a slow hash (argon2id), which makes
up for secrets that people choose, would only make each first request cost a quarter of a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from secrets import choice, token_urlsafe
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, insert, select, update

from redan.core.errors import UnknownName, UsageError
from redan.service.identity import scopes
from redan.service.identity.changes import change
from redan.service.identity.directory import MOST_TITLE, get, now_us
from redan.service.identity.tables import keys

if TYPE_CHECKING:
    from redan.service.identity.scopes import Grants

PREFIX = "redan_"
DAY_S = 86_400
LONGEST_S = 2 * 365 * DAY_S
MOST_KEYS = 50
_TEXT = re.compile(rb"redan_([a-z0-9]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret.

    Attributes:
        id: identifier, which is part of the key and no secret.
        subject: whose it is.
        title: what it is for.
        scope: what it is narrowed to; None: whatever its owner may do.
        created_us: when it was made, microseconds since the epoch.
        created_by: who made it.
        expires_us: when it ends.
        revoked_us: when it was revoked, or None.
        used_us: when it was last used, or None; some minutes late.
    """

    id: str
    subject: str
    title: str
    scope: Grants | None
    created_us: int
    created_by: str
    expires_us: int
    revoked_us: int | None
    used_us: int | None

    def live(self, at_us: int) -> bool:
        """Return whether it is accepted at a time, as far as the key itself goes."""
        return self.revoked_us is None and at_us < self.expires_us


def parsed(credential: bytes) -> tuple[str, str] | None:
    """Split a key into its identifier and the digest of its secret; None: this is no key."""
    match = _TEXT.fullmatch(credential)
    return None if match is None else (match[1].decode(), sha256(match[2]).hexdigest())


def make(
    connection: Connection,
    subject: str,
    *,
    by: str,
    ttl_s: int = 90 * DAY_S,
    scope: Grants | None = None,
    title: str = "",
) -> tuple[ApiKey, str]:
    """Make a key.

    Args:
        connection: of a transaction that writes.
        subject: whose it is.
        by: who makes it.
        ttl_s: seconds until it ends.
        scope: narrows what it gives; it never gives more than its owner's roles.
        title: what it is for.

    Returns:
        The key, and its text: the only time that it is seen.

    Raises:
        UnknownName: no such subject.
        UsageError: an impossible lifetime or title, or too many live keys.
    """
    _require_fitting(ttl_s, title)
    change(connection, subject)
    get(connection, subject)
    at_us = now_us()
    if sum(key.live(at_us) for key in listed(connection, subject)) >= MOST_KEYS:
        raise UsageError(f"{subject} has {MOST_KEYS} keys already", hint="redan identity key revoke ID")
    id = "".join(choice(ascii_lowercase + digits) for _ in range(12))
    secret = token_urlsafe(32)
    made = ApiKey(
        id=id,
        subject=subject,
        title=title,
        scope=scope,
        created_us=at_us,
        created_by=by,
        expires_us=at_us + ttl_s * 1_000_000,
        revoked_us=None,
        used_us=None,
    )
    connection.execute(
        insert(keys).values(
            id=id,
            subject=subject,
            digest=sha256(secret.encode()).hexdigest(),
            title=title,
            scope=None if scope is None else scopes.shown(scope),
            created_us=at_us,
            created_by=by,
            expires_us=made.expires_us,
        )
    )
    return made, f"{PREFIX}{id}_{secret}"


def _require_fitting(ttl_s: int, title: str) -> None:
    if not 0 < ttl_s <= LONGEST_S:
        raise UsageError(f"a key cannot live {ttl_s} s", hint=f"at most {LONGEST_S // DAY_S}d; rotate it instead")
    if len(title) > MOST_TITLE or not title.isprintable():
        raise UsageError(f"the title is longer than {MOST_TITLE} characters, or has some that cannot be printed")


def get_key(connection: Connection, id: str) -> ApiKey:
    """Return a key by its identifier.

    Raises:
        UnknownName: there is none.
    """
    row = connection.execute(select(keys).where(keys.c.id == id)).one_or_none()
    if row is None:
        raise UnknownName(f"there is no key {id[:40]!r}", hint="redan identity key list")
    return from_row(row)


def listed(connection: Connection, subject: str | None = None) -> list[ApiKey]:
    """Return the keys of a subject, or of everybody, oldest first."""
    query = select(keys).order_by(keys.c.created_us, keys.c.id)
    if subject is not None:
        query = query.where(keys.c.subject == subject)
    return [from_row(row) for row in connection.execute(query)]


def from_row(row: Row[Any]) -> ApiKey:
    """Read a row of the table, whose digest stays where it is."""
    values = dict(row._mapping)
    del values["digest"]
    # what is stored was checked when it was made; an action that is no more gives nothing
    scope = values.pop("scope")
    pairs = (
        None if scope is None else frozenset((word.partition(":")[0], word.partition(":")[2]) for word in scope.split())
    )
    return ApiKey(scope=pairs, **values)


def revoke(connection: Connection, id: str) -> ApiKey:
    """Accept a key no more, nor the tokens it was exchanged for.

    Raises:
        UnknownName: there is none.
    """
    change(connection, f"key:{id}")
    found = get_key(connection, id)
    if found.revoked_us is None:
        connection.execute(update(keys).where(keys.c.id == id).values(revoked_us=now_us()))
    return get_key(connection, id)


def rotate(connection: Connection, id: str, *, by: str, overlap_s: int = DAY_S) -> tuple[ApiKey, str]:
    """Make a key of the same owner, scope, title and lifetime; the old one is good for a while longer.

    Args:
        connection: of a transaction that writes.
        id: the old key.
        by: who rotates it.
        overlap_s: seconds for which both are good; never longer than the old one would have been.

    Returns:
        The new key, and its text.

    Raises:
        UnknownName: there is no such key.
        UsageError: it is good no more.
    """
    old = get_key(connection, id)
    at_us = now_us()
    if not old.live(at_us):
        raise UsageError(f"key {id} has ended", hint=f"redan identity key new {old.subject}")
    ttl_s = max(60, (old.expires_us - old.created_us) // 1_000_000)
    made = make(connection, old.subject, by=by, ttl_s=ttl_s, scope=old.scope, title=old.title)
    change(connection, f"key:{id}")
    ends_us = min(old.expires_us, at_us + max(0, overlap_s) * 1_000_000)
    connection.execute(update(keys).where(keys.c.id == id).values(expires_us=ends_us))
    return made
