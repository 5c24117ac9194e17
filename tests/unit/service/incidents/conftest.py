"""Incidents to test with: real databases, findings as monitors make them, and hands that act in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.core.settings_service import Incidents
from redan.evidence.store.database import Database
from redan.service.audit.act import Act
from redan.service.database import open_database
from redan.service.incidents.desk import Desk
from redan.service.incidents.incident import Incident
from redan.service.incidents.playbook import Playbook, built_in


def finding(
    client: str = "client:eve",
    *,
    rule: str = "RDN-THE-201",
    threat: str = "theft",
    subject: str = "credit",
    severity: Severity = Severity.HIGH,
    title: str = "a client's queries look like a theft",
) -> Finding:
    """A finding as the monitors make them."""
    return Finding(
        rule=rule,
        threat=threat,
        subject=subject,
        title=title,
        severity=severity,
        quantities=(Quantity(name="far_rate", value=0.9, unit="fraction", n=200, low=0.85, high=0.94),),
        locations=(Location(uri="client", address=client),) if client else (),
    )


class Memory:
    """Hands over a limiter and models in memory; a drill's and a gateway's stand for the same."""

    def __init__(self) -> None:
        self.rates: dict[str, float] = {}
        self.live: dict[str, list[str]] = {"credit": ["credit@2", "credit@1"]}
        self.out: set[str] = set()
        self.revoked: list[str] = []
        self.told: list[str] = []
        self.n_clients = 1000
        self.n_calls = 0
        self.hang = False

    async def throttle(self, client: str, *, rate_per_s: float | None, until_s: float) -> None:
        self.n_calls += 1
        if self.hang:
            await asyncio.Event().wait()
        if rate_per_s is None:
            self.rates.pop(client, None)
        else:
            self.rates[client] = rate_per_s

    async def quarantine(self, model: str) -> str:
        self.out.add(model)
        return self.live[model][0]

    async def served(self) -> list[str]:
        return sorted(self.live)

    async def rollback(self, model: str) -> tuple[str, str]:
        if len(self.live[model]) < 2:
            raise UsageError(f"{model} has no version to go back to")
        before = self.live[model].pop(0)
        return before, self.live[model][0]

    async def restore(self, label: str) -> None:
        name = label.partition("@")[0]
        self.out.discard(name)
        if self.live[name][0] != label:
            self.live[name].insert(0, label)

    async def revoke(self, who: str) -> int:
        self.revoked.append(who)
        return 2

    async def tell(self, incident: Incident, text: str) -> str:
        self.told.append(text)
        return "memory"

    async def clients(self) -> int:
        return self.n_clients


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return str(request.param)


@pytest.fixture
def new_service(new_url: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Database]]:
    """Open a service's database, a fresh one of a kind or another connection to one."""
    made: list[Database] = []

    def make(kind: str = "sqlite", url: str = "") -> Database:
        made.append(open_database(url or new_url(kind), root=tmp_path))
        return made[-1]

    yield make
    for database in made:
        database.close()


class Bench:
    """A desk over a database with hands in memory, the audit log as a list, and bundles that are only counted."""

    def __init__(self, database: Database, settings: Incidents, playbooks: Mapping[str, Playbook], name: str) -> None:
        self.hands, self.acts, self.bundles = Memory(), list[Act](), list[int]()
        self.database = database
        self.desk = Desk(
            settings,
            database,
            dict(playbooks),
            self.hands,
            collect=self.collect,
            commit=self.commit,
            replica=name,
        )

    def collect(self, incident: Incident) -> dict[str, Any]:
        self.bundles.append(incident.number)
        return {"said": "gathered"}

    def commit(self, acts: Any) -> None:
        self.acts.extend(acts)

    async def until(self, holds: Callable[[], bool], *, within_s: float = 20.0) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(within_s):
            while not await asyncio.to_thread(holds):
                await asyncio.sleep(0.01)


@pytest.fixture
def bench(new_service: Callable[..., Database]) -> Callable[..., Bench]:
    """Make a desk."""

    def make(
        *automatic: str,
        database: Database | None = None,
        playbooks: Mapping[str, Playbook] | None = None,
        kind: str = "sqlite",
        name: str = "one",
        **settings: Any,
    ) -> Bench:
        made = Incidents(automatic=automatic, **settings)
        own = playbooks if playbooks is not None else {p.name: p for p in built_in()}
        return Bench(database or new_service(kind), made, own, name)

    return make
