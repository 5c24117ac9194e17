"""The live page: traffic, refusals, guards and monitors, told as it happens."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from starlette.responses import StreamingResponse

from redan.evidence.store.clear import now_us
from redan.service.console.feed import PART, Feed, Traffic
from redan.service.console.rendering import fragment, is_https, render
from redan.service.identity.principal import EVERY_MODEL
from redan.service.monitoring.exposition import GUARD_OF
from redan.service.monitoring.recorder import Measured
from redan.service.web.app import address
from redan.service.web.session_cookie import session_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from redan.core.finding import Finding
    from redan.service.identity.principal import Principal
    from redan.service.monitoring.recorder import Counting
    from redan.service.parts import Parts
    from redan.service.web.endpoint import Asked

MOST_FINDINGS = 50
_ACTION = "monitors.read"
_HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


async def show(asked: Asked) -> Response:
    """Show the page with the numbers of this moment."""
    return render(asked, "console_live.html", **_facts(asked.parts, _visible(asked.principal)))


async def events(asked: Asked) -> Response:
    """Stream the numbers."""
    feed: Feed = asked.parts.more[PART]
    visible = _visible(asked.principal)
    who = asked.principal.id if asked.principal is not None else ""
    feed.check_room(who)
    stream = feed.stream(who, visible, lambda: _drawn(asked.parts, visible), lambda: _still(asked, visible))
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def _still(asked: Asked, visible: frozenset[str]) -> bool:
    """Ask again who this is: sessions end, keys are revoked, roles are taken away."""
    request, authority = asked.request, asked.parts.authority
    header = request.headers.get("authorization", "").encode("latin-1")
    if header:
        return _visible(authority.authenticate(header)) >= visible
    secret = session_of(request, https=is_https(asked.parts.settings))
    return _visible(await authority.from_session(secret, address(request))) >= visible


def _visible(principal: Principal | None) -> frozenset[str]:
    """Return the models that somebody may watch; ``*`` stands for all."""
    granted = principal.grants if principal is not None else frozenset()
    return frozenset(model for action, model in granted if action == _ACTION)


def _sees(visible: frozenset[str], name: str) -> bool:
    return EVERY_MODEL in visible or name in visible


def _drawn(parts: Parts, visible: frozenset[str]) -> str:
    return fragment("console_live_numbers.html", **_facts(parts, visible), now=now_us())


def _facts(parts: Parts, visible: frozenset[str]) -> dict[str, Any]:
    feed: Feed = parts.more[PART]
    found = [each for each in reversed(parts.findings.recent()) if _of(each, visible)]
    return {
        "traffic": [{"told": t, "line": _line(t)} for t in feed.traffic() if _sees(visible, t.name)],
        "refusals": _refusals(parts) if EVERY_MODEL in visible else None,
        "drift": [row for row in _drift(parts) if _sees(visible, row[0])],
        "findings": found[:MOST_FINDINGS],
        "more": max(0, len(found) - MOST_FINDINGS),
    }


def _of(finding: Finding, visible: frozenset[str]) -> bool:
    return _sees(visible, finding.subject.rpartition("@")[0] or finding.subject)


def _refusals(parts: Parts) -> list[tuple[str, str, str, int, int]]:
    """Return guard, reason, where, status and how often since the start, the most frequent first."""
    counts: Counter[tuple[str, str, str, int]] = Counter()
    for (route, status, why), n in cast("Counting", parts.recorder).denials.items():
        counts[GUARD_OF.get(why, "gateway"), why, route, status] += n
    return [(*key, n) for key, n in counts.most_common(30)]


def _drift(parts: Parts) -> list[tuple[str, ...]]:
    if not isinstance(parts.watching, Measured):
        return []
    rows = [reading for reading in parts.watching.readings() if reading[0] == "redan_drift"]
    return [(*labels, f"{value:.3g}") for _, labels, value in rows]


def _line(told: Traffic) -> dict[str, Any]:
    """Return the points of a curve 120 wide and 30 high, and its highest value."""
    per_s = told.per_s or (0.0,)
    top = max(*per_s, 1.0)
    step = 120 / max(len(per_s) - 1, 1)
    points = " ".join(f"{i * step:.1f},{29 - 27 * value / top:.1f}" for i, value in enumerate(per_s))
    return {"points": points, "top": max(per_s), "seconds": len(per_s)}
