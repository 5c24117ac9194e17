"""Drills: a playbook run with a planted finding over a scratch copy of the service's state, by the engine itself.

Nothing outside the scratch folder is touched. A step fails in the drill where it would fail in earnest: no version to
go back to, no channel for alerts, no key for evidence.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from redan.core.errors import UnknownName, UsageError
from redan.core.finding import Finding, Location, Severity
from redan.core.record import dataclass as record
from redan.evidence.store.clear import now_us
from redan.service.audit import places
from redan.service.database import open_database
from redan.service.incidents import acting, tables, timeline
from redan.service.incidents.acting import Person
from redan.service.incidents.desk import Desk
from redan.service.incidents.doing import CONTAIN_WITHIN_S, REST_STEP_S
from redan.service.incidents.incident import ITSELF
from redan.service.incidents.playbook import Playbook, Step

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.evidence.store.database import Database
    from redan.service.incidents.incident import Incident

CLIENT = "client:drill"
PERSONS = (Person(id="user:drill-one", may_contain=True), Person(id="user:drill-two", may_contain=True))
_LONGEST_S = 300.0


@record(frozen=True, slots=True, kw_only=True)
class StepDrilled:
    """What became of one step.

    Attributes:
        name: of the step.
        do: what it does.
        outcome: done, failed, or not run (a person closes; nobody waits for hours in a drill).
        why: why it failed or was not run, or what it came to.
        persons: how many persons must agree in earnest.
        by_itself: whether it runs without a word in earnest.
    """

    name: str
    do: str
    outcome: str
    why: str
    persons: int
    by_itself: bool


@record(frozen=True, slots=True, kw_only=True)
class Drilled:
    """A drill's report.

    Attributes:
        id: of the drill.
        playbook: its name.
        t_us: when, microseconds since 1970, UTC.
        contain_ms: from the finding to the first containment, by a steady clock; None: nothing contained by itself.
        contained: whether the incident came to be contained at all, with persons at hand.
        steps: in order.
        passed: every step that was run was done, in time.
    """

    id: str
    playbook: str
    t_us: int
    contain_ms: float | None
    contained: bool
    steps: tuple[StepDrilled, ...]
    passed: bool


@dataclass(slots=True, kw_only=True)
class DrillHands:
    """Hands that act on a copy in memory and refuse what would be refused in earnest."""

    settings: Settings
    known: int
    rates: dict[str, float] = field(default_factory=dict)
    live: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the versions from the configuration: live first, then what stands by."""
        for role in ("live", "standby", "canary", "shadow"):
            for model in self.settings.serve.models:
                if model.role == role:
                    self.live.setdefault(model.name, []).append(f"{model.name}@{model.version}")

    async def throttle(self, client: str, *, rate_per_s: float | None, until_s: float) -> None:
        """Note the rate."""
        self.rates[client] = rate_per_s or 0.0

    async def quarantine(self, model: str) -> str:
        """Take a model out."""
        return self._versions(model)[0]

    async def served(self) -> list[str]:
        """Return the models of the configuration."""
        return list(self.live)

    async def rollback(self, model: str) -> tuple[str, str]:
        """Go back where a version stands by."""
        versions = self._versions(model)
        waiting = [
            f"{m.name}@{m.version}" for m in self.settings.serve.models if m.name == model and m.role == "standby"
        ]
        if not waiting:
            raise UsageError(
                f"{model} has no standby version to go back to", hint='[[serve.models]] role = "standby" keeps one'
            )
        return versions[0], waiting[0]

    async def restore(self, label: str) -> None:
        """Nothing to do on a copy."""

    async def revoke(self, who: str) -> int:
        """Revoke in memory."""
        return 1

    async def tell(self, incident: Incident, text: str) -> str:
        """Refuse where there is nowhere to send alerts."""
        alerts = self.settings.alerts
        where = [name for name in ("webhook", "email", "syslog") if getattr(alerts, name)]
        if not where:
            raise UsageError("there is nowhere to send alerts", hint="[alerts] webhook, email or syslog")
        return f"nobody: a drill; in earnest {', '.join(where)}"

    async def clients(self) -> int:
        """Return how many clients the service knows."""
        return self.known

    def _versions(self, model: str) -> list[str]:
        if model not in self.live:
            raise UnknownName.among("served model", model, list(self.live))
        return self.live[model]


def drill(settings: Settings, root: Path, database: Database | None, playbook: Playbook, *, known: int) -> Drilled:
    """Run a playbook on a scratch copy; blocks, at most some minutes.

    Args:
        settings: of the gateway.
        root: folder that its paths start from.
        database: of the service, only read; None where there is none yet.
        playbook: which.
        known: clients that the service knows.

    Raises:
        UsageError: it did not end in time.
    """
    with tempfile.TemporaryDirectory(prefix="redan-drill-") as name:
        scratch = open_database("drill.db", root=Path(name))
        try:
            if database is not None:
                _copied(database, scratch)
            return asyncio.run(_run(settings, root, scratch, playbook, known))
        finally:
            scratch.close()


def _copied(database: Database, scratch: Database) -> None:
    """Copy who is held back now, so that the bound on automatic containment counts as it would in earnest."""
    with database.reading() as connection:
        wanted = {row.incident for row in connection.execute(select(tables.holds.c.incident))}
        rows = {
            tables.incidents: connection.execute(select(tables.incidents).where(tables.incidents.c.number.in_(wanted))),
            tables.holds: connection.execute(select(tables.holds)),
        }
        copied = {table: [dict(row._mapping) for row in found] for table, found in rows.items()}
    with scratch.writing() as connection:
        for table, found in copied.items():
            if found:
                connection.execute(insert(table), found)


def _planted(settings: Settings, playbook: Playbook) -> Finding:
    models = settings.serve.models
    return Finding(
        rule=next(iter(playbook.when.rules), "RDN-DRILL"),
        threat=next(iter(playbook.when.threats), ""),
        subject=models[0].name if models else "model",
        title="a drill: nothing was found",
        severity=max(playbook.when.severity, settings.incidents.level, Severity.HIGH),
        locations=(Location(uri="client", address=CLIENT),),
    )


async def _run(settings: Settings, root: Path, scratch: Database, playbook: Playbook, known: int) -> Drilled:
    from dataclasses import replace

    hands = DrillHands(settings=settings, known=known)
    chosen = replace(settings.incidents, automatic=(playbook.name,))
    desk = Desk(
        chosen,
        scratch,
        {playbook.name: playbook},
        hands,
        collect=_collecting(settings, root),
        commit=None,
        replica="drill",
    )
    started_us = now_us()
    await desk.start()
    try:
        async with asyncio.timeout(_LONGEST_S):
            desk.notice(_planted(settings, playbook))
            number = await _number(scratch)
            by_itself = {s.name for s in playbook.steps if s.mode == "automatic"}
            await _settled(desk, number, playbook, by_itself)
            # from here on with persons, as if they stood ready
            for step in playbook.steps:
                await asyncio.to_thread(_ordered, scratch, number, playbook, step)
            desk.hurry()
            await _settled(desk, number, playbook, {s.name for s in playbook.steps if s.do not in ("close", "observe")})
    except TimeoutError:
        raise UsageError(f"the drill did not end within {_LONGEST_S:g} s") from None
    finally:
        await desk.stop()
    with scratch.reading() as connection:
        incident = timeline.read(connection, number)
    return _report(playbook, incident, started_us)


def _collecting(settings: Settings, root: Path) -> Any:
    def collect(incident: Incident) -> Mapping[str, Any]:
        if not (root / settings.audit.key).is_file():
            raise UsageError("there is no key to sign evidence with", hint="[audit] key; the gateway makes it at first")
        n_logs = len(places.log_folders(settings, root))
        return {"said": f"{n_logs} audit log(s) would be read"}

    return collect


async def _number(scratch: Database) -> int:
    def find() -> int | None:
        with scratch.reading() as connection:
            return connection.execute(select(tables.entries.c.incident).limit(1)).scalar()

    while (number := await asyncio.to_thread(find)) is None:
        await asyncio.sleep(0.005)
    return number


async def _settled(desk: Desk, number: int, playbook: Playbook, names: set[str]) -> None:
    """Wait until nothing is under way any more at steps of these names."""

    def states() -> list[str]:
        with desk.database.reading() as connection:
            steps = timeline.read(connection, number).steps
        return [steps[f"{playbook.name}/{n}"].status for n in names if f"{playbook.name}/{n}" in steps]

    while any(state in ("ordered", "started") for state in await asyncio.to_thread(states)):
        await asyncio.sleep(0.005)


def _ordered(scratch: Database, number: int, playbook: Playbook, step: Step) -> None:
    if step.do in ("close", "observe"):
        return
    with scratch.writing() as connection:
        before = timeline.read(connection, number).steps.get(f"{playbook.name}/{step.name}")
        if before is not None and before.status == "failed":
            return
        status = acting.order(connection, number, playbook, step, PERSONS[0])[1]
        if status == "waiting":
            acting.approve(connection, number, playbook, step, PERSONS[1])


def _report(playbook: Playbook, incident: Incident, started_us: int) -> Drilled:
    steps = tuple(_judged(playbook, step, incident) for step in playbook.steps)
    first = next(
        (
            e.body["contain_ms"]
            for e in incident.entries
            if e.kind == "step" and "contain_ms" in e.body and incident.steps[e.body["step"]].by == ITSELF
        ),
        None,
    )
    in_time = first is None or first <= CONTAIN_WITHIN_S * 1000
    return Drilled(
        id=token_hex(8),
        playbook=playbook.name,
        t_us=started_us,
        contain_ms=first,
        contained=incident.contained_us is not None,
        steps=steps,
        passed=in_time and all(step.outcome != "failed" for step in steps),
    )


def _judged(playbook: Playbook, step: Step, incident: Incident) -> StepDrilled:
    state = incident.steps.get(f"{playbook.name}/{step.name}")
    outcome, why = "not run", "a person closes, with a post-mortem" if step.do == "close" else f"waits {step.lasting}"
    if state is not None:
        entry = next(e for e in reversed(incident.entries) if e.kind == "step" and e.body is state.result)
        outcome = "done" if state.status == "done" else "failed"
        why = " – ".join(filter(None, (entry.text.partition(": ")[2], str(state.result.get("hint", "")))))
    return StepDrilled(
        name=step.name,
        do=step.do,
        outcome=outcome,
        why=why,
        persons=step.persons,
        by_itself=step.mode == "automatic" and not step.persons,
    )


def write_down(database: Database, drilled: Drilled, who: str) -> None:
    """Keep a drill's report in the service's database."""
    import json

    from redan.core.codec import encode

    row = {"id": drilled.id, "t_us": drilled.t_us, "who": who, "playbook": drilled.playbook}
    with database.writing() as connection:
        connection.execute(insert(tables.drills).values(**row, report=json.dumps(encode(drilled))))


assert REST_STEP_S < _LONGEST_S
