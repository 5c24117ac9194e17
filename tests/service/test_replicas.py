"""Two assembled gateways over one PostgreSQL and one Redis: what one decides, the other does within the stated time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from tests.served import rows, served, settings_for

from redan.core.config import Config
from redan.core.finding import Finding
from redan.core.settings import Settings
from redan.core.settings_service import Audit, Guards, Identity
from redan.evidence.store.database import Database
from redan.service.assembly import Service, assemble
from redan.service.database import open_database
from redan.service.identity import directory, keys
from redan.service.identity.roles import roles_of
from redan.service.incidents import timeline
from redan.service.incidents.desk import PULSE_S
from redan.service.incidents.incident import Incident

NAME = "fraud"
SLACK_S = 2.0
"""This machine may be busy with other things."""
RATE_PER_S, BURST = 10, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both gateways, and what another process has open."""

    one: Service
    other: Service
    at: tuple[httpx.AsyncClient, httpx.AsyncClient]
    database: Database
    settings: Settings

    def key(self, name: str) -> tuple[str, str]:
        """Make a client who may ask; return its key's identifier and text."""
        with self.database.writing() as connection:
            directory.add(connection, name, by="test")
            directory.grant(connection, roles_of(Identity()), name, "client", NAME, by="test")
            key, text = keys.make(connection, name, by="test")
        return key.id, text

    async def ask(self, at: int, text: str) -> httpx.Response:
        """Ask one of them."""
        body = {"x": rows()[0][:1].tolist()}
        return await self.at[at].post(
            f"/v1/models/{NAME}/predict", json=body, headers={"Authorization": f"Bearer {text}"}
        )

    def incidents(self) -> list[Incident]:
        """Return those that are in the database."""
        with self.database.reading() as connection:
            return timeline.listed(connection)

    async def until(self, at: int, text: str, true: Callable[[httpx.Response], bool], within_s: float) -> float:
        """Ask until an answer is as it should be; return the seconds that it took."""
        began_s = time.monotonic()
        while not true(await self.ask(at, text)):
            took_s = time.monotonic() - began_s
            assert took_s < within_s + SLACK_S
            await asyncio.sleep(0.05)
        return time.monotonic() - began_s


def live(folder: Path, url: str, redis: str, work: Callable[[Pair], Awaitable[None]], guards: Guards) -> None:
    """Run both gateways and do something with them."""

    async def main() -> None:
        models = [served(folder, name=NAME), served(folder, name=NAME, version="2", seed=1, role="standby")]
        made = settings_for(
            folder, *models, serve={"database": url, "redis": redis, "guards": guards}, audit=Audit(key="audit.key")
        )
        async with AsyncExitStack() as stack:
            services = []
            for name in ("one", "other"):
                settings = replace(made, serve=replace(made.serve, name=name))
                config = Config(settings=settings, origins={}, root=folder, file=None)
                services.append(await stack.enter_async_context(assemble(config)))
            transports = [httpx.ASGITransport(app=each.plane) for each in services]
            first, second = [
                await stack.enter_async_context(httpx.AsyncClient(transport=each, base_url="http://gateway"))
                for each in transports
            ]
            database = open_database(url, root=folder)
            stack.callback(database.close)
            one, other = services
            await work(Pair(one=one, other=other, at=(first, second), database=database, settings=made))

    asyncio.run(main())


def test_what_one_replica_decides_the_other_does_within_a_second_or_so(
    new_url: Callable[[str], str], redis_url: str, tmp_path: Path
) -> None:
    async def work(pair: Pair) -> None:
        _, text = pair.key("client:shop")
        revoked, second = pair.key("client:left")
        assert [(await pair.ask(at, each)).status_code for at in (0, 1) for each in (text, second)] == [200] * 4
        with pair.database.writing() as connection:
            keys.revoke(connection, revoked)
        for at in (0, 1):
            await pair.until(at, second, lambda answer: answer.status_code == 401, 1.0)
        await pair.one.parts.models.promote(NAME, "2")
        await pair.until(1, text, lambda answer: answer.json()["model"] == f"{NAME}@2", 1.0)
        await pair.one.parts.models.rollback(NAME)
        await pair.until(1, text, lambda answer: answer.json()["model"] == f"{NAME}@1", 1.0)
        await pair.one.parts.limiter.throttle("client:shop", rate_per_s=0.0, until_s=time.time() + 600)
        assert (await pair.ask(0, text)).json()["error"] == "suspended"
        await pair.until(1, text, lambda answer: answer.status_code == 403, 1.0)
        await pair.other.parts.limiter.throttle("client:shop", rate_per_s=None, until_s=0.0)
        await pair.until(0, text, lambda answer: answer.status_code == 200, 1.0)
        await pair.one.parts.models.quarantine(NAME)
        assert (await pair.ask(0, text)).json()["error"] == "quarantine"
        await pair.until(1, text, lambda answer: answer.status_code == 503, 1.0)
        assert int((await pair.ask(1, text)).headers["retry-after"]) > 0

    live(tmp_path, new_url("postgresql"), redis_url, work, Guards())


def test_one_client_has_one_rate_at_both_replicas(
    new_url: Callable[[str], str], redis_url: str, tmp_path: Path
) -> None:
    async def work(pair: Pair) -> None:
        _, text = pair.key("client:fast")
        # each tick tells both replicas that they are two
        await pair.until(0, text, lambda answer: answer.status_code == 200, 1.0)
        await asyncio.sleep(1.5)
        began_s, allowed = time.monotonic(), 0
        while time.monotonic() - began_s < 2:
            for at in (0, 1):
                allowed += (await pair.ask(at, text)).status_code == 200
        spent_s = time.monotonic() - began_s
        assert allowed <= RATE_PER_S * spent_s + (2 - 1 / 2) * BURST + 1
        assert allowed >= RATE_PER_S

    live(tmp_path, new_url("postgresql"), redis_url, work, Guards(rate_per_s=RATE_PER_S, burst=BURST))


def test_one_attack_that_both_replicas_see_is_one_incident(
    new_url: Callable[[str], str], redis_url: str, tmp_path: Path
) -> None:
    async def work(pair: Pair) -> None:
        _, text = pair.key("client:shop")
        told: list[list[Finding]] = [[], []]
        pair.one.parts.findings.listen(told[0].append)
        pair.other.parts.findings.listen(told[1].append)
        assert (await pair.ask(0, text)).status_code == 200
        for i in range(120):
            answer = await pair.ask(i % 2, f"redan_{i:012d}_{'A' * 43}")
            assert answer.status_code == 401
        async with asyncio.timeout(20):
            while not all(told) or not await asyncio.to_thread(pair.incidents):
                await asyncio.sleep(0.1)
        # a pulse later nothing else was opened
        await asyncio.sleep(2 * PULSE_S)
        found = await asyncio.to_thread(pair.incidents)
        assert [(each.rule, each.subject) for each in found] == [("RDN-OPE-204", "service")]
        assert (await pair.ask(0, text)).status_code == 200

    live(tmp_path, new_url("postgresql"), redis_url, work, Guards())
