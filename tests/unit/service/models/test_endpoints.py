"""Routes of models through the guarded table: who may see and change what, and what they are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from tests import served as made
from tests.served import seal_scan, settings_for
from tests.unit.service.models.conftest import pool_of

from redan.core.settings import Settings
from redan.service.audit.act import Act
from redan.service.findings import Findings
from redan.service.identity.principal import Principal
from redan.service.models.endpoints import ENDPOINTS
from redan.service.parts import Parts
from redan.service.web.app import web_app


def principal(name: str, *grants: tuple[str, str], mfa_s: float | None = None) -> Principal:
    return Principal(
        id=f"user:{name}",
        kind="person",
        roles=frozenset(),
        grants=frozenset(grants),
        credential="k",
        expires_s=time.time() + 600,
        mfa_s=mfa_s,
    )


ALL = [(action, "*") for action in ("models.read", "models.promote", "models.rollback", "models.quarantine")]


def people() -> dict[bytes, Principal]:
    """Return who there is, each second factor shown just now."""
    return {
        b"Bearer admin": principal("admin", *ALL, ("models.reload", "*"), mfa_s=time.time() + 0.5),
        b"Bearer tired": principal("tired", *ALL, mfa_s=0.0),
        b"Bearer reader": principal("reader", ("models.read", "xgboost")),
    }


class Authority:
    """Knows three people by their tokens."""

    def authenticate(self, header: bytes) -> Principal | None:
        return people().get(header)

    async def recognise(self, header: bytes, addr: str) -> Principal | None:
        return None


class Asking:
    """A client of the routes, with what was recorded."""

    def __init__(self, client: httpx.AsyncClient, acts: list[Act]) -> None:
        self._client, self.acts = client, acts

    async def __call__(self, method: str, path: str, who: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {who}"}
        answer = await self._client.request(method, path, headers=headers, json=body)
        return answer.status_code, answer.json()


@asynccontextmanager
async def opened(settings: Settings, root: Path) -> AsyncIterator[Asking]:
    acts: list[Act] = []
    nothing = SimpleNamespace(
        take=lambda *_: None, refused=lambda *_: None, denied=lambda *_: None, commit=acts.extend, healthy=lambda: True
    )
    async with pool_of(settings, root, record=acts.append) as pool:
        parts = Parts(
            settings=settings,
            root=root,
            replica="r1",
            database=pool._standing._database,
            findings=Findings(),
            authority=cast("Any", Authority()),
            limiter=cast("Any", nothing),
            auditor=cast("Any", nothing),
            models=pool,
            recorder=cast("Any", nothing),
            watching=cast("Any", nothing),
            more={},
        )
        transport = httpx.ASGITransport(app=web_app(parts, ENDPOINTS))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield Asking(client, acts)


def run(folder: Path, work: Callable[[Asking], Awaitable[None]]) -> None:
    second = made.served(folder, version="2", seed=1, role="canary", share=0.25)
    settings = settings_for(folder, made.served(folder), second, made.served(folder, "xgboost"))

    async def main() -> None:
        async with opened(settings, folder) as ask:
            await work(ask)

    asyncio.run(main())


def test_the_list_shows_roles_and_verdicts_of_what_one_may_see(tmp_path: Path) -> None:
    async def work(ask: Asking) -> None:
        status, found = await ask("GET", "/v1/models", "admin")
        assert status == 200
        shown = [(each["name"], each["version"], each["role"], each["verdict"]) for each in found["models"]]
        assert shown == [
            ("sklearn", "1", "live", "admitted"),
            ("sklearn", "2", "canary", "admitted"),
            ("xgboost", "1", "live", "admitted"),
        ]
        assert found["models"][1]["share"] == 0.25
        assert len(found["models"][0]["digest"]) == 64
        status, found = await ask("GET", "/v1/models", "reader")
        assert [each["name"] for each in found["models"]] == ["xgboost"]
        assert (await ask("GET", "/v1/models/sklearn", "reader"))[0] == 403
        assert (await ask("GET", "/v1/models", "nobody"))[0] == 401

    run(tmp_path, work)


def test_statements_say_which_key_vouched(tmp_path: Path) -> None:
    async def work(ask: Asking) -> None:
        status, found = await ask("GET", "/v1/models/sklearn/versions/1/statements", "admin")
        assert status == 200
        assert found["verdict"] == "admitted"
        assert found["met"][0].startswith("scan: ci.key.pub")
        assert (await ask("GET", "/v1/models/sklearn/versions/9/statements", "admin"))[0] == 404

    run(tmp_path, work)


def test_promote_and_roll_back_over_http_are_recorded_with_who_asked(tmp_path: Path) -> None:
    async def work(ask: Asking) -> None:
        assert (await ask("POST", "/v1/models/sklearn/promote", "admin", {"version": "2"}))[1]["role"] == "live"
        status, found = await ask("POST", "/v1/models/sklearn/rollback", "admin")
        assert (status, found["version"], found["role"]) == (200, "1", "live")
        status, found = await ask("POST", "/v1/models/sklearn/rollback", "admin")
        assert status == 409
        assert "no version to go back to" in found["message"]
        said = [(act.who, act.act, act.ok) for act in ask.acts if act.act != "models.reload"]
        assert said == [
            ("service:models", "models.promote", True),
            ("user:admin", "models.promote", True),
            ("service:models", "models.rollback", True),
            ("user:admin", "models.rollback", True),
            ("user:admin", "models.rollback", False),
        ]

    run(tmp_path, work)


def test_dangerous_routes_ask_for_a_fresh_second_factor(tmp_path: Path) -> None:
    async def work(ask: Asking) -> None:
        for path, body in (("promote", {"version": "2"}), ("rollback", None), ("quarantine", {})):
            status, found = await ask("POST", f"/v1/models/sklearn/{path}", "tired", body)
            assert (status, found["error"]) == (403, "step-up")
            assert (await ask("POST", f"/v1/models/sklearn/{path}", "reader", body))[0] == 403

    run(tmp_path, work)


def test_a_version_that_is_not_admitted_is_not_promoted_and_says_why(tmp_path: Path) -> None:
    async def work(ask: Asking) -> None:
        seal_scan(tmp_path / "sklearn-2.joblib", revoke="trained on stolen data")
        status, found = await ask("POST", "/v1/models/sklearn/promote", "admin", {"version": "2"})
        assert status == 409
        assert "trained on stolen data" in found["message"]
        status, found = await ask("GET", "/v1/models/sklearn", "admin")
        assert [each["role"] for each in found["models"]] == ["live", "refused"]

    run(tmp_path, work)


def test_quarantine_and_reload(tmp_path: Path) -> None:
    async def work(ask: Asking) -> None:
        status, found = await ask("POST", "/v1/models/sklearn/quarantine", "admin", {"version": "1"})
        assert [each["role"] for each in found["models"]] == ["quarantined", "canary"]
        status, found = await ask("POST", "/v1/models/reload", "admin")
        assert status == 200
        assert [each["role"] for each in found["models"]] == ["quarantined", "canary", "live"]
        assert (await ask("POST", "/v1/models/reload", "tired"))[0] == 403

    run(tmp_path, work)


def test_comparison_of_nothing_is_empty(tmp_path: Path) -> None:
    async def work(ask: Asking) -> None:
        assert await ask("GET", "/v1/models/sklearn/comparison", "admin") == (200, {"compared": [], "dropped": 0})
        assert (await ask("GET", "/v1/models/nothing/comparison", "admin"))[0] == 404

    run(tmp_path, work)


@pytest.mark.parametrize("body", [{}, {"version": 2}, {"version": "2", "more": 1}, [], "2"])
def test_bodies_that_do_not_fit_are_refused(tmp_path: Path, body: Any) -> None:
    async def work(ask: Asking) -> None:
        status, _ = await ask("POST", "/v1/models/sklearn/promote", "admin", body)
        assert status == 400

    run(tmp_path, work)
