"""From a credential to who shows it, by the database: the cold path, which blocks."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, func, select

from redan.service.identity import changes, directory, keys, scopes, tables, token_keys
from redan.service.identity.principal import Principal
from redan.service.identity.tokens import Claims, Invalid, verified

if TYPE_CHECKING:
    from redan.evidence.store.database import Database
    from redan.service.identity.roles import Roles
    from redan.service.identity.scopes import Grants
    from redan.service.identity.token_keys import Ring

MOST_BYTES = 8192 + 16
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]+)")
_NO_SECRET = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of a header.

    Attributes:
        principal: who it is, or None.
        names: what a change must name to end this: the subject, its key, its token.
        seq: number of the newest change that was seen.
        account: identifier of the key that was tried, for lock-out; empty for tokens.
        guess: whether it was made up: nothing that we gave out, or a wrong secret.
    """

    principal: Principal | None
    seq: int = 0
    names: frozenset[str] = frozenset()
    account: str = ""
    guess: bool = False


class Recognition:
    """Judges credentials by the database.

    Args:
        database: the service's own.
        ring: keys of tokens.
        roles: every role.
        issuer: name of this gateway in tokens.
        key_path: file of the signing key.
    """

    def __init__(self, database: Database, ring: Ring, roles: Roles, issuer: str, key_path: Path) -> None:
        self.database, self.ring, self.roles, self.issuer, self._key_path = database, ring, roles, issuer, key_path

    def reload(self) -> None:
        """Read the keys of tokens again.

        Raises:
            Unreadable: the file of the signing key cannot be read.
            EvidenceError: the database does not answer.
        """
        self.ring = token_keys.read_ring(self._key_path, self.database)

    def judge(self, header: bytes) -> Judged:
        """Say who shows an Authorization header.

        Raises:
            EvidenceError: the database does not answer.
        """
        match = _BEARER.fullmatch(header) if len(header) <= MOST_BYTES else None
        if match is None:
            return Judged(principal=None, guess=True)
        credential = match[1]
        if credential.startswith(keys.PREFIX.encode()):
            return self._key(credential)
        return self._token(credential)

    def _key(self, credential: bytes) -> Judged:
        parsed = keys.parsed(credential)
        if parsed is None:
            return Judged(principal=None, guess=True)
        id, digest = parsed
        with self.database.reading() as connection:
            row = connection.execute(_KEY, {"key": id}).one_or_none()
            # an unknown key is compared with something too, so that it takes as long as a wrong secret
            fits = compare_digest(digest, _NO_SECRET if row is None else row.digest)
            if row is None or not fits:
                return Judged(principal=None, account=id, guess=True)
            names = frozenset({row.owner, f"key:{id}"})
            if row.disabled or not _live(row):
                return Judged(principal=None, seq=row.seq, names=names, account=id)
            principal = self._principal(
                connection, row.owner, _scope(row.scope), credential=f"key:{id}", expires_s=row.expires_us / 1e6
            )
        return Judged(principal=principal, seq=row.seq, names=names, account=id)

    def _token(self, credential: bytes) -> Judged:
        try:
            claims = verified(credential, "at+jwt", self.ring.heads, issuer=self.issuer, now_s=time.time())
        except Invalid as err:
            return Judged(principal=None, guess=not err.authentic)
        names = frozenset({claims.sub, f"token:{claims.jti}", f"key:{claims.key}"})
        with self.database.reading() as connection:
            asked = {"subject": claims.sub, "key": claims.key, "jti": claims.jti}
            row = connection.execute(_TOKEN, asked).one_or_none()
            if row is None or not _good(row, claims):
                return Judged(principal=None)
            scope = _scope(claims.scope)
            if claims.key and row.scope is not None:
                # a token never gives more than its key
                scope = scopes.narrowed(_scope(row.scope) or frozenset(), scope)
            principal = self._principal(
                connection,
                claims.sub,
                scope,
                credential=f"token:{claims.jti}",
                expires_s=claims.exp,
                mfa_s=float(claims.mfa) if claims.mfa else None,
            )
        return Judged(principal=principal, seq=row.seq, names=names)

    def _principal(
        self,
        connection: Connection,
        id: str,
        scope: Grants | None,
        *,
        credential: str,
        expires_s: float,
        mfa_s: float | None = None,
    ) -> Principal:
        held = [(row.role, row.model) for row in connection.execute(_ASSIGNED, {"subject": id})]
        return Principal(
            id=id,
            kind=directory.kind_of(id),
            roles=frozenset(role for role, _ in held),
            grants=scopes.narrowed(self.roles.grants(held), scope),
            credential=credential,
            expires_s=expires_s,
            mfa_s=mfa_s,
        )


# one question each, written once: building and sending them is most of what the cold path costs
_SEQ = func.coalesce(
    select(tables.counters.c.value).where(tables.counters.c.name == changes.COUNTER).scalar_subquery(), 0
)
_ENDS = (tables.keys.c.expires_us, tables.keys.c.revoked_us, tables.keys.c.scope)
_KEY = (
    select(
        tables.subjects.c.id.label("owner"), tables.subjects.c.disabled, tables.keys.c.digest, *_ENDS, _SEQ.label("seq")
    )
    .join(tables.keys, tables.keys.c.subject == tables.subjects.c.id)
    .where(tables.keys.c.id == bindparam("key"))
)
_TOKEN = (
    select(
        tables.subjects.c.disabled,
        tables.subjects.c.tokens_from_us,
        tables.void_tokens.c.jti,
        *_ENDS,
        _SEQ.label("seq"),
    )
    .select_from(tables.subjects)
    .outerjoin(tables.keys, tables.keys.c.id == bindparam("key"))
    .outerjoin(tables.void_tokens, tables.void_tokens.c.jti == bindparam("jti"))
    .where(tables.subjects.c.id == bindparam("subject"))
)
_ASSIGNED = select(tables.assignments.c.role, tables.assignments.c.model).where(
    tables.assignments.c.subject == bindparam("subject")
)


def _live(row: Any) -> bool:
    return row.revoked_us is None and row.expires_us is not None and directory.now_us() < row.expires_us


def _good(row: Any, claims: Claims) -> bool:
    """Return whether nothing ended a token before its time: itself, its key, its subject."""
    if row.disabled or row.jti is not None or claims.iat * 1_000_000 < row.tokens_from_us:
        return False
    return not claims.key or _live(row)


def _scope(text: str | None) -> Grants | None:
    """Read a scope that we wrote; an action that is no more gives nothing."""
    return None if text is None else frozenset((a, m) for a, _, m in (word.partition(":") for word in text.split()))
