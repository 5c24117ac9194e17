"""What the routes of identity take and give; times are seconds since the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from redan.service.identity import scopes

if TYPE_CHECKING:
    from redan.service.identity.directory import Assignment, Subject
    from redan.service.identity.keys import ApiKey
    from redan.service.identity.review import Line


class NewSubject(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A person or program to make; its kind is that of the address."""

    name: str
    title: str = ""


class SubjectShown(msgspec.Struct, kw_only=True):
    """A person or program."""

    id: str
    title: str
    disabled: bool
    created_s: float
    created_by: str
    used_s: float | None


class RoleShown(msgspec.Struct, kw_only=True):
    """A role and what it allows."""

    name: str
    title: str
    actions: list[str]
    built_in: bool


class GrantAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A role to give or take."""

    subject: str
    role: str
    model: str = "*"


class GrantShown(msgspec.Struct, kw_only=True):
    """A role in a hand."""

    subject: str
    role: str
    model: str
    since_s: float
    by: str


class Granted(msgspec.Struct, kw_only=True):
    """What giving a role did: sentences about separations of duties that are broken now."""

    mind: list[str]


class OwnKeyAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A key to make for oneself; ``scope`` such as ``predict:fraud`` narrows it."""

    title: str = ""
    scope: str | None = None
    ttl_s: int = 90 * 86_400


class KeyAsked(OwnKeyAsked, kw_only=True, forbid_unknown_fields=True):
    """A key to make for a program."""

    subject: str


class RotationAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For how long the old key is good still."""

    overlap_s: int = 86_400


class KeyShown(msgspec.Struct, kw_only=True):
    """A key without its secret."""

    id: str
    subject: str
    title: str
    scope: str | None
    created_s: float
    expires_s: float
    revoked_s: float | None
    used_s: float | None


class KeyMade(msgspec.Struct, kw_only=True):
    """A new key; ``secret`` is the whole key, shown this once."""

    key: KeyShown
    secret: str


class TokenAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A token to be given for the key that the request shows; ``scope`` narrows it."""

    scope: str | None = None
    ttl_s: int = 0


class TokenGiven(msgspec.Struct, kw_only=True):
    """A token (RFC 6749, section 5.1, names its members)."""

    access_token: str
    expires_in: int
    jti: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the word of the standard
    scope: str | None = None


class KeySet(msgspec.Struct, kw_only=True):
    """Public keys that tokens are signed with (JSON Web Key Set, RFC 7517)."""

    keys: list[dict[str, str]]


class RemarkShown(msgspec.Struct, kw_only=True):
    """Something that a reviewer should look at."""

    code: str
    text: str
    open: bool


class ReviewLine(msgspec.Struct, kw_only=True):
    """One role in one hand, and what is remarkable about it."""

    subject: str
    title: str
    role: str
    model: str
    actions: list[str]
    since_s: float
    by: str
    used_s: float | None
    live_keys: int
    remarks: list[RemarkShown]
    decision: str
    open: bool


class DecisionMade(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a reviewer decided."""

    subject: str
    role: str
    decision: Literal["keep", "revoke"]
    model: str = "*"
    note: str = ""


class Myself(msgspec.Struct, kw_only=True):
    """Who asks, and what they may do."""

    id: str
    kind: str
    roles: list[str]
    scope: str
    credential: str
    expires_s: float
    mfa_s: float | None


def _s(at_us: int | None) -> float | None:
    return None if at_us is None else at_us / 1e6


def subject_shown(subject: Subject) -> SubjectShown:
    """Return a subject as it is sent."""
    return SubjectShown(
        id=subject.id,
        title=subject.title,
        disabled=subject.disabled,
        created_s=subject.created_us / 1e6,
        created_by=subject.created_by,
        used_s=_s(subject.used_us),
    )


def grant_shown(given: Assignment) -> GrantShown:
    """Return an assignment as it is sent."""
    return GrantShown(
        subject=given.subject, role=given.role, model=given.model, since_s=given.since_us / 1e6, by=given.by
    )


def key_shown(key: ApiKey) -> KeyShown:
    """Return a key as it is sent."""
    return KeyShown(
        id=key.id,
        subject=key.subject,
        title=key.title,
        scope=None if key.scope is None else scopes.shown(key.scope),
        created_s=key.created_us / 1e6,
        expires_s=key.expires_us / 1e6,
        revoked_s=_s(key.revoked_us),
        used_s=_s(key.used_us),
    )


def line_shown(line: Line) -> ReviewLine:
    """Return a line of a review as it is sent."""
    return ReviewLine(
        subject=line.subject,
        title=line.title,
        role=line.role,
        model=line.model,
        actions=list(line.actions),
        since_s=line.since_us / 1e6,
        by=line.by,
        used_s=_s(line.used_us),
        live_keys=line.live_keys,
        remarks=[RemarkShown(code=r.code, text=r.text, open=r.open) for r in line.remarks],
        decision=line.decision,
        open=line.open,
    )
