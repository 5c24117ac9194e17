"""Routes of models: which there are and why they may answer, comparison, promote, roll back, quarantine, reload."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import msgspec
from starlette.responses import Response

from redan.service.web.answers import json
from redan.service.web.endpoint import Asked, Endpoint, get, post

if TYPE_CHECKING:
    from redan.core.finding import Quantity
    from redan.service.models.comparison import Compared
    from redan.service.models.pool import Pool
    from redan.service.models.versions import Version


class VersionView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One version.

    Attributes:
        name: of the model.
        version: as clients call it.
        role: what it does now: live, canary, shadow, standby, quarantined, or refused.
        share: of clients that a canary answers.
        digest: SHA-256 of what is loaded, hexadecimal.
        verdict: of admission; empty in a laboratory.
        why: why it may not answer, or why newer bytes at its target were not loaded.
        inputs: shape of one row.
        classes: names of the classes, where they are known.
    """

    name: str
    version: str
    role: str
    share: float = 0.0
    digest: str = ""
    verdict: str = ""
    why: str = ""
    inputs: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()


class ModelList(msgspec.Struct, kw_only=True):
    """Every version that whoever asks may see."""

    models: list[VersionView]


class StatementsView(msgspec.Struct, kw_only=True):
    """Why a version may answer, or may not.

    Attributes:
        name: of the model.
        version: as clients call it.
        digest: SHA-256 of what is loaded, hexadecimal.
        verdict: of admission.
        at: when it was judged, ISO 8601.
        met: a sentence for each requirement that is met.
        notes: statements that do not count, and why.
        why: why it may not answer; empty while it may.
    """

    name: str
    version: str
    digest: str
    verdict: str
    at: str
    met: tuple[str, ...]
    notes: tuple[str, ...]
    why: str


class NumberView(msgspec.Struct, kw_only=True):
    """A measured number with its 95 % interval; null where too little was seen."""

    name: str
    unit: str
    n: int
    value: float | None
    low: float | None
    high: float | None


class ComparedView(msgspec.Struct, kw_only=True):
    """One version against the live one, on the same rows."""

    live: str
    live_digest: str
    other: str
    other_digest: str
    verdict: str
    pace: str
    numbers: list[NumberView]


class Comparisons(msgspec.Struct, kw_only=True):
    """Every comparison of one model.

    Attributes:
        compared: by version.
        dropped: batches that were not compared, of any model, because too much waited.
    """

    compared: list[ComparedView]
    dropped: int


class Promoting(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which version becomes live."""

    version: str


class Quarantining(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which version leaves service; every one when empty."""

    version: str = ""


def _pool(asked: Asked) -> Pool:
    return cast("Pool", asked.parts.models)


def view_of(pool: Pool, version: Version) -> VersionView:
    """Return what is told of a version."""
    settings, served, decision = version.source.settings, version.served, version.decision
    role = "refused" if version.why else pool.role(settings)
    return VersionView(
        name=settings.name,
        version=settings.version,
        role=role,
        share=settings.share if role == "canary" else 0.0,
        digest=version.digest,
        verdict="" if decision is None else decision.verdict,
        why=version.why or version.newer,
        inputs=() if served is None else served.shape,
        classes=() if served is None else served.classes,
    )


async def _list(asked: Asked) -> Response:
    pool, who = _pool(asked), asked.principal
    seen = [
        view_of(pool, each)
        for each in pool.versions()
        if who is not None and who.may("models.read", each.source.settings.name)
    ]
    return json(ModelList(models=seen))


async def _model(asked: Asked) -> Response:
    pool, name = _pool(asked), asked.request.path_params["name"]
    return json(ModelList(models=[view_of(pool, each) for each in pool.of(name)]))


async def _statements(asked: Asked) -> Response:
    path = asked.request.path_params
    found = _pool(asked).version(path["name"], path["version"])
    decision = found.decision
    view = StatementsView(
        name=path["name"],
        version=path["version"],
        digest=found.digest,
        verdict="" if decision is None else decision.verdict,
        at="" if decision is None else decision.at,
        met=() if decision is None else decision.met,
        notes=() if decision is None else decision.notes,
        why=found.why,
    )
    return json(view)


async def _comparison(asked: Asked) -> Response:
    pool, name = _pool(asked), asked.request.path_params["name"]
    pool.of(name)
    found = [_compared(each) for each in pool.comparing.results() if each.live.rpartition("@")[0] == name]
    return json(Comparisons(compared=found, dropped=pool.comparing.dropped))


def _compared(found: Compared) -> ComparedView:
    return ComparedView(
        live=found.live,
        live_digest=found.digests[0],
        other=found.other,
        other_digest=found.digests[1],
        verdict=found.verdict,
        pace=found.pace,
        numbers=[_number(each) for each in (*found.quantities, found.slowdown)],
    )


def _number(found: Quantity) -> NumberView:
    value, low, high = (each if math.isfinite(each) else None for each in (found.value, found.low, found.high))
    return NumberView(name=found.name, unit=found.unit, n=found.n, value=value, low=low, high=high)


async def _promote(asked: Asked) -> Response:
    pool, name = _pool(asked), asked.request.path_params["name"]
    asked.note["version"] = asked.body.version
    await pool.promote(name, asked.body.version)
    return json(view_of(pool, pool.version(name, asked.body.version)))


async def _rollback(asked: Asked) -> Response:
    pool, name = _pool(asked), asked.request.path_params["name"]
    served = await pool.rollback(name)
    asked.note["version"] = served.settings.version
    return json(view_of(pool, pool.version(name, served.settings.version)))


async def _quarantine(asked: Asked) -> Response:
    pool, name = _pool(asked), asked.request.path_params["name"]
    asked.note["version"] = asked.body.version
    await pool.quarantine(name, asked.body.version)
    return await _model(asked)


async def _reload(asked: Asked) -> Response:
    await _pool(asked).reload()
    return await _list(asked)


_MODEL = "/v1/models/{name}"
ENDPOINTS: tuple[Endpoint, ...] = (
    get(
        "/v1/models",
        "models.read",
        _list,
        "Every version with its role, digest and verdict",
        gives=ModelList,
        audited=False,
    ),
    get(_MODEL, "models.read", _model, "The versions of a model", model="name", gives=ModelList, audited=False),
    get(
        f"{_MODEL}/versions/{{version}}/statements",
        "models.read",
        _statements,
        "Why a version may answer",
        model="name",
        gives=StatementsView,
        audited=False,
    ),
    get(
        f"{_MODEL}/comparison",
        "models.read",
        _comparison,
        "Canaries and shadows against the live version",
        model="name",
        gives=Comparisons,
        audited=False,
    ),
    post(
        f"{_MODEL}/promote",
        "models.promote",
        _promote,
        "Judge a version again and make it live",
        model="name",
        takes=Promoting,
        gives=VersionView,
    ),
    post(
        f"{_MODEL}/rollback",
        "models.rollback",
        _rollback,
        "Make the version before live again",
        model="name",
        gives=VersionView,
    ),
    post(
        f"{_MODEL}/quarantine",
        "models.quarantine",
        _quarantine,
        "Take a version, or all, out of service",
        model="name",
        takes=Quarantining,
        gives=ModelList,
    ),
    post("/v1/models/reload", "models.reload", _reload, "Judge statements again and load what is new", gives=ModelList),
)
"""Rows of models for the table of routes."""
