"""One-time confirmations: a person says yes, with a second factor, to one dangerous act on one resource.

Who holds a token instead of a session, and programs, which have no second factor, send it in the header
``Redan-Confirmation``. It is bound to who uses it, the action and the resource, good for the time of a step-up, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.errors import SignatureRefused
from redan.service.identity.login.sealing import spend

if TYPE_CHECKING:
    from redan.service.identity.login.desk import Logins
    from redan.service.identity.principal import Principal

_PURPOSE = "confirmation"


def confirmation(logins: Logins, *, user: str, action: str, resource: str, by: str) -> str:
    """Return a confirmation.

    Args:
        logins: the desk.
        user: who may use it.
        action: what for.
        resource: path that it is about, such as ``/v1/models/fraud/rollback``.
        by: who confirmed, with a second factor that the caller judged.
    """
    facts = {"user": user, "action": action, "resource": resource, "by": by}
    return logins.sealer.ticket(facts, _PURPOSE, ttl_s=logins.step_up_s)


async def confirmed(logins: Logins, token: str, principal: Principal, action: str, resource: str) -> bool:
    """Use up a confirmation (`redan.service.parts.Authority.confirmed`); return whether it fits and was unused.

    Raises:
        EvidenceError: the database does not answer.
    """
    try:
        facts, until_s = logins.sealer.facts(token, _PURPOSE)
    except SignatureRefused:
        return False
    if (facts["user"], facts["action"], facts["resource"]) != (principal.id, action, resource):
        return False
    return await logins.write(lambda connection: spend(connection, token, until_s))
