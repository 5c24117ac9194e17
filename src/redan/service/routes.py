"""Every row of the table of routes, room by room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.openapi import document

if TYPE_CHECKING:
    from redan.service.parts import Parts


def routes(parts: Parts) -> tuple[Endpoint, ...]:
    """Return the table; ``/openapi.json`` describes it, itself included."""
    from redan.service.audit.endpoints import ENDPOINTS as AUDIT
    from redan.service.console.endpoints import ENDPOINTS as CONSOLE
    from redan.service.gateway.described import PATHS
    from redan.service.guards.endpoints import ENDPOINTS as GUARDS
    from redan.service.identity.endpoints import ENDPOINTS as IDENTITY
    from redan.service.identity.login.endpoints import ENDPOINTS as LOGIN
    from redan.service.incidents.endpoints import ENDPOINTS as INCIDENTS
    from redan.service.models.endpoints import ENDPOINTS as MODELS
    from redan.service.monitoring.endpoints import ENDPOINTS as MONITORING
    from redan.service.registry.endpoints import ENDPOINTS as REGISTRY
    from redan.service.watching.endpoints import ENDPOINTS as WATCHING

    rooms = (*MONITORING, *MODELS, *GUARDS, *WATCHING, *IDENTITY, *LOGIN, *AUDIT, *INCIDENTS, *REGISTRY, *CONSOLE)
    described: list[bytes] = []

    async def openapi(asked: Asked) -> Response:
        """Return the document."""
        return Response(described[0], media_type="application/json")

    own = Endpoint(
        method="GET",
        path="/openapi.json",
        action=None,
        handler=openapi,
        summary="This document",
        audited=False,
    )
    table = (*rooms, own)
    described.append(msgspec.json.encode(document(table, PATHS)))
    return table
