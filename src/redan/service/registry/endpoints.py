"""The registry over HTTP: what is in it, and the steps that only people with a fresh second factor may take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import msgspec
from starlette.responses import Response

from redan.core.codec import encode
from redan.core.errors import UsageError
from redan.evidence.statements.policy import policy_of
from redan.service.registry.listing import TransitionRow, VersionRow, transitions, versions
from redan.service.registry.moving import move, roll_back
from redan.service.registry.pushing import Person
from redan.service.web.answers import json
from redan.service.web.endpoint import Asked, Endpoint, get, post

if TYPE_CHECKING:
    from redan.service.models.pool import Pool
    from redan.service.registry.history import History
    from redan.service.registry.opening import Registry
    from redan.service.registry.transition import Act


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """Why a step is taken."""

    why: str = ""


async def _list(asked: Asked) -> Response:
    histories = await asyncio.to_thread(_registry(asked).histories)
    return json([encode(row) for row in versions(histories)])


async def _one(asked: Asked) -> Response:
    name = asked.request.path_params["name"]
    found = await asyncio.to_thread(_registry(asked).history, name)
    return json([encode(row) for row in transitions(found)])


def _moving(act: str) -> Callable[[Asked], Awaitable[Response]]:
    async def moved(asked: Asked) -> Response:
        names, admission = asked.request.path_params, cast("Pool", asked.parts.models).settings.admission
        policy = policy_of(admission, asked.parts.root) if admission.require else None
        registry, by = _registry(asked), _person(asked)
        wanted: Act = "canary" if act == "canary" else "promote"
        found = await asyncio.to_thread(
            lambda: move(registry, names["name"], names["version"], wanted, by=by, policy=policy)
        )
        return _state(asked, found)

    return moved


async def _roll_back(asked: Asked) -> Response:
    registry, by, name = _registry(asked), _person(asked), asked.request.path_params["name"]
    found = await asyncio.to_thread(lambda: roll_back(registry, name, by=by))
    return _state(asked, found)


def _state(asked: Asked, found: History) -> Response:
    asked.note["transition"] = found.head
    return json([encode(row) for row in versions({found.name: found})])


def _registry(asked: Asked) -> Registry:
    registry: Registry | None = asked.parts.more.get("registry")
    if registry is None:
        raise UsageError("this gateway has no registry", hint="redan registry init")
    return registry


def _person(asked: Asked) -> Person:
    return Person(who=asked.principal.id if asked.principal else "-", why=asked.body.why)


ENDPOINTS: tuple[Endpoint, ...] = (
    get("/v1/registry", "registry.read", _list, "List every version of every model", gives=list[VersionRow]),
    get(
        "/v1/registry/{name}",
        "registry.read",
        _one,
        "List what happened to a model, verified",
        gives=list[TransitionRow],
    ),
    post(
        "/v1/registry/{name}/versions/{version}/canary",
        "registry.promote",
        _moving("canary"),
        "Let a version answer a share of clients",
        takes=Reason,
        gives=list[VersionRow],
    ),
    post(
        "/v1/registry/{name}/versions/{version}/promote",
        "registry.promote",
        _moving("promote"),
        "Make a version live",
        takes=Reason,
        gives=list[VersionRow],
    ),
    post(
        "/v1/registry/{name}/rollback",
        "registry.promote",
        _roll_back,
        "Make the version before live again",
        takes=Reason,
        gives=list[VersionRow],
    ),
)
