"""Whether somebody may use a route: the one place where a row of the table and a principal meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.service.gateway.refusal import FORBIDDEN, STEP_UP, UNKNOWN, Refusal
from redan.service.identity.actions import ACTIONS
from redan.service.identity.freshness import fresh

if TYPE_CHECKING:
    from redan.service.identity.principal import Principal
    from redan.service.web.endpoint import Endpoint


def denied(
    endpoint: Endpoint, principal: Principal | None, *, model: str, now_s: float, step_up_s: float, confirmed: bool
) -> Refusal | None:
    """Return why somebody may not use a route, or None when they may.

    A route over all models that only reads is open to whoever may read one of them: its handler shows no others. One
    that changes something needs permission for every model.

    Args:
        endpoint: the route.
        principal: who asks; None: nobody known.
        model: the model that the address names, or empty.
        now_s: seconds since the epoch.
        step_up_s: how old a second factor may be for a dangerous action.
        confirmed: whether a one-time confirmation of this very action came along.
    """
    if endpoint.action is None:
        return None
    if principal is None or principal.expires_s <= now_s:
        return UNKNOWN
    action = ACTIONS[endpoint.action]
    if endpoint.method == "GET" and action.per_model and not endpoint.model:
        allowed = any(granted == action.name for granted, _ in principal.grants)
    else:
        allowed = principal.may(action.name, model)
    if not allowed:
        return FORBIDDEN
    if not action.dangerous or confirmed:
        return None
    shown = fresh(principal.credential, principal.mfa_s, within_s=step_up_s, now_s=now_s)
    return None if shown else STEP_UP
