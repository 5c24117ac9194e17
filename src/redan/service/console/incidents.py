"""Pages of incidents: the list, one with its timeline and steps, its post-mortem, its notification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from redan.core.errors import UsageError
from redan.core.finding import Severity
from redan.evidence.store.clear import now_us
from redan.service.console.rendering import render
from redan.service.incidents import endpoints as api
from redan.service.incidents import timeline
from redan.service.incidents.notification import clock
from redan.service.incidents.playbook import TO_CLIENTS, UNDOABLE
from redan.service.web.answers import read

if TYPE_CHECKING:
    from starlette.responses import Response

    from redan.service.incidents.desk import Desk
    from redan.service.incidents.incident import Incident, StepState
    from redan.service.incidents.playbook import Playbook, Step
    from redan.service.web.endpoint import Asked

UNDER_WAY = ("ordered", "started", "undo-ordered")
Answer = TypeVar("Answer")
MOST_SHOWN = 200
"""Entries of a timeline on the page, the newest."""
_VERBS = {"": "order", "failed": "order", "undone": "order", "waiting": "approve", "done": "undo"}


async def listing(asked: Asked) -> Response:
    """List incidents."""
    found = await read(asked, timeline.listed)
    state = asked.request.query_params.get("state", "")
    shown = [each for each in found if state in ("", each.state)]
    severities = [each.word for each in reversed(Severity)]
    return render(
        asked, "console_incidents.html", incidents=shown, state=state, severities=severities, clock=clock, total=found
    )


async def one(asked: Asked) -> Response:
    """Show an incident with its timeline and the steps of playbooks."""
    incident, desk = await _incident(asked), _desk(asked)
    who = asked.principal.id if asked.principal is not None else ""
    entries = incident.entries[-MOST_SHOWN:]
    fitting = [book for book in desk.playbooks.values() if book.fitting(incident)]
    others = [book for book in desk.playbooks.values() if book not in fitting]
    return render(
        asked,
        "console_incident.html",
        incident=incident,
        clock=clock(incident, now_us()),
        entries=entries,
        earlier=len(incident.entries) - len(entries),
        fitting=[_book(book, incident, desk, who) for book in fitting],
        others=[_book(book, incident, desk, who) for book in others],
        closable=incident.state != "closed",
        under_way=sum(state.status in UNDER_WAY for state in incident.steps.values()),
    )


async def postmortem(asked: Asked) -> Response:
    """Show the template of a post-mortem with everything that is known, to be filled in."""
    incident = await _incident(asked)
    text = incident.postmortem or bytes((await api.template(asked)).body).decode()
    return render(asked, "console_postmortem.html", incident=incident, text=text)


async def notification(asked: Asked) -> Response:
    """Show the draft of a notification."""
    incident = await _incident(asked)
    to = asked.request.query_params.get("to", "authority")
    try:
        text = bytes((await api.notification(asked)).body).decode()
    except UsageError as error:
        text = f"{error.message}."
    return render(asked, "console_notification.html", incident=incident, text=text, to=to)


def _desk(asked: Asked) -> Desk:
    desk: Desk = asked.parts.more["incidents"]
    return desk


async def _incident(asked: Asked) -> Incident:
    number = api.number_of(asked)
    return await read(asked, lambda connection: timeline.read(connection, number))


def _book(book: Playbook, incident: Incident, desk: Desk, who: str) -> dict[str, Any]:
    automatic = book.name in desk.settings.automatic
    steps = [_step(book, step, incident, who) for step in book.steps if step.do != "close"]
    return {"name": book.name, "title": book.title, "automatic": automatic, "steps": steps}


def _step(book: Playbook, step: Step, incident: Incident, who: str) -> dict[str, Any]:
    name = f"{book.name}/{step.name}"
    state = incident.steps.get(name)
    targets = (state.targets if state is not None else ()) or book.targets(incident, step)
    verb = _verb(step, state)
    aimless = step.do in TO_CLIENTS and not targets
    if (verb == "order" and (incident.state == "closed" or aimless)) or (verb == "undo" and step.do not in UNDOABLE):
        verb = ""
    approved = verb == "approve" and state is not None and who in state.approved
    return {
        "name": name,
        "step": step,
        "state": state,
        "targets": targets,
        "verb": "" if approved else verb,
        "approved": approved,
        "aimless": aimless,
        "said": _said(incident, name) if state is not None and state.status in ("done", "failed") else "",
    }


def _said(incident: Incident, name: str) -> str:
    """Return what the newest entry of a step says, without the step's name."""
    texts = (e.text for e in reversed(incident.entries) if e.kind == "step" and e.body.get("step") == name)
    return next(texts, "").removeprefix(f"{name}: ")


def _verb(step: Step, state: StepState | None) -> str:
    if state is not None and state.over(now_us()):
        return "order"
    return _VERBS.get(state.status if state is not None else "", "")
