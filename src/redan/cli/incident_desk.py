"""What the verbs of `redan incident` share: the database, who acts, the record of it, and how incidents are shown."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.cli.columns import print_columns
from redan.cli.identity_desk import configured, shown
from redan.core.errors import RedanError
from redan.reports.visible import visible

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.core.config import Config
    from redan.evidence.store.database import Database
    from redan.service.incidents.acting import Person
    from redan.service.incidents.history import Leak
    from redan.service.incidents.incident import Incident
    from redan.service.incidents.playbook import Playbook

Function = TypeVar("Function", bound=Callable[..., Any])
FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
NUMBER = click.argument("number", type=click.IntRange(1, 2**53))
_OVER = frozenset({"done", "failed", "observing", "undone", "waiting"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bureau:
    """Where somebody with the service's files and database handles incidents.

    Attributes:
        config: the settings in force.
        database: the service's.
        playbooks: by name.
        who: who acts: the account of this machine, which may do everything that the files allow.
    """

    config: Config
    database: Database
    playbooks: dict[str, Playbook]
    who: Person

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction that other replicas wait for, recorded in the audit log afterwards."""
        from redan.service.incidents import timeline

        with self.database.writing() as connection:
            timeline.lock(connection)
            yield connection
        self.record()

    def record(self) -> None:
        """Bring what the audit log lacks into it; what cannot be recorded now waits for the gateway and is told."""
        from redan.service.audit.places import replica_name
        from redan.service.audit.recorder import record_once
        from redan.service.incidents import timeline

        settings = self.config.settings
        with self.database.reading() as connection:
            waiting = timeline.unaudited(connection, replica_name(settings))
        try:
            for key, act in waiting:
                record_once(settings, self.config.root, act)
                with self.database.writing() as connection:
                    timeline.audited(connection, [key])
        except RedanError as err:
            sys.stderr.write(f"not in the audit log yet: {err.message}\n")

    def read(self, number: int) -> Incident:
        """Return an incident.

        Raises:
            UnknownName: there is none of that number.
        """
        from redan.service.incidents import timeline

        with self.database.reading() as connection:
            return timeline.read(connection, number)

    def leak(self, incident: Incident) -> Leak | None:
        """Return what its clients were told, or None (and say why) where no log can be read."""
        from redan.evidence.store.clear import now_us
        from redan.service.incidents.history import History

        try:
            return History(self.config.settings, self.config.root).leak(incident, now_us())
        except RedanError as err:
            sys.stderr.write(f"the audit logs cannot be read: {err.message}\n")
            return None

    def awaited(self, number: int, name: str, wait_s: float) -> int:
        """Wait until a gateway did what was ordered; say what came of it and return the exit code."""
        end_s = time.monotonic() + wait_s
        while True:
            incident = self.read(number)
            step = incident.steps[name]
            if step.status in _OVER or time.monotonic() >= end_s:
                break
            time.sleep(0.05)
        last = next(e for e in reversed(incident.entries) if e.kind == "step" and e.body["step"] == name)
        sys.stdout.write(visible(last.text) + "\n")
        if step.status not in _OVER:
            sys.stderr.write("ordered; a running gateway does it within a second, or when it starts\n")
            return 3
        return int(step.status == "failed")


def at_bureau(function: Function) -> Function:
    """Add ``--config``, and give the bureau instead of it."""

    def wrapped(*, config: Config, **rest: Any) -> int:
        with opened(config) as bureau:
            code: int = function(bureau=bureau, **rest)
        return code

    made: Callable[..., int] = update_wrapper(wrapped, function)
    return configured(made)  # type: ignore[return-value]  # click calls it by its flags


@contextmanager
def opened(config: Config) -> Iterator[Bureau]:
    """Open the service's database, which is made where there is none.

    Raises:
        ConfigError: a playbook is wrong.
    """
    from redan.service.database import open_database
    from redan.service.incidents.acting import Person
    from redan.service.incidents.playbook import opened as playbooks_of

    playbooks = playbooks_of(config.settings, config.root)
    database = open_database(config.settings.serve.database, root=config.root)
    try:
        who = Person(id=f"local:{getpass.getuser()}", may_contain=True)
        yield Bureau(config=config, database=database, playbooks=playbooks, who=who)
    finally:
        database.close()


def print_list(incidents: list[Incident], form: str) -> None:
    """Print incidents, newest first."""
    from redan.evidence.store.clear import now_us
    from redan.service.incidents.endpoints import summary
    from redan.service.incidents.notification import clock

    now = now_us()
    if form == "json":
        sys.stdout.write(json.dumps([summary(i, now) for i in incidents], indent=1) + "\n")
        return
    rows = [
        (str(i.number), i.state, i.severity.word, shown(i.opened_us) or "", i.title, clock(i, now)) for i in incidents
    ]
    if not rows:
        sys.stderr.write("there are no incidents\n")
        return
    for number, state, severity, opened_at, title, due in rows:
        sys.stdout.write(f"{number:>5}  {state:<9}  {severity:<8}  {opened_at}  {visible(title)}\n")
        if due:
            sys.stdout.write(f"{'':>7}article 33: {due}\n")


def print_incident(incident: Incident, form: str, leak: Leak | None) -> None:
    """Print an incident with its steps, numbers and timeline."""
    from redan.evidence.store.clear import now_us
    from redan.service.incidents.endpoints import full
    from redan.service.incidents.notification import clock
    from redan.service.incidents.postmortem import metrics

    if form == "json":
        sys.stdout.write(json.dumps(full(incident, now_us()), indent=1) + "\n")
        return

    def out(text: str) -> None:
        sys.stdout.write(visible(text) + "\n")

    out(f"incident {incident.number}: {incident.title}")
    out(f"{incident.state}, {incident.severity.word}, {incident.rule}, {incident.subject}")
    if incident.clients:
        out(f"clients: {', '.join(incident.clients[:20])}")
    if due := clock(incident, now_us()):
        out(f"article 33: {due}")
    for line in metrics(incident, leak):
        out(f"{line}")
    if incident.steps:
        out("")
        rows = [
            {"step": name, "does": s.do, "status": s.status, "by": s.by, "approved": ", ".join(s.approved)}
            for name, s in incident.steps.items()
        ]
        print_columns(rows, "table", nothing="")
    out("")
    for entry in incident.entries:
        out(f"{shown(entry.t_us)}  {entry.who}  {entry.kind}: {entry.text}  [{entry.sha256[:12]}]")
