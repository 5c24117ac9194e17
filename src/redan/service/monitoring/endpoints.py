"""Routes of monitoring: metrics, liveness, readiness."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, cast

import msgspec
from starlette.responses import Response

from redan.core.errors import ConfigError
from redan.service.gateway.protocol import PROXIED
from redan.service.gateway.refusal import FORBIDDEN, UNKNOWN
from redan.service.monitoring.exposition import present
from redan.service.monitoring.health import Health
from redan.service.monitoring.recorder import Counting
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_JSON = "application/json"


class Live(msgspec.Struct, kw_only=True):
    """The process answers."""

    live: bool


class Ready(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Whether this replica should be asked.

    Attributes:
        ready: whether nothing is missing.
        missing: parts that are not ready: ``draining``, ``models``, ``audit``, ``database``.
        why: a sentence by part, for who may read metrics.
    """

    ready: bool
    missing: tuple[str, ...] = ()
    why: dict[str, str] = msgspec.field(default_factory=dict)


@lru_cache(maxsize=16)
def networks(metrics_from: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read the addresses and networks that may read metrics without a login.

    Raises:
        ConfigError: one is neither.
    """
    try:
        return tuple(ip_network(word) for word in metrics_from)
    except ValueError as err:
        raise ConfigError(
            f"[serve] metrics_from: {err}", hint='write addresses or networks: ["127.0.0.1", "10.0.0.0/8"]'
        ) from None


def from_near(request: Request, metrics_from: tuple[str, ...]) -> bool:
    """Return whether a request comes from an allowed address, straight or through a proxy of ``[serve] proxies``.

    Another proxy on the same machine makes the whole world look local: what says that it was passed on is not near.
    """
    forwarded = PROXIED not in request.scope and any(name in request.headers for name in _PROXIED)
    if request.client is None or forwarded:
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks(metrics_from))


def _trusted(asked: Asked) -> bool:
    if asked.principal is not None and asked.principal.may("metrics.read"):
        return True
    return from_near(asked.request, asked.parts.settings.serve.metrics_from)


async def metrics(asked: Asked) -> Response:
    """Answer what Prometheus asks.

    Raises:
        Refused: neither an allowed address nor somebody who may read metrics.
    """
    if not _trusted(asked):
        raise Refused(UNKNOWN if asked.principal is None else FORBIDDEN)
    counting = cast("Counting", asked.parts.recorder)
    now = present(asked.parts, counting)
    body, content_type = await asyncio.to_thread(now.written, asked.request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


async def live(asked: Asked) -> Response:
    """Answer as long as the event loop turns."""
    return Response(b'{"live":true}', media_type=_JSON)


async def ready(asked: Asked) -> Response:
    """Answer 200 when this replica should be asked, else 503 with the parts that are missing."""
    health: Health = asked.parts.more["health"]
    missing = await health.check()
    shown = Ready(ready=not missing, missing=tuple(missing), why=missing if _trusted(asked) else {})
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": "1"} if missing else {})
    return Response(msgspec.json.encode(shown), status_code=503 if missing else 200, media_type=_JSON, headers=headers)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="GET", path="/metrics", action=None, handler=metrics, audited=False,
        summary="metrics for Prometheus, for those with metrics.read and for [serve] metrics_from",
    ),
    Endpoint(
        method="GET", path="/health/live", action=None, handler=live, audited=False, gives=Live,
        summary="whether the process answers",
    ),
    Endpoint(
        method="GET", path="/health/ready", action=None, handler=ready, audited=False, gives=Ready,
        summary="whether this replica should be asked",
    ),
)  # fmt: skip
