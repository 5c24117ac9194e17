"""From a credential to who shows it, by the database: the cold path, which blocks."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from redan.service.identity import changes, directory, keys, scopes, tables, token_keys, void
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
            row = connection.execute(select(tables.keys).where(tables.keys.c.id == id)).one_or_none()
            # an unknown key is compared with something too, so that it takes as long as a wrong secret
            fits = compare_digest(digest, _NO_SECRET if row is None else row.digest)
            if row is None or not fits:
                return Judged(principal=None, account=id, guess=True)
            key = keys.from_row(row)
            names = frozenset({key.subject, f"key:{id}"})
            seq = changes.newest(connection)
            if not key.live(directory.now_us()):
                return Judged(principal=None, seq=seq, names=names, account=id)
            principal = self._principal(
                connection, key.subject, key.scope, credential=f"key:{id}", expires_s=key.expires_us / 1e6, mfa=0
            )
        return Judged(principal=principal, seq=seq, names=names, account=id)

    def _token(self, credential: bytes) -> Judged:
        try:
            claims = verified(credential, "at+jwt", self.ring.heads, issuer=self.issuer, now_s=time.time())
        except Invalid as err:
            return Judged(principal=None, guess=not err.authentic)
        names = frozenset({claims.sub, f"token:{claims.jti}", f"key:{claims.key}"})
        with self.database.reading() as connection:
            seq = changes.newest(connection)
            principal = None if _ended(connection, claims) else self._of_claims(connection, claims)
        return Judged(principal=principal, seq=seq, names=names)

    def _of_claims(self, connection: Connection, claims: Claims) -> Principal | None:
        subject = directory.find(connection, claims.sub)
        if subject is None or claims.iat * 1_000_000 < subject.tokens_from_us:
            return None
        scope = None if claims.scope is None else _lenient(claims.scope)
        if claims.key:
            scope = _within_key(connection, claims.key, scope)
        return self._principal(
            connection, claims.sub, scope, credential=f"token:{claims.jti}", expires_s=claims.exp, mfa=claims.mfa
        )

    def _principal(
        self, connection: Connection, id: str, scope: Grants | None, *, credential: str, expires_s: float, mfa: int
    ) -> Principal | None:
        subject = directory.find(connection, id)
        if subject is None or subject.disabled:
            return None
        held = directory.assigned(connection, id)
        return Principal(
            id=id,
            kind=subject.kind,
            roles=frozenset(given.role for given in held),
            grants=scopes.narrowed(self.roles.grants((given.role, given.model) for given in held), scope),
            credential=credential,
            expires_s=expires_s,
            mfa_s=float(mfa) if mfa else None,
        )


def _ended(connection: Connection, claims: Claims) -> bool:
    if void.is_void(connection, claims.jti):
        return True
    if not claims.key:
        return False
    row = connection.execute(select(tables.keys).where(tables.keys.c.id == claims.key)).one_or_none()
    return row is None or not keys.from_row(row).live(directory.now_us())


def _within_key(connection: Connection, id: str, scope: Grants | None) -> Grants | None:
    """Narrow what a token was narrowed to by its key's own scope: a token never gives more than its key."""
    row = connection.execute(select(tables.keys).where(tables.keys.c.id == id)).one()
    key = keys.from_row(row).scope
    return scope if key is None else key if scope is None else scopes.narrowed(key, scope)


def _lenient(scope: str) -> Grants:
    """Read a scope that we signed; an action that is no more gives nothing."""
    return frozenset((word.partition(":")[0], word.partition(":")[2]) for word in scope.split())
