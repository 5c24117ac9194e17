"""Predicates of people's decisions: an approval, and a revocation that takes back what was stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, Unreadable, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Somebody says that a model may be used.

    Attributes:
        who: name of the person or role.
        why: reason.
        approved: UTC time, ISO 8601.
    """

    who: str
    why: str
    approved: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Somebody takes back a model or some of its statements.

    Attributes:
        why: reason.
        revoked: UTC time, ISO 8601.
        statements: SHA-256 of each statement taken back; the model as a whole when empty.
    """

    why: str
    revoked: str
    statements: tuple[str, ...] = ()


def approval(words: str, approved: str) -> dict[str, Any]:
    """Make the predicate of an approval from ``who: why``.

    Raises:
        UsageError: who or why is missing.
    """
    who, colon, why = (part.strip() for part in words.partition(":"))
    if not (who and colon and why):
        raise UsageError(
            f"the approval {words!r} does not say who and why",
            hint='write --approve "Ada Lovelace: reviewed the report of 12 May"',
        )
    document: dict[str, Any] = encode(Approval(who=who, why=why, approved=approved))
    return document


def revocation(why: str, revoked: str, statements: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the predicate of a revocation.

    Raises:
        UsageError: there is no reason.
    """
    if not why.strip():
        raise UsageError("a revocation without a reason helps nobody", hint='write --revoke "poisoned training data"')
    document: dict[str, Any] = encode(Revocation(why=why.strip(), revoked=revoked, statements=statements))
    return document


def read_approval(predicate: Mapping[str, Any]) -> Approval:
    """Read an approval.

    Raises:
        Unreadable: a field is unknown, missing or of another kind.
    """
    try:
        return decode(Approval, predicate)
    except ConfigError as err:
        raise Unreadable(f"the approval cannot be read: {err}") from err


def read_revocation(predicate: Mapping[str, Any]) -> Revocation:
    """Read a revocation.

    Raises:
        Unreadable: a field is unknown, missing or of another kind.
    """
    try:
        return decode(Revocation, predicate)
    except ConfigError as err:
        raise Unreadable(f"the revocation cannot be read: {err}") from err
