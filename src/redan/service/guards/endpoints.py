"""Routes of the guards: an explanation on request; who is held back, to hold one back and to let one go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from redan.core.errors import UsageError
from redan.service.gateway import native
from redan.service.gateway.call import Call
from redan.service.gateway.refusal import INVALID, NOT_FOUND, OVERLOADED, TOO_LARGE, Refusal
from redan.service.gateway.rows import fitted
from redan.service.guards import held
from redan.service.guards.explaining import Explained, background_of, explain, parts_of, probabilities, queries_of
from redan.service.web.answers import done, json, read
from redan.service.web.app import address, request_id
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.responses import Response

    from redan.service.gateway.app import DataPlane
    from redan.service.guards.detectors import Suspects
    from redan.service.identity.principal import Principal
    from redan.service.models.served import Served

MOST_AT_ONCE = 2
"""Explanations under way; each is many queries."""
NOT_OFFERED = Refusal(404, "not-offered", "this gateway explains no answers of this model")
MOST_HOURS = 24 * 90
_under_way = 0


class Why(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to be explained.

    Attributes:
        x: one row, as numbers in the shape that the model takes.
        version: which version; the one that answers when empty.
        label: class to explain; the answered one when left out.
    """

    x: list[Any]
    version: str = ""
    label: int | None = None


class Because(msgspec.Struct, kw_only=True):
    """An explanation: what each part of the row adds to the probability of a class.

    Attributes:
        model: ``name@version``.
        digest: SHA-256 of the model.
        label: class that is explained.
        score: its probability.
        base: its probability for a row of which nothing is known.
        parts: names of columns or regions.
        values: what each adds; they sum to score - base.
        errors: half width of each value's 95 % interval; null where one permutation was all the budget allowed.
        queries: rows that the model was asked, which the client has paid for.
        method: how it was found.
    """

    model: str
    digest: str
    label: int
    score: float
    base: float
    parts: list[str]
    values: list[float]
    errors: list[float | None]
    queries: int
    method: str = "permutation-shapley"


class Slowing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How far a client is slowed down.

    Attributes:
        rate_per_s: rows a second that are left; 0 suspends it.
        hours: for how long.
    """

    rate_per_s: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.1
    hours: Annotated[float, msgspec.Meta(gt=0, le=MOST_HOURS)] = 24.0


class Slowed(msgspec.Struct, kw_only=True):
    """A client that is slowed down.

    Attributes:
        client: who.
        rate_per_s: rows a second that are left; 0: suspended.
        until_us: until when, microseconds since the epoch.
        incidents: numbers of those that hold it; none: a person does.
    """

    client: str
    rate_per_s: float
    until_us: int
    incidents: list[int]


class AllSlowed(msgspec.Struct, kw_only=True):
    """Clients that are slowed down, the suspended first."""

    clients: list[Slowed]


async def get_throttled(asked: Asked) -> Response:
    """List who is held back."""
    return json(AllSlowed(clients=await slowed(asked)))


async def slowed(asked: Asked) -> list[Slowed]:
    """Return who is held back, the suspended first."""
    now = asked.parts.limiter.throttled()
    return [
        Slowed(client=each.client, rate_per_s=each.rate_per_s, until_us=each.until_us, incidents=list(each.incidents))
        for each in await read(asked, lambda connection: held.listed(connection, now))
    ]


async def post_throttle(asked: Asked) -> Response:
    """Hold a client back."""
    await hold_back(asked, asked.request.path_params["client"], asked.body)
    return done()


async def hold_back(asked: Asked, client: str, how: Slowing) -> None:
    """Hold a client back, at every replica, and note it for the record.

    Raises:
        UnknownName: the directory does not know it.
        UsageError: an incident holds it harder or longer.
    """
    rate, until_s = how.rate_per_s, time.time() + how.hours * 3600
    asked.note.update(did="throttled" if rate else "suspended", client=client, rate_per_s=rate)
    await read(asked, lambda connection: held.require_slowable(connection, client, rate, until_s))
    await asked.parts.limiter.throttle(client, rate_per_s=rate, until_s=until_s)


async def post_release(asked: Asked) -> Response:
    """Let a client go."""
    await let_go(asked, asked.request.path_params["client"])
    return done()


async def let_go(asked: Asked, client: str) -> None:
    """Let a client go that no incident holds; monitors that found it deny it no longer.

    Raises:
        UsageError: an incident holds it.
    """
    asked.note.update(did="released", client=client)
    await read(asked, lambda connection: held.require_free(connection, client))
    suspects: Suspects | None = getattr(asked.parts.watching, "suspects", None)
    if suspects is not None:
        suspects.let_go(client)
    await asked.parts.limiter.throttle(client, rate_per_s=None, until_s=time.time())


async def post_explain(asked: Asked) -> Response:
    """Explain one answer, at the price of its queries."""
    parts, principal, name = asked.parts, asked.principal, asked.request.path_params["name"]
    guards, why = parts.settings.serve.guards, asked.body
    if principal is None or not isinstance(why, Why):
        raise Refused(INVALID)
    served = parts.models.choose(name, why.version, principal.id)
    if served is None:
        raise Refused(NOT_FOUND)
    if not guards.explanations or guards.labels_only or guards.dp_epsilon or not served.score_kind:
        raise Refused(NOT_OFFERED)
    if guards.top and why.label is not None:
        raise Refused(NOT_OFFERED, "this gateway explains the answered class alone")
    row, weighed = _row(why, served), parts_of(served.shape, served.columns)
    try:
        # the row itself is asked as a prediction first
        queries = 1 + queries_of(len(weighed.names), guards.explain_queries - 1)
    except UsageError as err:
        raise Refused(NOT_OFFERED) from err
    with _turn():
        refusal = parts.limiter.take(principal.id, queries)
        if refusal is not None:
            raise Refused(refusal)
        asked.note.update(queries=queries, model=served.label, digest=served.digest)
        await _predicted(asked, principal, served, row)
        found = await asyncio.to_thread(_explained, asked, served, row)
    digits = guards.round_digits if guards.round_digits >= 0 else 9
    body = Because(
        model=served.label,
        digest=served.digest,
        label=found.label,
        score=round(found.score, digits),
        base=round(found.base, digits),
        parts=list(found.parts),
        values=[round(float(value), digits) for value in found.values],
        errors=[round(float(error), digits) if np.isfinite(error) else None for error in found.errors],
        queries=queries,
    )
    return json(body)


@contextmanager
def _turn() -> Iterator[None]:
    global _under_way  # noqa: PLW0603  # one count for the process: the bound is on its CPU
    if _under_way >= MOST_AT_ONCE:
        raise Refused(OVERLOADED)
    _under_way += 1
    try:
        yield
    finally:
        _under_way -= 1


async def _predicted(asked: Asked, principal: Principal, served: Served, row: np.ndarray[Any, Any]) -> None:
    """Ask for the row's answer as any request does: guards and detectors judge it, watchers and the record see it."""
    plane: DataPlane = asked.parts.more["plane"]
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    call = Call(
        principal=principal,
        served=served,
        x=row[None],
        body=msgspec.json.encode({"x": [asked.body.x]}),
        began_s=perf_counter(),
        id=request_id(asked.request),
        addr=address(asked.request),
        write=native.write,
        done=lambda call: None if answered.done() else answered.set_result(None),
    )
    await plane.ask(call, answered)
    if call.refusal is not None:
        asked.note.update(call.note or {})
        raise Refused(call.refusal)


def _explained(asked: Asked, served: Served, row: np.ndarray[Any, Any]) -> Explained:
    return explain(
        probabilities(served),
        row,
        _background(served, asked.parts.root),
        parts_of(served.shape, served.columns),
        label=asked.body.label,
        most_queries=asked.parts.settings.serve.guards.explain_queries - 1,
        seed=int.from_bytes(sha256(row.tobytes()).digest()[:4], "big"),
    )


@lru_cache(maxsize=32)
def _background(served: Served, root: Path) -> np.ndarray[Any, Any]:
    from redan.service.models.loading import extras_of

    return background_of(served, extras_of(served.settings, root).sample)


def _row(why: Why, served: Served) -> np.ndarray[Any, Any]:
    try:
        values = np.asarray(why.x, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise Refused(INVALID, "x is one row of numbers") from err
    if values.size != int(np.prod(served.shape)):
        raise Refused(TOO_LARGE if values.size > np.prod(served.shape) else INVALID, "x is one row of this model")
    return np.asarray(fitted(values.reshape(1, *served.shape), served, 1)[0])


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path="/v1/models/{name}/explain",
        action="explain",
        handler=post_explain,
        summary="Explain one answer; it costs the client's budget as many rows as it asks the model.",
        model="name",
        takes=Why,
        gives=Because,
    ),
    Endpoint(
        method="GET",
        path="/v1/clients/throttled",
        action="incidents.read",
        handler=get_throttled,
        summary="List clients that are held back, by whom and until when.",
        gives=AllSlowed,
    ),
    Endpoint(
        method="POST",
        path="/v1/clients/{client}/throttle",
        action="clients.throttle",
        handler=post_throttle,
        summary="Leave a client so many rows a second for a while; 0 suspends it.",
        takes=Slowing,
    ),
    Endpoint(
        method="POST",
        path="/v1/clients/{client}/release",
        action="clients.throttle",
        handler=post_release,
        summary="Let a client go that no incident holds.",
    ),
)
