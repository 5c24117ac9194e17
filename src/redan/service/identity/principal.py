"""Who asks: what authentication yields, and what authorisation reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from redan.core.errors import EvidenceError

EVERY_MODEL = "*"


class Unjudged(EvidenceError):
    """Who asks cannot be told now, since the database of identities does not answer: neither right nor wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person or program that proved who it is.

    Attributes:
        id: ``user:NAME`` or ``client:NAME``, as limits, monitors and the audit log know it; at most 256 characters.
        kind: how it came: a person with a session or token, or a program with a key or token.
        roles: names of its roles.
        grants: (action, model) pairs that its roles give it; ``*`` stands for every model.
        credential: identifier of the key, token or session, never the secret.
        expires_s: when the credential ends, seconds since the epoch.
        mfa_s: when a second factor was last shown with this credential, or None.
    """

    id: str
    kind: Literal["person", "program"]
    roles: frozenset[str]
    grants: frozenset[tuple[str, str]]
    credential: str
    expires_s: float
    mfa_s: float | None = None

    def may(self, action: str, model: str = "") -> bool:
        """Return whether it may do something, to one model or, with no model named, at all."""
        grants = self.grants
        if (action, EVERY_MODEL) in grants:
            return True
        return bool(model) and (action, model) in grants
