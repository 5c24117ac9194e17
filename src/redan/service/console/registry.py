"""Pages of the registry: versions and what became of them; every transition of one model, verified."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redan.core.errors import UnknownName
from redan.evidence.store.clear import read_us
from redan.service.console.rendering import render
from redan.service.registry.listing import transitions, versions

if TYPE_CHECKING:
    from starlette.responses import Response

    from redan.service.registry.opening import Registry
    from redan.service.web.endpoint import Asked


async def show(asked: Asked) -> Response:
    """Show every version of every model."""
    registry = _registry(asked)
    rows = [] if registry is None else versions(await asyncio.to_thread(registry.histories))
    return render(
        asked,
        "console_registry.html",
        there=registry is not None,
        rows=[{"row": row, "pushed_us": read_us(row.pushed, "a push")} for row in rows],
    )


async def one(asked: Asked) -> Response:
    """Show what happened to a model."""
    registry, name = _registry(asked), asked.request.path_params["name"]
    if registry is None:
        raise UnknownName("this gateway has no registry")
    found = await asyncio.to_thread(registry.history, name)
    if not found.transitions:
        raise UnknownName(f"the registry has no model {name[:64]!r}")
    return render(
        asked,
        "console_registry_model.html",
        name=name,
        versions=versions({name: found}),
        before=found.before[-1] if found.before else "",
        transitions=[{"row": row, "at_us": read_us(row.at, "a transition")} for row in reversed(transitions(found))],
    )


def _registry(asked: Asked) -> Registry | None:
    registry: Registry | None = asked.parts.more.get("registry")
    return registry
