"""What login takes and gives as JSON."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec

from redan.service.identity.login.passkeys import Passkey
from redan.service.identity.login.sessions import Session

NO_BODY = sha256(b"").hexdigest()


class _Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A body that holds what it names and nothing else."""


class NameAndPassword(_Body):
    """The first factor."""

    name: str
    password: str

    def __repr__(self) -> str:
        """Tell no password."""
        return f"NameAndPassword(name={self.name!r})"


class Shown(_Body):
    """A second factor: a code, or the answer of a passkey with the ticket of what it was asked."""

    code: str = ""
    ticket: str = ""
    answer: dict[str, Any] | None = None


class Confirm(_Body):
    """What somebody confirms: an action on a path, for themselves or for a program; with a second factor.

    ``digest`` is the SHA-256 of the body that will be sent there, hexadecimal; left out, none will be.
    """

    action: str
    resource: str
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] = NO_BODY
    user: str = ""
    code: str = ""


class Confirmed(msgspec.Struct, kw_only=True):
    """A one-time confirmation, for the header ``Redan-Confirmation``."""

    confirmation: str
    seconds: int


class LoggedIn(msgspec.Struct, kw_only=True):
    """Somebody came in; ``half`` until the second factor was shown."""

    person: str
    state: Literal["half", "full"]
    csrf: str


class Ticketed(_Body):
    """A code of an app that was offered with a ticket."""

    ticket: str
    code: str


class NewPasskey(_Body):
    """A browser's new passkey."""

    ticket: str
    answer: dict[str, Any]
    title: str = ""


class Removed(_Body):
    """A factor to remove: ``totp``, ``link``, or ``passkey`` with its identifier."""

    kind: Literal["totp", "passkey", "link"]
    id: str = ""


class Ended(_Body):
    """A session to end, or with an empty identifier every other one."""

    id: str = ""


class Passwords(_Body):
    """The present password and the new one."""

    old: str
    new: str

    def __repr__(self) -> str:
        """Tell nothing."""
        return "Passwords()"


class TotpOffer(msgspec.Struct, kw_only=True):
    """A secret for an authenticator app; it counts once its code was sent back with the ticket."""

    ticket: str
    uri: str
    secret: str
    svg: str


class Codes(msgspec.Struct, kw_only=True):
    """Recovery codes, shown once; none where there were some already. ``csrf`` is the session's new token."""

    codes: list[str]
    csrf: str = ""


class Account(msgspec.Struct, kw_only=True):
    """Somebody's own factors and sessions."""

    person: str
    password: bool
    totp: bool
    recovery_left: int
    linked: bool
    passkeys: list[Passkey]
    sessions: list[Session]
    session: str


class Done(msgspec.Struct, kw_only=True):
    """How many things were changed."""

    done: int
