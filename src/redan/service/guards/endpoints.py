"""Routes of the guards: an explanation on request."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from starlette.responses import Response

from redan.core.errors import UsageError
from redan.service.gateway.call import Batch, Call
from redan.service.gateway.refusal import INVALID, NOT_FOUND, OVERLOADED, TOO_LARGE, Refusal
from redan.service.gateway.rows import fitted
from redan.service.guards.detectors import Suspects
from redan.service.guards.explaining import Explained, background_of, explain, parts_of, probabilities, queries_of
from redan.service.guards.validation import Validation
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from redan.service.models.served import Served

MOST_AT_ONCE = 2
"""Explanations under way; each is many queries."""
NOT_OFFERED = Refusal(404, "not-offered", "this gateway explains no answers of this model")
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
        queries: what it cost of the client's budget.
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
    _guard(asked, served, row, getattr(parts.watching, "suspects", None))
    try:
        queries = queries_of(len(weighed.names), guards.explain_queries)
    except UsageError as err:
        raise Refused(NOT_OFFERED) from err
    refusal = parts.limiter.take(principal.id, queries)
    if refusal is not None:
        raise Refused(refusal)
    asked.note.update(queries=queries, model=served.label, digest=served.digest)
    found = await _bounded(asked, served, row)
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
        queries=found.queries,
    )
    return Response(msgspec.json.encode(body), media_type="application/json")


async def _bounded(asked: Asked, served: Served, row: np.ndarray[Any, Any]) -> Explained:
    global _under_way  # noqa: PLW0603  # one count for the process: the bound is on its CPU
    if _under_way >= MOST_AT_ONCE:
        raise Refused(OVERLOADED)
    _under_way += 1
    try:
        return await asyncio.to_thread(_explained, asked, served, row)
    finally:
        _under_way -= 1


def _explained(asked: Asked, served: Served, row: np.ndarray[Any, Any]) -> Explained:
    return explain(
        probabilities(served),
        row,
        _background(served, asked.parts.root),
        parts_of(served.shape, served.columns),
        label=asked.body.label,
        most_queries=asked.parts.settings.serve.guards.explain_queries,
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


def _guard(asked: Asked, served: Served, row: np.ndarray[Any, Any], suspects: Suspects | None) -> None:
    """Let the guards of predictions judge the row too."""
    if asked.principal is None:
        raise Refused(INVALID)
    addr = asked.request.client.host if asked.request.client else ""
    call = Call(
        principal=asked.principal, served=served, x=row[None], body=b"", began_s=perf_counter(), id="", addr=addr,
        write=lambda _: b"", done=lambda _: None,
    )  # fmt: skip
    batch = Batch(served, [call])
    if suspects is not None:
        suspects.before(batch)
    if asked.parts.settings.serve.guards.validation and call.refusal is None:
        Validation(served).before(batch)
    if call.refusal is not None:
        asked.note.update(call.note or {})
        raise Refused(call.refusal)


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
)
