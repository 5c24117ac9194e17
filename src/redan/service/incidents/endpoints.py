"""Routes of incidents; what contains needs ``incidents.contain`` and a fresh second factor (the web app sees to it)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.responses import Response

from redan.core.errors import UnknownName, UsageError
from redan.core.finding import Finding, Location, Severity
from redan.core.settings import age_s
from redan.evidence.store.clear import now_us
from redan.service.incidents import acting, postmortem, timeline
from redan.service.incidents.acting import Person
from redan.service.incidents.history import History
from redan.service.incidents.notification import clock, draft
from redan.service.web.answers import json, read, write
from redan.service.web.endpoint import Asked, Endpoint

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.service.incidents.desk import Desk
    from redan.service.incidents.incident import Incident
    from redan.service.incidents.playbook import Playbook, Step

BY_HAND = "by-hand"
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=130)]


class Opening(msgspec.Struct, forbid_unknown_fields=True):
    """An incident that a person opens."""

    title: Line
    severity: str = "high"
    threat: Line = BY_HAND
    subject: Line = "service"
    client: Annotated[str, msgspec.Meta(max_length=256)] = ""


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """A line for the timeline."""

    text: Line


class StepAsked(msgspec.Struct, forbid_unknown_fields=True):
    """A step of a playbook: ``PLAYBOOK/STEP``."""

    step: Name


class Closing(msgspec.Struct, forbid_unknown_fields=True):
    """A post-mortem in Markdown."""

    postmortem: Annotated[str, msgspec.Meta(min_length=1, max_length=postmortem.LARGEST_CHARS)]


def by_hand(title: str, *, severity: str, threat: str, subject: str, client: str) -> Finding:
    """Return the finding that stands for what a person saw.

    Raises:
        UsageError: the severity is none.
    """
    try:
        level = Severity.of(severity)
    except ValueError as err:
        raise UsageError(str(err)) from None
    where = (Location(uri="client", address=client),) if client else ()
    # two incidents that people open are two, so that the title stands in the rule
    return Finding(
        rule=f"{BY_HAND}: {title}", threat=threat, subject=subject, title=title, severity=level, locations=where
    )


def summary(incident: Incident, at_us: int) -> dict[str, Any]:
    """Return an incident without its timeline, as JSON values."""
    whole = asdict(incident)
    for key in ("entries", "steps", "held", "fingerprints", "findings", "postmortem"):
        del whole[key]
    steps = {
        name: {"status": s.status, "do": s.do, "by": s.by, "targets": s.targets} for name, s in incident.steps.items()
    }
    more = {"severity": incident.severity.word, "held": sorted(incident.held), "steps": steps}
    return {**whole, **more, "n_entries": len(incident.entries), "article_33": clock(incident, at_us)}


def full(incident: Incident, at_us: int) -> dict[str, Any]:
    """Return an incident with its timeline, as JSON values."""
    return {
        **summary(incident, at_us),
        "postmortem": incident.postmortem,
        "timeline": [asdict(entry) for entry in incident.entries],
    }


def found_step(playbooks: Mapping[str, Playbook], name: str) -> tuple[Playbook, Step]:
    """Return the playbook and step of ``PLAYBOOK/STEP``.

    Raises:
        UnknownName: there is no such playbook or step.
    """
    first, _, second = name.partition("/")
    if first not in playbooks:
        raise UnknownName.among("playbook", first, list(playbooks))
    return playbooks[first], playbooks[first].step(second)


def _desk(asked: Asked) -> Desk:
    desk: Desk = asked.parts.more["incidents"]
    return desk


def number_of(asked: Asked) -> int:
    """Return the number that the address names.

    Raises:
        UnknownName: it names none.
    """
    text = str(asked.request.path_params["number"])
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise UnknownName("an incident is known by its number")
    return int(text)


def _who(asked: Asked) -> Person:
    assert asked.principal is not None
    step_up_s = float(age_s(asked.parts.settings.identity.step_up) or 0)
    return Person.of(asked.principal, now_s=time.time(), step_up_s=step_up_s)


def _confirmed(asked: Asked) -> Person:
    """Return who asks at a route whose second factor, or one-time confirmation, was checked before it came here."""
    assert asked.principal is not None
    return Person(id=asked.principal.id, may_contain=asked.principal.kind == "person")


async def _written(asked: Asked, work: Callable[[Connection], Incident]) -> Response:
    def locked(connection: Connection) -> Incident:
        timeline.lock(connection)
        return work(connection)

    incident = await write(asked, locked)
    _desk(asked).hurry()
    asked.note["incident"] = incident.number
    return json(summary(incident, now_us()))


async def list_incidents(asked: Asked) -> Response:
    """List the newest hundred incidents."""
    found = await read(asked, timeline.listed)
    return json({"incidents": [summary(incident, now_us()) for incident in found]})


async def show(asked: Asked) -> Response:
    """Show an incident with its timeline."""
    number = number_of(asked)
    return json(full(await read(asked, lambda c: timeline.read(c, number)), now_us()))


async def open_incident(asked: Asked) -> Response:
    """Open an incident by hand."""
    body: Opening = asked.body
    finding = by_hand(body.title, severity=body.severity, threat=body.threat, subject=body.subject, client=body.client)
    who = _who(asked).id
    return await _written(asked, lambda c: timeline.take(c, finding, who=who).incident)


def _adding(kind: str, facts: Callable[[Any], tuple[str, dict[str, Any]]]) -> Callable[[Asked], Any]:
    async def handler(asked: Asked) -> Response:
        number, who = number_of(asked), _who(asked).id
        text, body = facts(asked.body)
        return await _written(
            asked, lambda c: timeline.add(c, timeline.read(c, number), kind, who=who, text=text, body=body)
        )

    return handler


note = _adding("note", lambda body: (body.text, {}))
contained = _adding("contained", lambda body: (body.text, {}))
breach = _adding("breach", lambda body: (body.text, {"aware_us": now_us()}))


async def run_step(asked: Asked) -> Response:
    """Order a step that stops nobody."""
    if found_step(_desk(asked).playbooks, asked.body.step)[1].contains:
        raise UsageError("this step contains somebody", hint="POST to /contain, with a fresh second factor")
    return await _ordered(asked, _who(asked))


async def contain(asked: Asked) -> Response:
    """Order a step that contains."""
    return await _ordered(asked, _confirmed(asked))


async def _ordered(asked: Asked, who: Person) -> Response:
    number = number_of(asked)
    playbook, step = found_step(_desk(asked).playbooks, asked.body.step)
    return await _written(asked, lambda c: acting.order(c, number, playbook, step, who)[0])


async def approve(asked: Asked) -> Response:
    """Approve a step that waits."""
    number, who = number_of(asked), _confirmed(asked)
    playbook, step = found_step(_desk(asked).playbooks, asked.body.step)
    return await _written(asked, lambda c: acting.approve(c, number, playbook, step, who)[0])


async def release(asked: Asked) -> Response:
    """Undo a step."""
    number, who = number_of(asked), _confirmed(asked)
    playbook, step = found_step(_desk(asked).playbooks, asked.body.step)
    return await _written(asked, lambda c: acting.order_undo(c, number, playbook, step, who))


async def close(asked: Asked) -> Response:
    """Close an incident with a post-mortem."""
    number, who, text = number_of(asked), _who(asked).id, postmortem.checked(asked.body.postmortem)
    return await _written(asked, lambda c: closed(c, number, text, who))


def closed(connection: Connection, number: int, text: str, who: str) -> Incident:
    """Keep a post-mortem and close an incident, under `timeline.lock`.

    Raises:
        UnknownName: there is no such incident.
        UsageError: it is closed, or a step is under way.
    """
    incident = timeline.read(connection, number)
    incident = timeline.add(connection, incident, "postmortem", who=who, text="post-mortem", body={"text": text})
    return timeline.add(connection, incident, "closed", who=who, text="closed", body={})


async def template(asked: Asked) -> Response:
    """Give the post-mortem's template with everything that is known."""
    number = number_of(asked)
    incident: Incident = await read(asked, lambda c: timeline.read(c, number))
    leak = await asyncio.to_thread(History(asked.parts.settings, asked.parts.root).leak, incident, now_us())
    return Response(postmortem.template(incident, leak), media_type="text/markdown")


async def notification(asked: Asked) -> Response:
    """Draft what the authority or the people concerned are told."""
    number, to = number_of(asked), asked.request.query_params.get("to", "authority")
    if to not in ("authority", "subjects"):
        raise UsageError("to is authority or subjects")
    incident: Incident = await read(asked, lambda c: timeline.read(c, number))
    settings = asked.parts.settings
    leak = await asyncio.to_thread(History(settings, asked.parts.root).leak, incident, now_us())
    text = draft(incident, to, settings.incidents, leak=leak, data=None, now_us=now_us())  # type: ignore[arg-type]  # one of the two, as was checked
    return Response(text, media_type="text/markdown")


async def playbooks(asked: Asked) -> Response:
    """List the playbooks in force."""
    desk = _desk(asked)
    rows = [
        {
            "name": p.name,
            "title": p.title,
            "automatic": p.name in desk.settings.automatic,
            "steps": [{"name": s.name, "do": s.do, "mode": s.mode, "persons": s.persons} for s in p.steps],
        }
        for p in desk.playbooks.values()
    ]
    return json({"playbooks": rows})


_ONE = "/v1/incidents/{number}"
_READ, _ACT, _CONTAIN = "incidents.read", "incidents.act", "incidents.contain"


def _get(path: str, handler: Any, summary: str, gives: Any = dict[str, Any]) -> Endpoint:
    return Endpoint(method="GET", path=path, action=_READ, handler=handler, summary=summary, gives=gives, audited=False)


def _post(path: str, action: str, handler: Any, takes: Any, summary: str) -> Endpoint:
    return Endpoint(
        method="POST", path=path, action=action, handler=handler, takes=takes, gives=dict[str, Any], summary=summary
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    _get("/v1/incidents", list_incidents, "list incidents, newest first"),
    _post("/v1/incidents", _ACT, open_incident, Opening, "open an incident by hand"),
    _get(_ONE, show, "show an incident with its timeline"),
    _get(f"{_ONE}/postmortem", template, "the template of a post-mortem, in Markdown", None),
    _get(f"{_ONE}/notification", notification, "draft a notification of a breach, in Markdown", None),
    _post(f"{_ONE}/notes", _ACT, note, Note, "write a note"),
    _post(f"{_ONE}/breach", _ACT, breach, Note, "say that personal data were breached: 72 hours begin"),
    _post(f"{_ONE}/steps", _ACT, run_step, StepAsked, "order a step that stops nobody"),
    _post(f"{_ONE}/contain", _CONTAIN, contain, StepAsked, "order a step that contains"),
    _post(f"{_ONE}/contained", _CONTAIN, contained, Note, "say that it was contained by other means"),
    _post(f"{_ONE}/approve", _CONTAIN, approve, StepAsked, "approve a step that waits"),
    _post(f"{_ONE}/release", _CONTAIN, release, StepAsked, "undo a step"),
    _post(f"{_ONE}/close", _ACT, close, Closing, "close an incident, with a post-mortem"),
    _get("/v1/playbooks", playbooks, "list the playbooks in force"),
)
