"""Incidents over HTTP with the real table of routes, limiter, models and directory: what is contained is contained."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from tests import served as made
from tests.served import settings_for
from tests.unit.service.incidents.conftest import finding
from tests.unit.service.models.conftest import pool_of

from redan.core.errors import UnknownName
from redan.evidence.keys import load_signer
from redan.service.audit.act import Act
from redan.service.audit.recorder import record_once
from redan.service.findings import Findings
from redan.service.gateway.refusal import SUSPENDED
from redan.service.guards.limiter import open_limiter
from redan.service.identity import directory, keys
from redan.service.identity.principal import Principal
from redan.service.incidents import evidence
from redan.service.incidents.desk import Desk
from redan.service.incidents.endpoints import ENDPOINTS
from redan.service.incidents.opening import open_desk, teller
from redan.service.monitoring.notice import Notice
from redan.service.parts import Parts
from redan.service.web.app import web_app

ALL = [(action, "*") for action in ("incidents.read", "incidents.act", "incidents.contain")]


def somebody(name: str, *grants: tuple[str, str], mfa_s: float | None = None, kind: Any = "person") -> Principal:
    return Principal(
        id=f"user:{name}",
        kind=kind,
        roles=frozenset(),
        grants=frozenset(grants),
        credential="k",
        expires_s=time.time() + 600,
        mfa_s=mfa_s,
    )


def people() -> dict[bytes, Principal]:
    """Return who there is, each second factor shown just now."""
    now_s = time.time() + 0.5
    return {
        b"Bearer ann": somebody("ann", *ALL, mfa_s=now_s),
        b"Bearer bob": somebody("bob", *ALL, mfa_s=now_s),
        b"Bearer tired": somebody("tired", *ALL, mfa_s=0.0),
        b"Bearer writer": somebody("writer", *ALL[:2], mfa_s=now_s),
        b"Bearer program": somebody("program", *ALL, mfa_s=now_s, kind="program"),
        b"Bearer nobody": somebody("nobody"),
    }


class House:
    """The routes, the desk behind them, and what came of it."""

    def __init__(self, client: httpx.AsyncClient, parts: Parts, acts: list[Act], notices: list[Notice]) -> None:
        self.client, self.parts, self.acts, self.notices = client, parts, acts, notices
        self.desk: Desk = parts.more["incidents"]

    async def __call__(self, method: str, path: str, who: str = "ann", body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {who}"}
        answer = await self.client.request(method, path, headers=headers, json=body)
        kind = answer.headers["content-type"]
        return answer.status_code, answer.json() if kind.startswith("application/json") else answer.text

    async def step(self, name: str, status: str, number: int = 1) -> dict[str, Any]:
        """Wait until a step has a status."""
        async with asyncio.timeout(20):
            while True:
                steps = (await self("GET", f"/v1/incidents/{number}"))[1].get("steps", {})
                if steps.get(name, {}).get("status") == status:
                    return cast("dict[str, Any]", steps[name])
                await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(folder: Path, *automatic: str) -> AsyncIterator[House]:
    second = made.served(folder, version="2", seed=1, role="standby")
    settings = settings_for(folder, made.served(folder), second)
    object.__setattr__(settings.incidents, "automatic", automatic)
    object.__setattr__(settings.alerts, "syslog", "udp://127.0.0.1:9")
    acts, notices = list[Act](), list[Notice]()
    nothing = SimpleNamespace(refused=lambda *_: None, denied=lambda *_: None, commit=acts.extend, healthy=lambda: True)
    authority = SimpleNamespace(authenticate=people().get)
    async with pool_of(settings, folder, record=acts.append) as pool:
        database = pool._standing._database
        limiter = open_limiter(settings.serve.guards, redis_url="", replica="r1", database=database)
        await limiter.start()
        parts = Parts(
            settings=settings,
            root=folder,
            replica="r1",
            database=database,
            findings=Findings(),
            authority=cast("Any", authority),
            limiter=limiter,
            auditor=cast("Any", nothing),
            models=pool,
            recorder=cast("Any", nothing),
            watching=cast("Any", nothing),
            more={},
        )
        desk = open_desk(parts, tell=teller(notices.append, "r1"))
        await desk.start()
        transport = httpx.ASGITransport(app=web_app(parts, ENDPOINTS))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield House(client, parts, acts, notices)
        await desk.stop()
        await limiter.stop()


def run(folder: Path, work: Callable[[House], Any], *automatic: str) -> None:
    async def main() -> None:
        async with opened(folder, *automatic) as house:
            await work(house)

    asyncio.run(main())


def test_a_finding_slows_its_client_down_at_the_real_limiter_and_a_person_suspends_it(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        house.parts.findings.publish(finding(subject="sklearn"))
        await house.step("model-theft/slow", "done")
        await house.step("model-theft/tell", "done")
        rate, until_s = house.parts.limiter.throttled()["client:eve"]
        assert rate == 0.01
        assert until_s > time.time() + 3600
        assert house.notices[0].title.startswith("Incident 1: ")
        status, _ = await house("POST", "/v1/incidents/1/contain", "ann", {"step": "model-theft/suspend"})
        assert status == 200
        await house.step("model-theft/suspend", "done")
        assert house.parts.limiter.take("client:eve", 1) == SUSPENDED
        assert house.parts.limiter.take("client:honest", 1) is None
        for name in ("suspend", "slow"):
            status, _ = await house("POST", "/v1/incidents/1/release", "ann", {"step": f"model-theft/{name}"})
            assert status == 200
            await house.step(f"model-theft/{name}", "undone")
        assert house.parts.limiter.take("client:eve", 1) is None
        assert any(act.model == "incident/1" and act.why == "step-done" for act in house.acts)

    run(tmp_path, work, "model-theft")


def test_the_bundle_of_evidence_holds_the_statements_of_what_was_served(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        record_once(house.parts.settings, tmp_path, Act(t_us=1, who="client:eve", act="predict", rows=1))
        house.parts.findings.publish(finding(subject="sklearn"))
        await house.step("model-theft/evidence", "done")
        manifest = next((tmp_path / house.parts.settings.serve.folder / "incidents/1").glob("*.manifest.json"))
        verifier = load_signer(tmp_path / house.parts.settings.audit.key).verifier
        document = evidence.verify(manifest, [verifier])
        names = {row["name"] for row in document["files"]}
        label = house.parts.models.all()[0][0].label
        assert any(name.startswith(f"{label}/") for name in names)
        models = next(row for row in document["files"] if row["name"] == "models.json")
        blob = manifest.parent / "blobs" / models["sha256"][:2] / models["sha256"][2:]
        assert json.loads(blob.read_text())[0]["decision"]["verdict"] == "admitted"

    run(tmp_path, work, "model-theft")


def test_a_model_goes_back_and_comes_again(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        name = house.parts.settings.serve.models[0].name
        await house("POST", "/v1/incidents", "ann", {"title": "odd", "threat": "poisoning", "subject": name})

        def live() -> str:
            served = house.parts.models.choose(name, "", "client:a")
            return served.label if served is not None else ""

        assert live() == f"{name}@1"
        await house.parts.models.promote(name, "2")
        status, _ = await house("POST", "/v1/incidents/1/contain", "bob", {"step": "poisoned-model/go-back"})
        assert status == 200
        await house.step("poisoned-model/go-back", "done")
        assert live() == f"{name}@1"
        await house("POST", "/v1/incidents/1/contain", "bob", {"step": "poisoned-model/quarantine"})
        await house.step("poisoned-model/quarantine", "done")
        assert live() == ""
        await house("POST", "/v1/incidents/1/release", "bob", {"step": "poisoned-model/quarantine"})
        await house.step("poisoned-model/quarantine", "undone")
        assert live() == f"{name}@1"

    run(tmp_path, work)


def test_keys_of_a_client_are_revoked_when_two_persons_agree(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        database = house.parts.database
        with database.writing() as connection:
            directory.add(connection, "client:eve", by="user:ann")
            keys.make(connection, "client:eve", by="user:ann")
        house.parts.findings.publish(finding(subject="sklearn"))
        await house.step("model-theft/slow", "done")
        body = {"step": "model-theft/revoke"}
        assert (await house("POST", "/v1/incidents/1/contain", "ann", body))[0] == 200
        status, said = await house("POST", "/v1/incidents/1/approve", "ann", body)
        assert (status, "another person" in said["message"]) == (409, True)
        assert (await house("POST", "/v1/incidents/1/approve", "bob", body))[0] == 200
        await house.step("model-theft/revoke", "done")
        with database.reading() as connection:
            (key,) = keys.listed(connection, "client:eve")
        assert key.revoked_us is not None

    run(tmp_path, work, "model-theft")


def test_who_may_not_is_refused_and_nothing_is_done(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        house.parts.findings.publish(finding(subject="sklearn"))
        async with asyncio.timeout(20):
            while not (await house("GET", "/v1/incidents"))[1]["incidents"]:
                await asyncio.sleep(0.01)
        suspend = {"step": "model-theft/suspend"}
        for who, expected in (("nobody", 403), ("writer", 403), ("tired", 403), ("program", 409), ("stranger", 401)):
            if who != "stranger":
                assert (await house("POST", "/v1/incidents/1/contain", who, suspend))[0] == expected, who
        assert (await house("GET", "/v1/incidents", "nobody"))[0] == 403
        # a harmless route is no way around
        assert (await house("POST", "/v1/incidents/1/steps", "writer", suspend))[0] == 409
        assert (await house("POST", "/v1/incidents/1/steps", "writer", {"step": "model-theft/tell"}))[0] == 200
        assert (await house("POST", "/v1/incidents/1/notes", "writer", {"text": "x", "odd": 1}))[0] == 400
        for number in ("0", "-1", "x", "9" * 40, "%00"):
            assert (await house("GET", f"/v1/incidents/{number}"))[0] == 404, number
        assert house.parts.limiter.throttled() == {}

    run(tmp_path, work)


def test_a_breach_is_drafted_and_an_incident_closed_over_http(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await house("POST", "/v1/incidents", "writer", {"title": "rows leaked", "severity": "critical"})
        one = "/v1/incidents/1"
        assert (await house("GET", f"{one}/notification"))[0] == 409
        assert (await house("POST", f"{one}/breach", "writer", {"text": "yes"}))[0] == 200
        status, page = await house("GET", f"{one}/notification?to=subjects")
        assert (status, "article 34" in page) == (200, True)
        assert "h left" in (await house("GET", one))[1]["article_33"]
        _, template = await house("GET", f"{one}/postmortem")
        assert (await house("POST", f"{one}/close", "writer", {"postmortem": template}))[0] == 409
        filled = re.sub("TO FILL.*", "Known.", template)
        status, found = await house("POST", f"{one}/close", "writer", {"postmortem": filled})
        assert (status, found["state"]) == (200, "closed")
        names = [book["name"] for book in (await house("GET", "/v1/playbooks"))[1]["playbooks"]]
        assert "data-breach" in names

    run(tmp_path, work)


def test_a_finding_about_a_model_that_nobody_serves_fails_with_the_nearest_name(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        hands = house.desk.hands
        with pytest.raises(UnknownName):
            await hands.rollback("nonsense")

    run(tmp_path, work)
