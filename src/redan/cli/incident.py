"""`redan incident`: what is done when something is found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.cli import incident_clients
from redan.cli.identity_desk import configured
from redan.cli.incident_desk import FORMAT, NUMBER, at_bureau, opened, print_incident, print_list
from redan.cli.output import emit
from redan.core.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from redan.cli.incident_desk import Bureau
    from redan.core.config import Config

PATH = click.Path(path_type=Path)
OUTPUT = click.option("-o", "--output", type=PATH, help="Write to a file.")
WAIT = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 600),
    default=3.0,
    show_default=True,
    help="Seconds for a gateway to act.",
)


@click.group("incident")
def command() -> None:
    """Contain what was found, by playbooks; notify; close with a post-mortem; drill.

    Works on the service's database. Steps are ordered there and done by a running gateway within a second.

    \b
    redan incident list
    redan incident show 1
    redan incident run 1 model-theft suspend
    redan incident throttle client:shop --for 2h
    redan incident drill model-theft
    """


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@FORMAT
@at_bureau
def list_(bureau: Bureau, limit: int, form: str) -> int:
    """List incidents, newest first; exit code 1 when one is open."""
    from redan.service.incidents import timeline

    with bureau.database.reading() as connection:
        found = timeline.listed(connection, limit=limit)
    print_list(found, form)
    return int(any(incident.state == "open" for incident in found))


@command.command("show")
@NUMBER
@FORMAT
@at_bureau
def show(bureau: Bureau, number: int, form: str) -> int:
    """Show an incident: numbers, steps, timeline; its chain of digests is verified."""
    incident = bureau.read(number)
    print_incident(incident, form, bureau.leak(incident))
    return 0


@command.command("open")
@click.argument("title")
@click.option("--severity", type=click.Choice(["low", "medium", "high", "critical"]), default="high", show_default=True)
@click.option("--threat", default="by-hand", show_default=True, help="Threat, so that playbooks fit.")
@click.option("--subject", default="service", show_default=True, help="Name of the model.")
@click.option("--client", default="", help="Who, client:NAME.")
@at_bureau
def open_(bureau: Bureau, title: str, severity: str, threat: str, subject: str, client: str) -> int:
    """Open an incident by hand and print its number.

    \b
    redan incident open "a customer reports strange answers" --subject fraud
    """
    from redan.service.incidents import timeline
    from redan.service.incidents.endpoints import by_hand

    finding = by_hand(title, severity=severity, threat=threat, subject=subject, client=client)
    with bureau.changing() as connection:
        taken = timeline.take(connection, finding, who=bureau.who.id)
    sys.stderr.write(f"{taken.what} incident {taken.incident.number}\n")
    sys.stdout.write(f"{taken.incident.number}\n")
    return 0


@command.command("note")
@NUMBER
@click.argument("text")
@at_bureau
def note(bureau: Bureau, number: int, text: str) -> int:
    """Write a line into the timeline."""
    return _add(bureau, number, "note", text)


@command.command("breach")
@NUMBER
@click.argument("text")
@at_bureau
def breach(bureau: Bureau, number: int, text: str) -> int:
    """Say that personal data were breached: the 72 hours of GDPR article 33 begin now."""
    from redan.evidence.store.clear import now_us
    from redan.service.incidents.notification import clock

    now = now_us()
    _add(bureau, number, "breach", text, aware_us=now)
    sys.stderr.write(f"article 33: {clock(bureau.read(number), now)}\n")
    return 0


def _add(bureau: Bureau, number: int, kind: str, text: str, **body: object) -> int:
    from redan.service.incidents import timeline

    with bureau.changing() as connection:
        timeline.add(connection, timeline.read(connection, number), kind, who=bureau.who.id, text=text, body=body)
    return 0


@command.command("run")
@NUMBER
@click.argument("playbook")
@click.argument("step")
@WAIT
@at_bureau
def run(bureau: Bureau, number: int, playbook: str, step: str, wait_s: float) -> int:
    """Order a step of a playbook. Exit code 1: it failed; 3: no gateway has done it yet."""
    return _order(bureau, number, f"{playbook}/{step}", wait_s)


def _order(bureau: Bureau, number: int, name: str, wait_s: float) -> int:
    from redan.service.incidents import acting
    from redan.service.incidents.endpoints import found_step

    playbook, step = found_step(bureau.playbooks, name)
    with bureau.changing() as connection:
        acting.order(connection, number, playbook, step, bureau.who)
    code = bureau.awaited(number, name, wait_s)
    if bureau.read(number).steps[name].status == "waiting":
        sys.stderr.write("another person must approve: redan incident approve, or the console\n")
    return code


@command.command("approve")
@NUMBER
@click.argument("playbook")
@click.argument("step")
@WAIT
@at_bureau
def approve(bureau: Bureau, number: int, playbook: str, step: str, wait_s: float) -> int:
    """Approve a step that waits; whoever ordered it may not be the only one where two are asked."""
    from redan.service.incidents import acting
    from redan.service.incidents.endpoints import found_step

    name = f"{playbook}/{step}"
    book, found = found_step(bureau.playbooks, name)
    with bureau.changing() as connection:
        acting.approve(connection, number, book, found, bureau.who)
    return bureau.awaited(number, name, wait_s)


@command.command("contain")
@NUMBER
@click.option("--note", "text", default="", help="It was contained by other means: say which.")
@WAIT
@at_bureau
def contain(bureau: Bureau, number: int, text: str, wait_s: float) -> int:
    """Order the first containing step, not done yet, of the playbooks that fit."""
    if text:
        return _add(bureau, number, "contained", text)
    incident = bureau.read(number)
    steps = [
        (f"{playbook.name}/{step.name}", step)
        for playbook in bureau.playbooks.values()
        if playbook.fitting(incident)
        for step in playbook.steps
        if step.contains and playbook.targets(incident, step)
    ]
    name = next((n for n, _ in steps if n not in incident.steps or incident.steps[n].status != "done"), None)
    if name is None:
        raise UsageError(
            f"no playbook that fits incident {number} has a containing step left", hint="redan incident playbooks"
        )
    return _order(bureau, number, name, wait_s)


@command.command("release")
@NUMBER
@click.argument("playbook")
@click.argument("step")
@WAIT
@at_bureau
def release(bureau: Bureau, number: int, playbook: str, step: str, wait_s: float) -> int:
    """Undo a step: let clients go, or put a version back into service."""
    from redan.service.incidents import acting
    from redan.service.incidents.endpoints import found_step

    name = f"{playbook}/{step}"
    book, found = found_step(bureau.playbooks, name)
    with bureau.changing() as connection:
        acting.order_undo(connection, number, book, found, bureau.who)
    return bureau.awaited(number, name, wait_s)


@command.command("notify")
@NUMBER
@click.option("--to", type=click.Choice(["authority", "subjects"]), required=True, help="Article 33, or article 34.")
@click.option(
    "--data", type=PATH, help="Manifest of the training data (redan data manifest), for categories and numbers."
)
@OUTPUT
@at_bureau
def notify(bureau: Bureau, number: int, to: str, data: Path | None, output: Path | None) -> int:
    """Draft a notification of a personal data breach; what is not known is marked as unknown.

    \b
    redan incident breach 1 "answers tell who was in the training data"
    redan incident notify 1 --to authority -o notification.md
    """
    from hashlib import sha256

    from redan.evidence.store.clear import now_us
    from redan.service.incidents.notification import concerned, draft

    incident = bureau.read(number)
    text = draft(
        incident,
        to,  # type: ignore[arg-type]  # click has checked that it is one of the two
        bureau.config.settings.incidents,
        leak=bureau.leak(incident),
        data=concerned(data) if data is not None else None,
        now_us=now_us(),
    )
    emit(text.encode(), output)
    return _add(bureau, number, "drafted", f"notification of {to}", sha256=sha256(text.encode()).hexdigest(), to=to)


@command.command("postmortem")
@NUMBER
@OUTPUT
@at_bureau
def postmortem(bureau: Bureau, number: int, output: Path | None) -> int:
    """Write the template of a post-mortem with everything that is known; people fill in the rest."""
    from redan.service.incidents.postmortem import template

    incident = bureau.read(number)
    emit(template(incident, bureau.leak(incident)).encode(), output)
    return 0


@command.command("close")
@NUMBER
@click.option("--postmortem", "file", type=PATH, required=True, help="The post-mortem, filled in.")
@at_bureau
def close(bureau: Bureau, number: int, file: Path) -> int:
    """Close an incident; a post-mortem that is not filled in is refused."""
    from redan.evidence.log.reading import read_bounded
    from redan.service.incidents.endpoints import closed
    from redan.service.incidents.postmortem import LARGEST_CHARS, checked

    text = checked(read_bounded(file, 4 * LARGEST_CHARS).decode(errors="replace"))
    with bureau.changing() as connection:
        incident = closed(connection, number, text, bureau.who.id)
    if incident.aware_us is not None and not any(e.kind == "drafted" for e in incident.entries):
        sys.stderr.write("a breach was told and no notification was drafted: redan incident notify\n")
    return 0


@command.command("drill")
@click.argument("playbook")
@FORMAT
@at_bureau
def drill(bureau: Bureau, playbook: str, form: str) -> int:
    """Run a playbook with a planted finding on a scratch copy; exit code 1 when a step would have failed."""
    from redan.core.codec import encode
    from redan.service.incidents import drill as drilling
    from redan.service.incidents.opening import known_clients

    if playbook not in bureau.playbooks:
        raise UnknownName.among("playbook", playbook, list(bureau.playbooks))
    config = bureau.config
    drilled = drilling.drill(
        config.settings,
        config.root,
        bureau.database,
        bureau.playbooks[playbook],
        known=known_clients(bureau.database),
    )
    drilling.write_down(bureau.database, drilled, bureau.who.id)
    _record_drill(bureau, drilled.id, playbook, passed=drilled.passed)
    if form == "json":
        sys.stdout.write(json.dumps(encode(drilled), indent=1) + "\n")
        return int(not drilled.passed)
    for step in drilled.steps:
        persons = f"{step.persons} person(s)" if step.persons else "by itself" if step.by_itself else "by order"
        sys.stdout.write(f"{step.outcome:<8} {step.name:<12} {step.do:<11} {persons:<12} {step.why}\n")
    first = "nothing by itself" if drilled.contain_ms is None else f"{drilled.contain_ms:.0f} ms"
    sys.stdout.write(f"first containment: {first}; {'passed' if drilled.passed else 'FAILED'}\n")
    return int(not drilled.passed)


def _record_drill(bureau: Bureau, id: str, playbook: str, *, passed: bool) -> None:
    import time

    from redan.service.audit.act import Act
    from redan.service.audit.recorder import record_once

    facts: dict[str, object] = {"drill": id, "playbook": playbook, "passed": passed}
    act = Act(t_us=time.time_ns() // 1000, who=bureau.who.id, act="incidents.act", why="drill", more=facts)
    record_once(bureau.config.settings, bureau.config.root, act)


@command.command("playbooks")
@click.option("--validate", "files", type=PATH, multiple=True, help="Judge this file instead; may be repeated.")
@configured
def playbooks(config: Config, files: tuple[Path, ...]) -> int:
    """List the playbooks in force with their steps, or judge files."""
    from redan.service.incidents.playbook import read

    if files:
        for file in files:
            found = read(file)
            sys.stdout.write(f"{file}: {found.name}, {len(found.steps)} steps, fits\n")
        return 0
    with opened(config) as bureau:
        for name, playbook in bureau.playbooks.items():
            itself = "by itself" if name in config.settings.incidents.automatic else "by hand"
            sys.stdout.write(f"{name:<18} {itself:<10} {playbook.title}\n")
            for step in playbook.steps:
                sys.stdout.write(f"  {step.name:<12} {step.do:<11} {step.mode:<10} {step.persons} person(s)\n")
    return 0


command.add_command(incident_clients.held)
command.add_command(incident_clients.throttle)
command.add_command(incident_clients.let_go)
