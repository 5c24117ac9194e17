"""An incident: what its timeline adds up to, and what may be added to it next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

from redan.core.errors import SignatureRefused, UsageError
from redan.core.finding import Severity

State = Literal["open", "contained", "closed"]
Status = Literal["waiting", "ordered", "started", "observing", "done", "failed", "undo-ordered", "undone"]
ITSELF = "redan"
"""Who a gateway is in its own timelines; people and programs are ``user:NAME``, ``client:NAME`` or ``local:NAME``."""
CONTAINING = frozenset({"throttle", "suspend", "quarantine", "rollback", "revoke"})
"""What steps do that stops somebody or something."""
KINDS = ("opened", "finding", "note", "step", "approved", "contained", "breach", "drafted", "postmortem", "closed")
_AFTER_CLOSING = frozenset({"note", "breach", "drafted"})
_UNDER_WAY = ("ordered", "started", "undo-ordered")
DEADLINE_US = 72 * 3600 * 1_000_000
"""GDPR article 33(1): 72 hours after becoming aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened; never changed.

    Attributes:
        incident: number of the incident.
        position: 0, 1, 2 … within it.
        t_us: when it was written, microseconds since 1970, UTC.
        who: `Principal.id`, ``local:NAME`` at the command line, or ``redan``.
        kind: one of `KINDS`.
        text: one line for people.
        body: facts, as JSON values.
        sha256: over all of these and the entry before, hexadecimal.
    """

    incident: int
    position: int
    t_us: int
    who: str
    kind: str
    text: str
    body: Mapping[str, Any]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """How far a step of a playbook is.

    Attributes:
        status: the last that was said of it.
        do: what it does.
        by: who ordered it.
        approved: who approved it, in order.
        targets: clients or models that it was done to.
        result: facts of its last entry.
        t_us: when its last entry was written.
    """

    status: Status
    do: str
    by: str
    approved: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    t_us: int = 0

    def over(self, now_us: int) -> bool:
        """Return whether it was done for a time, and the time has passed."""
        return self.status == "done" and 0 < int(self.result.get("until_us", 0)) < now_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a finding of the incident spoke of.

    Attributes:
        rule: its rule.
        threat: its threat.
        subject: name of the model or part.
        severity: how bad.
        client: whom it names, or empty.
        own: whether a monitor of the gateway says so, and no person.
    """

    rule: str
    threat: str
    subject: str
    severity: Severity
    client: str
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is known of an incident now.

    Attributes:
        number: 1, 2, 3 …
        title: of the finding that opened it, or of who did.
        rule: likewise.
        threat: likewise.
        subject: likewise.
        severity: the highest of its findings.
        state: open, contained or closed.
        opened_us: when; all times are microseconds since 1970, UTC.
        contained_us: when the first containing step was done, or None.
        contain_ms: from the finding to containment by a steady clock, where the same process saw both.
        closed_us: when, or None.
        aware_us: when somebody said that personal data were breached; the clock of GDPR article 33 starts there.
        clients: who findings speak of, in order.
        held: clients and models that containing steps were done to and not undone.
        fingerprints: of its findings.
        findings: what they spoke of; they may be of other rules than the one that opened it.
        steps: by ``PLAYBOOK/STEP``.
        postmortem: text, or empty.
        entries: the timeline.
    """

    number: int
    title: str
    rule: str
    threat: str
    subject: str
    opened_us: int
    severity: Severity = Severity.INFO
    state: State = "open"
    contained_us: int | None = None
    contain_ms: float | None = None
    closed_us: int | None = None
    aware_us: int | None = None
    clients: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    fingerprints: Mapping[str, Severity] = field(default_factory=dict)
    findings: tuple[Found, ...] = ()
    steps: Mapping[str, StepState] = field(default_factory=dict)
    postmortem: str = ""
    entries: tuple[Entry, ...] = ()

    @property
    def deadline_us(self) -> int | None:
        """When the supervisory authority must know; None where no breach was told."""
        return None if self.aware_us is None else self.aware_us + DEADLINE_US

    @property
    def head(self) -> str:
        """Digest that the next entry continues."""
        return self.entries[-1].sha256 if self.entries else root(self)


def root(incident: Incident) -> str:
    """Return the digest that an incident's first entry continues."""
    row = [incident.number, incident.title, incident.rule, incident.threat, incident.subject, incident.opened_us]
    return sha256(_json(row)).hexdigest()


def chained(incident: Incident, *, t_us: int, who: str, kind: str, text: str, body: Mapping[str, Any]) -> Entry:
    """Make the next entry of an incident.

    Raises:
        UsageError: the incident's state does not allow it.
    """
    why = refused(incident, kind, body)
    if why:
        raise UsageError(f"incident {incident.number}: {why}", hint=f"redan incident show {incident.number}")
    position = len(incident.entries)
    digest = _digest(incident.number, position, (t_us, who, kind, text, body), incident.head)
    return Entry(
        incident=incident.number,
        position=position,
        t_us=t_us,
        who=who,
        kind=kind,
        text=text,
        body=body,
        sha256=digest,
    )


def refused(incident: Incident, kind: str, body: Mapping[str, Any]) -> str:
    """Return why an entry of a kind cannot follow, or an empty text."""
    if kind not in KINDS:
        return f"there are no entries of kind {kind!r}"
    undoing = kind == "step" and body.get("status") in ("undo-ordered", "undone")
    if incident.state == "closed" and kind not in _AFTER_CLOSING and not (undoing or _being_undone(incident, body)):
        return "it is closed"
    if kind == "closed":
        return _unclosable(incident)
    if kind == "breach" and incident.aware_us is not None:
        return "the clock of article 33 runs already and cannot be set again"
    if undoing:
        return _not_undone(incident, body)
    return ""


def _being_undone(incident: Incident, body: Mapping[str, Any]) -> bool:
    step = incident.steps.get(str(body.get("step")))
    return step is not None and step.status == "undo-ordered"


def _unclosable(incident: Incident) -> str:
    if not incident.postmortem:
        return "it cannot be closed without a post-mortem"
    busy = sorted(name for name, step in incident.steps.items() if step.status in _UNDER_WAY)
    return f"the step {busy[0]} is under way" if busy else ""


def _not_undone(incident: Incident, body: Mapping[str, Any]) -> str:
    step = incident.steps.get(str(body.get("step")))
    wanted = ("done",) if body["status"] == "undo-ordered" else ("undo-ordered",)
    if step is None or step.status not in wanted:
        return f"the step {body.get('step')} is not {wanted[0]}, so that it cannot be undone"
    return ""


def folded(incident: Incident, entries: Iterable[Entry]) -> Incident:
    """Return an incident after further entries.

    Raises:
        SignatureRefused: an entry does not continue the one before: rows were changed, removed or swapped.
    """
    row, head, findings = list(incident.entries), incident.head, list[Entry]()
    for entry in entries:
        told = (entry.t_us, entry.who, entry.kind, entry.text, entry.body)
        if entry.position != len(row) or entry.sha256 != _digest(incident.number, len(row), told, head):
            raise SignatureRefused(
                f"entry {entry.position} of incident {incident.number} does not continue the one before: the database "
                "was changed",
                hint="compare with the digests in the audit log: redan audit query",
            )
        row.append(entry)
        head = entry.sha256
        if entry.kind in ("opened", "finding"):
            # in a flood most entries are findings; each on its own would copy all before it
            findings.append(entry)
            continue
        incident, findings = _found(incident, findings), []
        change = _CHANGES.get(entry.kind)
        incident = change(incident, entry) if change is not None else incident
    return replace(_found(incident, findings), entries=tuple(row))


def _found(incident: Incident, entries: list[Entry]) -> Incident:
    if not entries:
        return incident
    found = [
        Found(
            rule=str(entry.body["rule"]),
            threat=str(entry.body["threat"]),
            subject=str(entry.body["subject"]),
            severity=Severity.of(entry.body["severity"]),
            client=str(entry.body["client"]),
            own=entry.who == ITSELF,
        )
        for entry in entries
    ]
    clients = dict.fromkeys((*incident.clients, *(each.client for each in found if each.client)))
    prints = {str(entry.body["fingerprint"]): each.severity for entry, each in zip(entries, found, strict=True)}
    # somebody whom no step has stopped yet: what was contained is not any more
    fresh = incident.state == "contained" and any(f.client and f.client not in incident.held for f in found)
    return replace(
        incident,
        findings=(*incident.findings, *found),
        severity=max(incident.severity, *(each.severity for each in found)),
        clients=tuple(clients),
        fingerprints={**incident.fingerprints, **prints},
        state="open" if fresh else incident.state,
    )


def _stepped(incident: Incident, entry: Entry) -> Incident:
    name, status = str(entry.body["step"]), entry.body["status"]
    before = incident.steps.get(name)
    again = status in ("ordered", "waiting") and before is not None and before.status in ("failed", "undone", "done")
    step = StepState(
        status=status,
        do=str(entry.body["do"]),
        by=str(entry.body.get("by", entry.who)),
        approved=() if before is None or again else before.approved,
        targets=tuple(entry.body.get("targets", before.targets if before and before.status != "undone" else ())),
        result=entry.body,
        t_us=entry.t_us,
    )
    incident = replace(incident, steps={**incident.steps, name: step})
    if step.do not in CONTAINING or incident.state == "closed" or status not in ("done", "undone"):
        return incident
    held = frozenset(
        target for s in incident.steps.values() if s.do in CONTAINING and s.status != "undone" for target in s.targets
    )
    return _contained(replace(incident, held=held), entry) if held else replace(incident, held=held, state="open")


def _contained(incident: Incident, entry: Entry) -> Incident:
    first = incident.contained_us is None
    uncovered = [c for c in incident.clients if c not in incident.held]
    by_hand = entry.kind == "contained"
    return replace(
        incident,
        state="contained" if by_hand or (incident.held and _covers(incident, uncovered)) else incident.state,
        contained_us=entry.t_us if first else incident.contained_us,
        contain_ms=entry.body.get("contain_ms") if first else incident.contain_ms,
    )


def _covers(incident: Incident, uncovered: list[str]) -> bool:
    """Whether every client is stopped, or the model itself is."""
    models = any(s.do in ("quarantine", "rollback") and s.status == "done" for s in incident.steps.values())
    return models or not uncovered


def _approved(incident: Incident, entry: Entry) -> Incident:
    name = str(entry.body["step"])
    step = incident.steps[name]
    approved = step.approved if entry.who in step.approved else (*step.approved, entry.who)
    return replace(incident, steps={**incident.steps, name: replace(step, approved=approved)})


_CHANGES: dict[str, Callable[[Incident, Entry], Incident]] = {
    "step": _stepped,
    "approved": _approved,
    "contained": _contained,
    "breach": lambda incident, entry: replace(incident, aware_us=int(entry.body["aware_us"])),
    "postmortem": lambda incident, entry: replace(incident, postmortem=str(entry.body["text"])),
    "closed": lambda incident, entry: replace(incident, state="closed", closed_us=entry.t_us),
}


def _digest(number: int, position: int, told: tuple[Any, ...], before: str) -> str:
    return sha256(_json([number, position, *told, before])).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
