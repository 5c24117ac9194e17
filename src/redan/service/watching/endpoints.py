"""Routes of watching: which answers were right."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from redan.service.gateway.refusal import INVALID, NOT_FOUND
from redan.service.identity.answering import who
from redan.service.watching.truths import count
from redan.service.watching.watcher import LiveWatching
from redan.service.web.answers import json
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.errors import Refused

MOST_AT_ONCE = 1000


class Truth(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The truths of one answered request.

    Attributes:
        id: identifier of the request, as its answer named it.
        truth: the right class of each of its rows.
    """

    id: str
    truth: list[int]


class Truths(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Truths of several requests."""

    answers: list[Truth]


class Counted(msgspec.Struct, kw_only=True):
    """What became of them.

    Attributes:
        counted: requests whose truths were counted.
        unknown: those that are not remembered, any more or at all, whose truth was told before, or that somebody else
            asked.
        unfit: those with another number of rows.
    """

    counted: int
    unknown: int
    unfit: int


async def post_feedback(asked: Asked) -> Response:
    """Count truths; each request's once.

    Identifiers of requests can be guessed, and false truths look like a model that fails: a client tells the truth of
    its own requests alone. Who tells that of everybody's has ``monitors.read`` too.
    """
    watching, truths = asked.parts.watching, asked.body
    if not isinstance(watching, LiveWatching) or "performance" not in asked.parts.settings.serve.watch:
        raise Refused(NOT_FOUND, "this gateway takes no truths: [serve] watch lacks performance")
    if not isinstance(truths, Truths) or len(truths.answers) > MOST_AT_ONCE:
        raise Refused(INVALID, f"send the truths of at most {MOST_AT_ONCE} requests at once")
    name = asked.request.path_params["name"]
    principal = who(asked)
    own = "" if principal.may("monitors.read", name) else principal.id
    told = [(each.id, each.truth) for each in truths.answers]
    why = await count(asked.parts, watching, told, model=name, client=own)
    found = Counted(counted=why.count(""), unknown=why.count("unknown"), unfit=why.count("rows"))
    asked.note.update(counted=found.counted, unknown=found.unknown, unfit=found.unfit)
    return json(found)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path="/v1/models/{name}/feedback",
        action="feedback",
        handler=post_feedback,
        summary="Tell which answers were right, by the identifiers of their requests.",
        model="name",
        takes=Truths,
        gives=Counted,
    ),
)
