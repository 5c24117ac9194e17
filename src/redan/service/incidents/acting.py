"""Steps of playbooks: ordered, approved, claimed by one replica, done, undone; every turn is an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from redan.core.errors import UsageError
from redan.evidence.store.clear import now_us
from redan.service.identity.freshness import fresh
from redan.service.incidents import timeline
from redan.service.incidents.incident import ITSELF
from redan.service.incidents.playbook import TO_CLIENTS, UNDOABLE, Do, Playbook, Step, When

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.evidence.store.database import Database
    from redan.service.identity.principal import Principal
    from redan.service.incidents.incident import Incident, StepState

GONE = "-"
"""Stands for a step that no playbook holds any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who orders or approves.

    Attributes:
        id: as the timeline writes it.
        may_contain: whether they may contain, with a second factor that is fresh.
    """

    id: str
    may_contain: bool

    @classmethod
    def of(cls, principal: Principal, *, now_s: float, step_up_s: float) -> Person:
        """Judge a principal: programs and stale second factors approve nothing."""
        shown = fresh(principal.credential, principal.mfa_s, within_s=step_up_s, now_s=now_s)
        may = principal.kind == "person" and principal.may("incidents.contain") and shown
        return cls(id=principal.id, may_contain=may)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A step that this replica shall do now.

    Attributes:
        incident: as it is.
        playbook: its playbook.
        step: the step.
        name: ``PLAYBOOK/STEP``.
        by: who ordered it.
        approved: who approved it.
        undo: whether it shall be undone.
    """

    incident: Incident
    playbook: Playbook
    step: Step
    name: str
    by: str
    approved: tuple[str, ...]
    undo: bool

    @property
    def automatic(self) -> bool:
        """Whether no person stands behind it."""
        return self.by == ITSELF and not self.approved

    @property
    def targets(self) -> tuple[str, ...]:
        """Whom or what it is done to."""
        return self.playbook.targets(self.incident, self.step, own=self.automatic)


def order(
    connection: Connection, number: int, playbook: Playbook, step: Step, by: Person | None
) -> tuple[Incident, Literal["ordered", "waiting", "done"]]:
    """Order a step of an incident; None orders it automatically.

    Returns:
        The incident, and whether the step is ordered, waits for somebody's approval, or is done or under way already.

    Raises:
        UnknownName: there is no such incident.
        UsageError: the incident is closed, there is nobody to do it to, or this person may not.
    """
    timeline.lock(connection)
    return _order(connection, timeline.read(connection, number), playbook, step, by)


def _order(
    connection: Connection, incident: Incident, playbook: Playbook, step: Step, by: Person | None
) -> tuple[Incident, Literal["ordered", "waiting", "done"]]:
    number, name = incident.number, f"{playbook.name}/{step.name}"
    if by is not None and step.contains and not by.may_contain:
        raise UsageError(
            f"{by.id} may not order {name}", hint="this needs incidents.contain and a fresh second factor of a person"
        )
    if step.do == "close":
        raise UsageError("closing is no order", hint=f"redan incident close {number} --postmortem FILE")
    targets = playbook.targets(incident, step, own=by is None)
    if step.do in TO_CLIENTS and not targets:
        raise UsageError(f"{name}: the findings of incident {number} name no client", hint="act on the model instead")
    before = incident.steps.get(name)
    if before is not None and _stands(before, step, targets):
        return incident, "done"
    if before is not None and before.status == "waiting" and by is not None and by.may_contain:
        return _approve(connection, incident, name, step, by)
    orderer = ITSELF if by is None else by.id
    approvers = {by.id} if by is not None and by.may_contain else set()
    waiting = len(approvers) < step.persons
    body = {"step": name, "do": step.do, "status": "waiting" if waiting else "ordered", "by": orderer}
    said = f"{name}: waits for {step.persons - len(approvers)} person(s)" if waiting else f"{name}: ordered"
    incident = timeline.add(connection, incident, "step", who=orderer, text=said, body=body)
    if approvers and step.persons:
        incident = timeline.add(connection, incident, "approved", who=orderer, text=name, body={"step": name})
    return incident, "waiting" if waiting else "ordered"


def _stands(before: StepState, step: Step, targets: Sequence[str]) -> bool:
    """Whether a step is done or under way and needs no further turn."""
    if before.status == "done":
        if before.over(now_us()):
            return False
        return step.do not in TO_CLIENTS or set(targets) <= set(before.targets)
    return before.status in ("ordered", "started", "observing", "undo-ordered")


def approve(connection: Connection, number: int, playbook: Playbook, step: Step, by: Person) -> tuple[Incident, str]:
    """Approve a step that waits; the last approval that it needs orders it.

    Raises:
        UnknownName: there is no such incident.
        UsageError: it does not wait, or this person may not approve, or has done so.
    """
    timeline.lock(connection)
    incident = timeline.read(connection, number)
    return _approve(connection, incident, f"{playbook.name}/{step.name}", step, by)


def _approve(
    connection: Connection, incident: Incident, name: str, step: Step, by: Person
) -> tuple[Incident, Literal["ordered", "waiting"]]:
    state = incident.steps.get(name)
    if state is None or state.status != "waiting":
        raise UsageError(f"{name} does not wait for an approval", hint=f"redan incident show {incident.number}")
    if not by.may_contain:
        raise UsageError(
            f"{by.id} may not approve {name}", hint="this needs incidents.contain and a fresh second factor of a person"
        )
    if by.id in state.approved:
        raise UsageError(f"{by.id} has approved {name}; another person must", hint="four eyes")
    incident = timeline.add(connection, incident, "approved", who=by.id, text=name, body={"step": name})
    if len(incident.steps[name].approved) < max(1, step.persons):
        return incident, "waiting"
    body = {"step": name, "do": step.do, "status": "ordered", "by": state.by}
    return timeline.add(connection, incident, "step", who=by.id, text=f"{name}: ordered", body=body), "ordered"


def order_undo(connection: Connection, number: int, playbook: Playbook, step: Step, by: Person) -> Incident:
    """Order that what a step did is undone.

    Raises:
        UnknownName: there is no such incident.
        UsageError: it cannot be undone, is not done, or this person may not.
    """
    timeline.lock(connection)
    name = f"{playbook.name}/{step.name}"
    if step.do not in UNDOABLE:
        raise UsageError(f"what {name} does cannot be undone", hint="issue new credentials" if step.contains else "")
    if not by.may_contain:
        raise UsageError(f"{by.id} may not undo {name}", hint="this needs incidents.contain and a fresh second factor")
    incident = timeline.read(connection, number)
    body = {"step": name, "do": step.do, "status": "undo-ordered"}
    return timeline.add(connection, incident, "step", who=by.id, text=f"{name}: to be undone", body=body)


def order_automatic(
    connection: Connection, incident: Incident, playbooks: Mapping[str, Playbook], automatic: Sequence[str]
) -> Incident:
    """Order every automatic step of the playbooks that run by themselves and fit; nothing that stands is done twice."""
    for playbook in (playbooks[name] for name in automatic):
        if not playbook.fitting(incident, own=True):
            continue
        for step in playbook.steps:
            aimless = step.do in TO_CLIENTS and not playbook.targets(incident, step, own=True)
            before = incident.steps.get(f"{playbook.name}/{step.name}")
            # what failed or a person undid is a person's matter
            if step.mode == "manual" or aimless or (before is not None and before.status in ("failed", "undone")):
                continue
            if before is None or before.status == "done":
                incident, _ = _order(connection, incident, playbook, step, None)
    return incident


def claim(database: Database, playbooks: Mapping[str, Playbook], *, who: str, containing: bool) -> Claimed | None:
    """Take the next step that is due, so that no other replica does it; None: nothing is.

    Args:
        database: of the service.
        playbooks: by name.
        who: this replica.
        containing: only steps that contain, or only the others.
    """
    with database.reading() as connection:
        if timeline.due(connection, containing=containing) is None:
            return None
    with database.writing() as connection:
        timeline.lock(connection)
        found = timeline.due(connection, containing=containing)
        if found is None:
            return None
        incident, name = timeline.read(connection, found[0]), found[1]
        state = incident.steps[name]
        playbook, step = _found(playbooks, name, state)
        claimed = Claimed(
            incident=incident,
            playbook=playbook,
            step=step,
            name=name,
            by=state.by,
            approved=state.approved,
            undo=state.status == "undo-ordered",
        )
        if state.status not in ("undo-ordered", "observing"):
            body = {"step": name, "do": step.do, "status": "started", "by": state.by}
            timeline.add(connection, incident, "step", who=who, text=f"{name}: begun", body=body)
    return claimed


def _found(playbooks: Mapping[str, Playbook], name: str, state: StepState) -> tuple[Playbook, Step]:
    """Return a step, or one that does the same and fails where the playbook was taken away since."""
    first, _, second = name.partition("/")
    playbook = playbooks.get(first) or Playbook(name=first, title="", when=When(), steps=())
    step = next((step for step in playbook.steps if step.name == second), None)
    return playbook, step or Step(name=GONE, do=cast(Do, state.do))


def finished(
    database: Database,
    claimed: Claimed,
    status: Literal["done", "failed", "observing", "undone", "waiting"],
    *,
    who: str,
    text: str,
    facts: Mapping[str, Any],
) -> Incident:
    """Write down what came of a step.

    Raises:
        UsageError: somebody closed the incident, or undid the step too.
    """
    with database.writing() as connection:
        timeline.lock(connection)
        incident = timeline.read(connection, claimed.incident.number)
        body = {"step": claimed.name, "do": claimed.step.do, "status": status, "by": claimed.by, **facts}
        return timeline.add(connection, incident, "step", who=who, text=f"{claimed.name}: {text}", body=body)
