"""Tokens that are good no more before they end: revoked ones, and those that are used once."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from redan.evidence.store.database import insert_new
from redan.service.identity.changes import change
from redan.service.identity.directory import now_us
from redan.service.identity.tables import spent_tokens, void_tokens
from redan.service.identity.tokens import LONGEST_S, SKEW_S

_KEPT_US = (LONGEST_S + SKEW_S) * 1_000_000


def revoke(connection: Connection, jti: str) -> None:
    """Accept a token no more, by its identifier."""
    change(connection, f"token:{jti}")
    at_us = now_us()
    connection.execute(delete(void_tokens).where(void_tokens.c.until_us < at_us))
    insert_new(connection, void_tokens, [{"jti": jti, "until_us": at_us + _KEPT_US}])


def is_void(connection: Connection, jti: str) -> bool:
    """Return whether a token was revoked."""
    return connection.execute(select(void_tokens.c.jti).where(void_tokens.c.jti == jti)).first() is not None


def spend(connection: Connection, jti: str) -> bool:
    """Use a token that is good once; return False when it was used before, by whichever replica."""
    at_us = now_us()
    connection.execute(delete(spent_tokens).where(spent_tokens.c.until_us < at_us))
    return insert_new(connection, spent_tokens, [{"jti": jti, "until_us": at_us + _KEPT_US}]) == 1
