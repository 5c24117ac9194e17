"""The first page: what answers, what is refused and why, what is open; and the pages of one model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from redan.service.console.rendering import render, viewer_of
from redan.service.incidents import timeline
from redan.service.models.endpoints import view_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from redan.service.console.rendering import Viewer
    from redan.service.incidents.incident import Incident
    from redan.service.models.pool import Pool
    from redan.service.monitoring.health import Health
    from redan.service.monitoring.recorder import Counting
    from redan.service.parts import Parts
    from redan.service.web.endpoint import Asked


def pool_of(asked: Asked) -> Pool:
    """Return the served models."""
    return cast("Pool", asked.parts.models)


async def show(asked: Asked) -> Response:
    """Show the overview, as much of it as whoever asks may see."""
    parts = asked.parts
    viewer = viewer_of(asked.principal, parts)
    health: Health = parts.more["health"]
    missing = await health.check()
    incidents: list[Incident] | None = None
    if viewer.may("incidents.read"):
        incidents = [each for each in await asyncio.to_thread(_incidents, parts) if each.state != "closed"]
    return render(
        asked,
        "console_overview.html",
        missing=missing if viewer.sees("models.read") else dict.fromkeys(missing, ""),
        versions=_versions(asked, viewer),
        incidents=incidents,
        replica=parts.replica,
        admission=parts.settings.serve.admission,
        audit=parts.settings.audit.mode,
    )


def _incidents(parts: Parts) -> list[Incident]:
    with parts.database.reading() as connection:
        return timeline.listed(connection, limit=20)


def _versions(asked: Asked, viewer: Viewer) -> list[dict[str, Any]]:
    pool = pool_of(asked)
    return [
        {"view": view_of(pool, each), **traffic(asked.parts, each.source.settings.name, each.source.settings.version)}
        for each in pool.versions()
        if viewer.may("models.read", each.source.settings.name)
    ]


def traffic(parts: Parts, name: str, version: str) -> dict[str, int]:
    """Return how many requests of a version this replica answered and refused since its start."""
    lane = cast("Counting", parts.recorder).lanes.get((name, version))
    answered = 0 if lane is None else lane.status.get(200, 0)
    refused = 0 if lane is None else sum(lane.status.values()) - answered
    return {"answered": answered, "refused": refused}
