"""The audit record of who came in and who did not; and what a browser that is not logged in may ask at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from redan.service.audit.act import Act
from redan.service.gateway.refusal import FORBIDDEN, Refusal
from redan.service.identity.login.desk import logins_of
from redan.service.identity.login.entering import From
from redan.service.web.app import address, request_id
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from redan.service.web.endpoint import Asked


def source_of(request: Request) -> From:
    """Return where a request comes from."""
    return From(addr=address(request), agent=request.headers.get("user-agent", ""))


async def let_in(asked: Asked, act: str, who: str, how: str) -> None:
    """Record that somebody came in, before they are given the cookie.

    Raises:
        EvidenceError: it cannot be recorded, so nobody comes in.
    """
    await _commit(asked, _act(asked, act, who=who, why=how))
    logins_of(asked.parts).outcomes[act, "in"] += 1


async def turned_away(asked: Asked, act: str, refusal: Refusal, *, who: str = "", tried: str = "") -> None:
    """Record that somebody did not come in.

    Args:
        asked: the request.
        act: what they tried.
        refusal: why not.
        who: the person, when the first factor was right.
        tried: the name that was typed; recorded under a pseudonym, since people type passwords into the wrong field.

    Raises:
        EvidenceError: it cannot be recorded.
    """
    logins = logins_of(asked.parts)
    cred = f"name:{logins.sealer.pseudonym(tried)}" if tried else ""
    made = _act(asked, act, who=who or "-", why=refusal.why)
    made = msgspec.structs.replace(made, ok=False, status=refusal.status, cred=cred)
    logins.outcomes[act, refusal.why] += 1
    asked.parts.recorder.refused(asked.request.url.path, refusal)
    asked.parts.watching.denied(made)
    await _commit(asked, made)


def check_same_site(request: Request) -> None:
    """Refuse what another site's page sends on behalf of a browser that has no session yet (login CSRF).

    Browsers say where a request comes from: ``Sec-Fetch-Site``, and older ones ``Origin``; programs say nothing.

    Raises:
        Refused: it comes from another site.
    """
    fetched = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    foreign = origin not in ("", "null") and urlsplit(origin).netloc != request.headers.get("host", "")
    if fetched not in ("same-origin", "none") or foreign:
        raise Refused(FORBIDDEN, "this was sent by another site; open the login page and try again")


def _act(asked: Asked, act: str, *, who: str, why: str) -> Act:
    return Act(
        t_us=time.time_ns() // 1000,
        who=who,
        act=act,
        why=why,
        status=200,
        id=request_id(asked.request),
        addr=address(asked.request),
        by=asked.parts.replica,
    )


async def _commit(asked: Asked, act: Act) -> None:
    waiting = asked.parts.auditor.commit([act])
    if waiting is not None:
        await waiting
