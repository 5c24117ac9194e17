"""Access review: who has what through which role, what of it is used, what is remarkable, and what a reviewer decided.

NIST SP 800-53 Rev. 5, AC-2(3), AC-2(j), AC-5, AC-6(7): accounts without use, reviews of accounts and privileges,
separation of duties.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, insert, select

from redan.core.errors import UsageError
from redan.core.settings import age_s
from redan.service.identity import directory, keys, tables
from redan.service.identity.actions import ACTIONS
from redan.service.identity.login.tables import passkeys, totps
from redan.service.identity.roles import conflicts
from redan.service.identity.usage import used_actions

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.service.identity.directory import Assignment, Subject
    from redan.service.identity.keys import ApiKey
    from redan.service.identity.roles import Roles
    from redan.service.identity.scopes import Grants

Decision = Literal["keep", "revoke"]
MOST_NOTE = 1000
_DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something that a reviewer should look at.

    Attributes:
        code: stable word.
        text: the facts, for people.
        open: whether somebody must decide; else it is only worth knowing.
    """

    code: str
    text: str
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One role in one hand, or somebody without any.

    Attributes:
        subject: who.
        title: what people call it.
        role: through which role; empty: none.
        model: for which model, or ``*``.
        actions: what it gives.
        since_us: since when, microseconds since the epoch.
        by: who gave it.
        used_us: when the subject was last seen, or None.
        live_keys: number of its keys that are good.
        remarks: what is remarkable.
        decision: what a reviewer said last, within the time that settings call stale; empty: nothing.
    """

    subject: str
    title: str
    role: str
    model: str
    actions: tuple[str, ...]
    since_us: int
    by: str
    used_us: int | None
    live_keys: int
    remarks: tuple[Remark, ...]
    decision: Decision | Literal[""]

    @property
    def open(self) -> bool:
        """Whether somebody must decide."""
        return self.decision == "" and any(remark.open for remark in self.remarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What is known beside a single assignment."""

    roles: Roles
    now_us: int
    stale_us: int
    used: dict[str, Grants] | None
    factors: frozenset[str]


def review(
    connection: Connection, settings: Settings, roles: Roles, *, after: str = "", most: int | None = None
) -> list[Line]:
    """Return who has what, with remarks, sorted by who.

    Args:
        connection: to read from.
        settings: ``[identity] stale`` says what is old; the audit log's own settings what its index tells.
        roles: every role.
        after: the last subject of the page before.
        most: subjects of a page; None: everybody, from the first.
    """
    subjects = directory.everybody(connection) if most is None else directory.page(connection, "", after, most)
    now_us = directory.now_us()
    stale_us = (age_s(settings.identity.stale) or 90 * 86_400) * 1_000_000
    facts = _Facts(
        roles=roles,
        now_us=now_us,
        stale_us=stale_us,
        used=used_actions(
            connection, settings.audit, now_us - stale_us, None if most is None else [each.id for each in subjects]
        ),
        factors=_with_factors(connection),
    )
    held: dict[str, list[Assignment]] = defaultdict(list)
    for given in directory.assigned(connection):
        held[given.subject].append(given)
    live: dict[str, list[ApiKey]] = defaultdict(list)
    for key in keys.listed(connection):
        if key.live(now_us):
            live[key.subject].append(key)
    decided = _decided(connection, now_us - stale_us)
    lines = []
    for subject in subjects:
        own, own_keys = held[subject.id], live[subject.id]
        general = _of_subject(subject, own, own_keys, facts)
        every: list[Assignment | None] = [*own] or [None]
        lines += [_line(subject, given, general, own_keys, decided, facts) for given in every]
    return lines


def _line(
    subject: Subject,
    given: Assignment | None,
    general: tuple[Remark, ...],
    live: list[ApiKey],
    decided: dict[tuple[str, str, str], Decision],
    facts: _Facts,
) -> Line:
    role, model = (given.role, given.model) if given else ("", "")
    grants = facts.roles.grants([(role, model)])
    return Line(
        subject=subject.id,
        title=subject.title,
        role=role,
        model=model,
        actions=tuple(sorted({action for action, _ in grants})),
        since_us=given.since_us if given else subject.created_us,
        by=given.by if given else subject.created_by,
        used_us=subject.used_us,
        live_keys=len(live),
        remarks=general + _of_role(subject, given, grants, facts),
        decision=decided.get((subject.id, role, model), ""),
    )


def _of_subject(subject: Subject, held: list[Assignment], live: list[ApiKey], facts: _Facts) -> tuple[Remark, ...]:
    found = []
    grants = facts.roles.grants((given.role, given.model) for given in held)
    if subject.disabled:
        found.append(Remark(code="disabled", text="disabled, and still has roles or keys", open=bool(held or live)))
    elif (remark := _idle(subject, facts)) is not None:
        found.append(remark)
    if not held:
        found.append(Remark(code="no-role", text="has no role and may do nothing", open=False))
    dangerous = sorted(action for action, _ in grants if ACTIONS[action].dangerous)
    if subject.kind == "person" and dangerous and subject.id not in facts.factors:
        found.append(Remark(code="no-second-factor", text=f"may {dangerous[0]} and has no second factor"))
    found += [Remark(code="separation", text=broken.why, open=broken.refused) for broken in conflicts(grants)]
    for key in live:
        seen_us = max(key.created_us, key.used_us or 0)
        if facts.now_us - seen_us > facts.stale_us:
            days = (facts.now_us - seen_us) // _DAY_US
            found.append(Remark(code="stale-key", text=f"key {key.id} was not used for {days} days"))
    return tuple(found)


def _idle(subject: Subject, facts: _Facts) -> Remark | None:
    since_us = subject.created_us if subject.used_us is None else subject.used_us
    days, old = (facts.now_us - since_us) // _DAY_US, facts.now_us - since_us > facts.stale_us
    if subject.used_us is None:
        return Remark(code="never-used", text=f"never used in {days} days" if days else "not used yet", open=old)
    return Remark(code="stale", text=f"not used for {days} days") if old else None


def _of_role(subject: Subject, given: Assignment | None, grants: Grants, facts: _Facts) -> tuple[Remark, ...]:
    if given is None:
        return ()
    if given.role not in facts.roles.by_name:
        return (Remark(code="role-gone", text=f"role {given.role!r} is no more; it gives nothing"),)
    # what was given only lately had no time to be used
    if facts.used is None or facts.now_us - given.since_us < facts.stale_us:
        return ()
    did = facts.used.get(subject.id, frozenset())
    idle = sorted({action for action, model in grants if not _did(did, action, model)} - {"identity.self"})
    if not idle:
        return ()
    text = f"{len(idle)} of {len({action for action, _ in grants})} actions were not used: {', '.join(idle)}"
    return (Remark(code="unused-actions", text=text, open=False),)


def _did(did: Grants, action: str, model: str) -> bool:
    return any(done == action and model in ("*", on) for done, on in did)


def _with_factors(connection: Connection) -> frozenset[str]:
    people = [*connection.execute(select(totps.c.person)).scalars()]
    return frozenset([*people, *connection.execute(select(passkeys.c.person)).scalars()])


def _decided(connection: Connection, since_us: int) -> dict[tuple[str, str, str], Decision]:
    table = tables.reviews
    rows = connection.execute(select(table).where(table.c.t_us >= since_us).order_by(table.c.t_us))
    # the newest of each stands
    return {(row.subject, row.role, row.model): row.decision for row in rows}


def decide(
    connection: Connection,
    roles: Roles,
    *,
    subject: str,
    role: str,
    model: str,
    decision: Decision,
    by: str,
    note: str = "",
) -> None:
    """Record what a reviewer decided about a role in a hand; to revoke takes it away in the same transaction.

    Raises:
        UsageError: it was not given, nobody could administer then, or the note is too long.
        UnknownName: no such subject.
    """
    if len(note) > MOST_NOTE:
        raise UsageError(f"the note is longer than {MOST_NOTE} characters")
    directory.get(connection, subject)
    held = {(given.role, given.model) for given in directory.assigned(connection, subject)}
    if (role, model) not in held:
        raise UsageError(f"{subject} does not have role {role!r} for {model!r}", hint="redan identity review")
    if decision == "revoke":
        directory.revoke(connection, roles, subject, role, model)
    connection.execute(
        insert(tables.reviews).values(
            id=token_hex(8),
            t_us=directory.now_us(),
            by=by,
            subject=subject,
            role=role,
            model=model,
            decision=decision,
            note=note,
        )
    )
