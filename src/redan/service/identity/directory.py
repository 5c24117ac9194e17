"""Who there is and what roles they have: people (``user:NAME``) and programs (``client:NAME``).

Plain functions over a connection: those that change something belong into ``database.writing()``, record the change
for other replicas first (`changes.change`, which also makes such transactions wait for each other), and raise before
anything is kept that would leave nobody to administer.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Row, delete, select, update

from redan.core.errors import UnknownName, UsageError
from redan.evidence.store.database import insert_new
from redan.service.identity import tables
from redan.service.identity.changes import change
from redan.service.identity.principal import EVERY_MODEL
from redan.service.identity.roles import ADMINISTRATION, Roles, conflicts
from redan.service.identity.scopes import MODEL

if TYPE_CHECKING:
    from redan.service.identity.roles import Separation

_ID = re.compile(r"(user|client):[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}", re.ASCII)
MOST_TITLE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person or a program.

    Attributes:
        id: ``user:NAME`` or ``client:NAME``.
        title: what people call it.
        disabled: whether nothing of it is accepted.
        created_us: when it came, microseconds since the epoch.
        created_by: who made it.
        used_us: when it last showed a credential, or None; some minutes late.
        tokens_from_us: what was issued before is void.
    """

    id: str
    title: str
    disabled: bool
    created_us: int
    created_by: str
    used_us: int | None
    tokens_from_us: int

    @property
    def kind(self) -> Literal["person", "program"]:
        """Whether it is a person or a program."""
        return kind_of(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A role given to a subject, for one model or for all (``*``)."""

    subject: str
    role: str
    model: str
    since_us: int
    by: str


def now_us() -> int:
    """Return the wall clock in microseconds since the epoch."""
    return time.time_ns() // 1000


def kind_of(id: str) -> Literal["person", "program"]:
    """Return what kind of subject an identifier names."""
    return "person" if id.startswith("user:") else "program"


def add(connection: Connection, id: str, *, title: str = "", by: str, at_us: int | None = None) -> Subject:
    """Make a person or program without any role.

    Raises:
        UsageError: the identifier or title is none, or it is taken.
    """
    if _ID.fullmatch(id) is None:
        raise UsageError(
            f"{id[:60]!r} is no identifier",
            hint="write user:NAME or client:NAME, at most 128 letters, digits and . _ @ + -",
        )
    if len(title) > MOST_TITLE or not title.isprintable():
        raise UsageError(f"the title is longer than {MOST_TITLE} characters, or has some that cannot be printed")
    change(connection, id)
    at_us = now_us() if at_us is None else at_us
    row: dict[str, Any] = {
        "id": id, "title": title, "disabled": False, "created_us": at_us, "created_by": by, "used_us": None,
        "tokens_from_us": 0,
    }  # fmt: skip
    if not insert_new(connection, tables.subjects, [row]):
        raise UsageError(f"there is a {id!r} already", hint="choose another name")
    return Subject(**row)


def find(connection: Connection, id: str) -> Subject | None:
    """Return a subject, or None."""
    row = connection.execute(select(tables.subjects).where(tables.subjects.c.id == id)).one_or_none()
    return None if row is None else _subject(row)


def get(connection: Connection, id: str) -> Subject:
    """Return a subject.

    Raises:
        UnknownName: there is none.
    """
    found = find(connection, id)
    if found is None:
        known = connection.execute(select(tables.subjects.c.id).limit(1000)).scalars()
        raise UnknownName.among("user or client", id, list(known))
    return found


def everybody(connection: Connection) -> list[Subject]:
    """Return every subject, sorted."""
    return [_subject(row) for row in connection.execute(select(tables.subjects).order_by(tables.subjects.c.id))]


def page(connection: Connection, prefix: str, after: str, most: int) -> list[Subject]:
    """Return subjects whose identifier begins with ``user:``, ``client:`` or anything, and comes after one, sorted."""
    id = tables.subjects.c.id
    query = select(tables.subjects).where(id.startswith(prefix, autoescape=True), id > after).order_by(id).limit(most)
    return [_subject(row) for row in connection.execute(query)]


def _subject(row: Row[Any]) -> Subject:
    values = dict(row._mapping)
    values["disabled"] = bool(values["disabled"])
    return Subject(**values)


def disable(connection: Connection, id: str, roles: Roles) -> None:
    """Accept nothing of a subject any more, from the next second on every replica.

    Raises:
        UnknownName: there is none.
        UsageError: nobody could administer then.
    """
    change(connection, id)
    get(connection, id)
    _set(connection, id, disabled=True, tokens_from_us=now_us())
    _require_administrator(connection, roles)


def enable(connection: Connection, id: str) -> None:
    """Accept a disabled subject again; tokens and sessions from before stay void.

    Raises:
        UnknownName: there is none.
    """
    change(connection, id)
    get(connection, id)
    _set(connection, id, disabled=False)


def sign_out(connection: Connection, id: str) -> None:
    """Make every token and session void that a subject was given until now; its keys stay good.

    Raises:
        UnknownName: there is none.
    """
    change(connection, id)
    get(connection, id)
    _set(connection, id, tokens_from_us=now_us())


def _set(connection: Connection, id: str, **values: Any) -> None:
    connection.execute(update(tables.subjects).where(tables.subjects.c.id == id).values(**values))


def assigned(connection: Connection, subject: str | None = None) -> list[Assignment]:
    """Return the assignments of a subject, or of everybody, sorted."""
    table = tables.assignments
    query = select(table).order_by(table.c.subject, table.c.role, table.c.model)
    if subject is not None:
        query = query.where(table.c.subject == subject)
    return [Assignment(**row._mapping) for row in connection.execute(query)]


def grant(
    connection: Connection, roles: Roles, subject: str, role: str, model: str = EVERY_MODEL, *, by: str
) -> list[Separation]:
    """Give a role, for one model or for all.

    Returns:
        Separations of duties that are broken now and are only told, not refused.

    Raises:
        UnknownName: no such subject or role.
        UsageError: no model's name, a role that gives nothing for one model, or a separation that is refused.
    """
    change(connection, subject)
    get(connection, subject)
    named = roles.named(role)
    if MODEL.fullmatch(model) is None:
        raise UsageError(f"{model[:40]!r} is no model's name", hint="name one model, or * for all")
    if not roles.grants([(role, model)]):
        raise UsageError(f"role {role!r} gives nothing for one model", hint="give it for all, without --model")
    before = _grants(connection, roles, subject)
    row = {"subject": subject, "role": named.name, "model": model, "since_us": now_us(), "by": by}
    insert_new(connection, tables.assignments, [row])
    known = conflicts(before)
    broken = [found for found in conflicts(_grants(connection, roles, subject)) if found not in known]
    refused = next((found for found in broken if found.refused and roles.strict), None)
    if refused is not None:
        raise UsageError(
            f"{subject} would hold {_met(refused.one, named.actions)} and what must stay apart from it: {refused.why}",
            hint='give the role to somebody else, or set separation = "warned" under [identity]',
        )
    return broken


def _met(one: frozenset[str], actions: frozenset[str]) -> str:
    return ", ".join(sorted(one & actions) or sorted(one))


def revoke(connection: Connection, roles: Roles, subject: str, role: str, model: str = EVERY_MODEL) -> None:
    """Take a role away.

    Raises:
        UsageError: it was not given, or nobody could administer then.
    """
    change(connection, subject)
    table = tables.assignments
    where = (table.c.subject == subject) & (table.c.role == role) & (table.c.model == model)
    if not connection.execute(delete(table).where(where).returning(table.c.role)).all():
        held = ", ".join(f"{a.role} ({a.model})" for a in assigned(connection, subject)) or "no role"
        raise UsageError(f"{subject} does not have role {role!r} for {model!r}", hint=f"it has {held}")
    _require_administrator(connection, roles)


def _grants(connection: Connection, roles: Roles, subject: str) -> frozenset[tuple[str, str]]:
    return roles.grants((given.role, given.model) for given in assigned(connection, subject))


def administrators(connection: Connection, roles: Roles) -> list[str]:
    """Return who may change who may do what, and is not disabled."""
    names = [role.name for role in roles.by_name.values() if ADMINISTRATION in role.actions]
    held, subject = tables.assignments, tables.subjects
    query = (
        select(subject.c.id)
        .join(held, held.c.subject == subject.c.id)
        .where(held.c.role.in_(names), held.c.model == EVERY_MODEL, subject.c.disabled.is_(False))
        .distinct()
        .order_by(subject.c.id)
    )
    return list(connection.execute(query).scalars())


def _require_administrator(connection: Connection, roles: Roles) -> None:
    # the transaction ends with this error, so that what it did never was
    if not administrators(connection, roles):
        raise UsageError(
            "nobody could say who may do what any more: this is the last administrator",
            hint="redan identity grant SUBJECT administrator, to somebody else first",
        )
