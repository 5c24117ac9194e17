"""Holds what clients were told against what the logs say, and against what was promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.asking import Answer, Client

from redan.evidence.log.notes import Checkpoint, NoteKey
from redan.evidence.log.reading import LogReader
from redan.evidence.log.verifying import verify
from redan.kernels.statistics import wilson
from redan.service.audit.act import Act, decode

REVOKED_WITHIN_S = 1.0
SUSPENDED_WITHIN_S = 2.0
"""Throttles are exchanged every second; the rest is for the exchange."""
OF_AUDIT = {"audit"}
"""Why a refusal is told that says nothing could be recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        name: what.
        began_s: monotonic seconds.
        ended_s: monotonic seconds: it is as before from then on, or was done.
    """

    name: str
    began_s: float
    ended_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is known in the end.

    Attributes:
        mode: of the audit log.
        most_lost: records that a crash may lose in async mode.
        rate_per_s: of each client.
        burst: of each client.
        began_s: monotonic seconds.
        ended_s: monotonic seconds.
        clients: with what they were told.
        events: in their order.
        logs: folder of each replica's log.
        keys: of the logs, as they were in the beginning.
        kept: checkpoints that were kept outside.
    """

    mode: str
    most_lost: int
    rate_per_s: float
    burst: int
    began_s: float
    ended_s: float
    clients: Sequence[Client]
    events: Sequence[Event]
    logs: Mapping[str, Path]
    keys: Mapping[str, NoteKey]
    kept: Mapping[str, Sequence[Checkpoint]]


def judged(story: Story) -> dict[str, Any]:
    """Return every count, and whether every promise was kept."""
    answers = [answer for client in story.clients for answer in client.answers]
    logs, problems = _logs(story)
    recorded = _recorded(story, answers, logs)
    allows, overload = _wrong_allows(story), _overload(story)
    kills = sum(event.name in ("replica killed", "disk full") for event in story.events)
    lost_bound = 0 if story.mode == "durable" else story.most_lost * kills
    lost = recorded["served_unrecorded"] + recorded["refused_unrecorded"]
    holds = {
        "no answer differs from its record": recorded["differing"] == 0,
        "none recorded twice": recorded["twice"] == 0,
        "unrecorded within bound": lost <= lost_bound,
        "the door records what it refuses": recorded["door_records"] >= recorded["refused_at_the_door"],
        "logs verify": not problems,
        "no wrong allow": all(each["wrong"] == 0 for each in allows.values()),
        "rates kept": all(each["allowed"] <= each["bound"] for each in overload["greedy"]),
        "overload told with Retry-After": overload["refused"] > 0 and overload["without_retry"] == 0,
        "only 503 of all 5xx": all(answer.status < 500 or answer.status == 503 for answer in answers),
    }
    return {
        "mode": story.mode,
        "seconds": round(story.ended_s - story.began_s, 1),
        "answers": len(answers),
        "by_status": dict(sorted(Counter(f"{a.status} {a.why}".strip() for a in answers).items())),
        "unanswered": sum(client.unanswered for client in story.clients),
        **recorded,
        "lost_bound": lost_bound,
        "lost_interval_95": [round(v, 8) for v in wilson(lost, max(1, len(answers)))],
        "records": sum(len(acts) for acts in logs.values()),
        "checkpoints_kept_outside": sum(map(len, story.kept.values())),
        "problems": problems,
        "allows": allows,
        "overload": {key: value for key, value in overload.items() if key != "greedy"},
        "greedy": overload["greedy"],
        "events": [_effect(story, i) for i in range(len(story.events))],
        "promises": holds,
        "holds": all(holds.values()),
    }


def _logs(story: Story) -> tuple[dict[str, list[Act]], list[str]]:
    found, problems = {}, []
    for name, folder in story.logs.items():
        verified = verify(folder, story.keys[name], against=story.kept[name])
        problems += [f"{name}: {problem.message}" for problem in verified.problems]
        found[name] = [decode(entry) for entry in LogReader(folder).entries()]
    return found, problems


def _recorded(story: Story, answers: Iterable[Answer], logs: Mapping[str, Sequence[Act]]) -> dict[str, Any]:
    """Hold each answer against its record: who, verdict, digests."""
    by_id: dict[str, list[Act]] = {}
    for acts in logs.values():
        for act in acts:
            if act.id:
                by_id.setdefault(act.id, []).append(act)
    count: Counter[str] = Counter()
    lost_s = []
    for answer in answers:
        acts = by_id.get(answer.id, [])
        if not answer.id:
            # refused before it was understood; that is recorded too, under an identifier that nobody is told
            count["refused_at_the_door"] += 1
        elif answer.why in OF_AUDIT:
            # nothing was served, and it may or may not have reached the disk
            count["not_recorded_and_said_so"] += 1
        elif not acts:
            count["served_unrecorded" if answer.status == 200 else "refused_unrecorded"] += 1
            lost_s.append(answer.got_s)
        elif len(acts) > 1:
            count["twice"] += 1
        elif _differs(answer, acts[0]):
            count["differing"] += 1
        else:
            count["recorded_as_told"] += 1
    gaps = [act for acts in logs.values() for act in acts if act.act == "audit.gap"]
    lost_by = Counter(
        next((e.name for e in story.events if e.began_s - 1 <= at_s <= e.ended_s + 1), "no event") for at_s in lost_s
    )
    keys = ("recorded_as_told", "not_recorded_and_said_so", "served_unrecorded", "refused_unrecorded")
    at_door = sum(act.act == "-" and act.who == "-" for acts in logs.values() for act in acts)
    return {
        **{key: count[key] for key in (*keys, "refused_at_the_door", "twice", "differing")},
        "door_records": at_door,
        "unrecorded_by_event": dict(lost_by),
        "gaps_recorded": [act.rows for act in gaps],
    }


def _differs(answer: Answer, act: Act) -> bool:
    if answer.status != act.status or act.ok != (answer.status == 200) or act.why != answer.why:
        return True
    if act.who not in (answer.who, "-"):
        return True
    if answer.status == 200:
        return (act.x, act.y) != (answer.x, answer.y)
    return act.x not in ("", answer.x)


def _wrong_allows(story: Story) -> dict[str, dict[str, Any]]:
    """Count who got an answer and should not have."""
    when = {event.name: event.ended_s for event in story.events}
    back = [e for e in story.events if e.name.startswith("clock back")]
    after = {
        "forbidden": 0.0,
        "nobody": 0.0,
        "revoked": when.get("revoked", float("inf")) + REVOKED_WITHIN_S,
        "suspended": when.get("suspended", float("inf")) + SUSPENDED_WITHIN_S,
        # the token was made a little before, for 120 s
        "expired": story.began_s + 120.0,
    }
    found = {}
    for kind, from_s in after.items():
        asked = [a for c in story.clients if c.kind == kind for a in c.answers if a.sent_s > from_s]
        wrong = [a for a in asked if a.status == 200]
        # whoever sets the clock says what time it is: told apart, not hidden
        excused = [a for a in wrong if kind == "expired" and any(e.began_s <= a.got_s <= e.ended_s + 2 for e in back)]
        n, k = len(asked), len(wrong) - len(excused)
        found[kind] = {"n": n, "wrong": k, "interval_95": [round(v, 6) for v in wilson(k, max(1, n))]}
        if excused:
            found[kind]["allowed_while_the_clock_was_back"] = len(excused)
        if kind in ("revoked", "suspended") and kind in when:
            late = [
                a.sent_s - when[kind] for c in story.clients if c.kind == kind for a in c.answers if a.status == 200
            ]
            found[kind]["last_allow_after_s"] = round(max(late), 3) if late else None
    return found


def _overload(story: Story) -> dict[str, Any]:
    greedy, seconds = [], story.ended_s - story.began_s
    faults = sum(event.name in ("replica killed", "Redis crashed") for event in story.events)
    for client in (client for client in story.clients if client.kind == "greedy"):
        allowed = sum(answer.status == 200 for answer in client.answers)
        bound = story.rate_per_s * seconds + (1.5 + 0.5 * faults) * story.burst
        greedy.append({"asked": len(client.answers), "allowed": allowed, "bound": round(bound)})
    refused = [a for client in story.clients for a in client.answers if a.status == 503]
    return {
        "greedy": greedy,
        "refused": sum(answer.why == "overload" for answer in refused),
        "without_retry": sum(not answer.retry for answer in refused),
        "answered_to_flood": sum(a.status == 200 for c in story.clients if c.kind == "flood" for a in c.answers),
    }


def _effect(story: Story, at: int) -> dict[str, Any]:
    """Say what an event did to those who may ask, and how long after it."""
    event = story.events[at]
    ends_s = story.events[at + 1].began_s if at + 1 < len(story.events) else story.ended_s
    asked = [a for c in story.clients if c.kind == "allowed" for a in c.answers if event.began_s <= a.got_s < ends_s]
    failed = [a for a in asked if a.status != 200]
    slowest = max((a.got_s - a.sent_s for a in asked), default=0.0)
    last_s = max((a.got_s for a in failed), default=event.began_s)
    return {
        "event": event.name,
        "at_s": round(event.began_s - story.began_s, 1),
        "took_s": round(event.ended_s - event.began_s, 1),
        "asked": len(asked),
        "refused": dict(Counter(f"{a.status} {a.why}" for a in failed)),
        "last_refusal_after_end_s": round(last_s - event.ended_s, 2) if failed else None,
        "slowest_answer_s": round(slowest, 2),
    }
