"""What handlers of identity share: who asks, and the authority whose keys and roles they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.errors import InternalError
from redan.service.gateway.refusal import FORBIDDEN, UNKNOWN
from redan.service.identity.authority import Authority
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.identity.principal import Principal
    from redan.service.identity.roles import Roles
    from redan.service.web.endpoint import Asked


def authority_of(asked: Asked) -> Authority:
    """Return the authority, whose keys and roles handlers need."""
    authority = asked.parts.authority
    if not isinstance(authority, Authority):
        raise InternalError(f"identity is served by a {type(authority).__name__}")
    return authority


def roles_of(asked: Asked) -> Roles:
    """Return every role."""
    return authority_of(asked).recognition.roles


def who(asked: Asked) -> Principal:
    """Return who asks.

    Raises:
        Refused: nobody known does.
    """
    if asked.principal is None:
        raise Refused(UNKNOWN)
    return asked.principal


def not_oneself(asked: Asked, subject: str) -> None:
    """Refuse that somebody changes what they themselves may do.

    Raises:
        Refused: they would.
    """
    if who(asked).id == subject:
        raise Refused(FORBIDDEN, "nobody changes what they themselves may do; ask another administrator")
