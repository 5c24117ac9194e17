"""Who may use a route: every answer of the one function that decides."""

from __future__ import annotations

from typing import Any

import pytest

from redan.service.gateway.refusal import FORBIDDEN, STEP_UP, UNKNOWN
from redan.service.identity.actions import ACTIONS
from redan.service.identity.principal import Principal
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.permission import denied

NOW_S = 1_000_000.0


def person(*grants: tuple[str, str], mfa_s: float | None = None, expires_s: float = NOW_S + 60) -> Principal:
    return Principal(
        id="user:ada",
        kind="person",
        roles=frozenset(),
        grants=frozenset(grants),
        credential="session",
        expires_s=expires_s,
        mfa_s=mfa_s,
    )


async def handler(asked: Asked) -> Any:
    raise AssertionError


def row(action: str | None, method: Any = "GET", model: str = "") -> Endpoint:
    return Endpoint(method=method, path="/x", action=action, handler=handler, summary="x", model=model)


def ask(endpoint: Endpoint, principal: Principal | None, *, model: str = "", confirmed: bool = False) -> Any:
    return denied(endpoint, principal, model=model, now_s=NOW_S, step_up_s=300, confirmed=confirmed)


def test_what_is_public_is_public_and_nothing_else() -> None:
    assert ask(row(None), None) is None
    for name in ACTIONS:
        assert ask(row(name), None) is UNKNOWN
        assert ask(row(name), person()) is FORBIDDEN


def test_somebody_whose_credential_ended_is_nobody() -> None:
    assert ask(row("audit.read"), person(("audit.read", "*"), expires_s=NOW_S)) is UNKNOWN


@pytest.mark.parametrize("name", [name for name, action in ACTIONS.items() if action.dangerous])
def test_dangerous_actions_need_a_fresh_second_factor(name: str) -> None:
    grant = (name, "*")
    assert ask(row(name, "POST"), person(grant)) is STEP_UP
    assert ask(row(name, "POST"), person(grant, mfa_s=NOW_S - 301)) is STEP_UP
    assert ask(row(name, "POST"), person(grant, mfa_s=NOW_S + 60)) is STEP_UP
    assert ask(row(name, "POST"), person(grant, mfa_s=NOW_S - 299)) is None
    assert ask(row(name, "POST"), person(grant), confirmed=True) is None
    # a confirmation gives no permission
    assert ask(row(name, "POST"), person(), confirmed=True) is FORBIDDEN


def test_permission_for_one_model_is_for_that_model() -> None:
    ada = person(("models.reload", "fraud"), ("models.read", "fraud"))
    reload = row("models.reload", "POST", model="name")
    assert ask(reload, ada, model="fraud") is None
    assert ask(reload, ada, model="other") is FORBIDDEN
    assert ask(reload, ada, model="") is FORBIDDEN
    assert ask(reload, ada, model="*") is FORBIDDEN


def test_a_route_over_all_models_may_be_read_with_one_and_changed_with_all() -> None:
    ada = person(("models.reload", "fraud"), ("models.read", "fraud"))
    assert ask(row("models.read"), ada) is None
    assert ask(row("models.reload", "POST"), ada) is FORBIDDEN
    assert ask(row("models.reload", "POST"), person(("models.reload", "*"))) is None
