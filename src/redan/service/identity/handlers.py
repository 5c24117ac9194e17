"""Handlers: who there is, what roles they have, reviews."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import Response

from redan.core.errors import UsageError
from redan.service.identity import directory, wire
from redan.service.identity.answering import not_oneself, roles_of, who
from redan.service.identity.review import decide as decided
from redan.service.identity.review import review as reviewed
from redan.service.web.answers import done, json, read, write

if TYPE_CHECKING:
    from redan.service.web.endpoint import Asked

PAGE = 500
Handler = Callable[["Asked"], Awaitable[Response]]


def list_subjects(prefix: str) -> Handler:
    """Make the handler that lists subjects of a kind."""

    async def answer(asked: Asked) -> Response:
        """List some of them."""
        after = asked.request.query_params.get("after", "")[:200]
        found = await read(asked, lambda connection: directory.page(connection, prefix, after, PAGE))
        return json([wire.subject_shown(subject) for subject in found])

    return answer


def add_subject(prefix: str) -> Handler:
    """Make the handler that makes a subject of a kind."""

    async def answer(asked: Asked) -> Response:
        """Make one."""
        id, by = prefix + asked.body.name.removeprefix(prefix), who(asked).id
        asked.note.update(did="subject added", subject=id)
        made = await write(asked, lambda connection: directory.add(connection, id, title=asked.body.title, by=by))
        return json(wire.subject_shown(made), 201)

    return answer


async def disable(asked: Asked) -> Response:
    """Accept nothing of somebody any more."""
    id = _named(asked, "disabled")
    not_oneself(asked, id)
    await write(asked, lambda connection: directory.disable(connection, id, roles_of(asked)))
    return done()


async def enable(asked: Asked) -> Response:
    """Accept somebody again."""
    id = _named(asked, "enabled")
    await write(asked, lambda connection: directory.enable(connection, id))
    return done()


async def sign_out(asked: Asked) -> Response:
    """End somebody's sessions and tokens."""
    id = _named(asked, "signed out")
    await write(asked, lambda connection: directory.sign_out(connection, id))
    return done()


def _named(asked: Asked, did: str) -> str:
    id = str(asked.request.path_params["id"])
    asked.note.update(did=did, subject=id[:200])
    return id


async def list_roles(asked: Asked) -> Response:
    """List every role."""
    return json(
        [
            wire.RoleShown(name=role.name, title=role.title, actions=sorted(role.actions), built_in=role.built_in)
            for role in roles_of(asked).by_name.values()
        ]
    )


async def list_grants(asked: Asked) -> Response:
    """List who has which role."""
    subject = asked.request.query_params.get("subject")
    found = await read(asked, lambda connection: directory.assigned(connection, subject))
    return json([wire.grant_shown(given) for given in found])


async def give(asked: Asked) -> Response:
    """Give a role."""
    body, by, roles = asked.body, who(asked).id, roles_of(asked)
    not_oneself(asked, body.subject)
    asked.note.update(did="role given", subject=body.subject[:200], role=body.role[:200], model=body.model[:200])
    broken = await write(
        asked, lambda connection: directory.grant(connection, roles, body.subject, body.role, body.model, by=by)
    )
    return json(wire.Granted(mind=[separation.why for separation in broken]))


async def take(asked: Asked) -> Response:
    """Take a role away."""
    body, roles = asked.body, roles_of(asked)
    asked.note.update(did="role taken", subject=body.subject[:200], role=body.role[:200], model=body.model[:200])
    await write(asked, lambda connection: directory.revoke(connection, roles, body.subject, body.role, body.model))
    return done()


async def show_review(asked: Asked) -> Response:
    """Say who has what, of some of them."""
    settings, roles = asked.parts.settings, roles_of(asked)
    after = asked.request.query_params.get("after", "")[:200]
    lines = await read(asked, lambda connection: reviewed(connection, settings, roles, after=after, most=PAGE))
    return json([wire.line_shown(line) for line in lines])


async def decide(asked: Asked) -> Response:
    """Record what a reviewer decided."""
    body, roles, by = asked.body, roles_of(asked), who(asked).id
    if body.decision == "keep":
        not_oneself(asked, body.subject)
    facts = {
        "did": "access reviewed",
        "subject": body.subject[:200],
        "role": body.role[:200],
        "model": body.model[:200],
    }
    asked.note.update(facts, decision=body.decision)
    if not body.note.isprintable():
        raise UsageError("the note has characters that cannot be printed")
    await write(
        asked,
        lambda connection: decided(
            connection,
            roles,
            subject=body.subject,
            role=body.role,
            model=body.model,
            decision=body.decision,
            by=by,
            note=body.note,
        ),
    )
    return done()
