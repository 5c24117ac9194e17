"""Truths of answered requests: of those remembered in memory, and of those in the audit index where it keeps labels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from redan.service.audit.query import answered as recorded
from redan.service.watching.tables import told

if TYPE_CHECKING:
    from redan.evidence.store.database import Database
    from redan.service.audit.act import Act
    from redan.service.audit.redaction import Redaction
    from redan.service.models.served import Served
    from redan.service.parts import Parts
    from redan.service.watching.watcher import LiveWatching

Told = tuple[str, Sequence[int]]
"""Identifier of a request, and the right class of each of its rows."""
OLDEST_S = 90 * 86_400
"""Truths of older requests are not counted, so that what was told need not be kept for ever."""


class Answered(NamedTuple):
    """What must be known of an answer to count its truth.

    Attributes:
        digest: of the model.
        name: of the model.
        labels: answered classes.
        time_s: when, seconds since the epoch.
        client: who asked; of a record as it is stored, which may be a pseudonym.
        served: the version, where it was looked up; None where its monitors have seen the answer.
    """

    digest: str
    name: str
    labels: Sequence[int]
    time_s: float
    client: str
    served: Served | None = None


def unfit(known: Answered | None, truths: Sequence[int], *, model: str, client: str) -> str:
    """Return why truths cannot be counted, ``unknown`` or ``rows``; empty when they can.

    Args:
        known: the answer, if it is known.
        truths: the right class of each of its rows.
        model: name that it must have been answered by.
        client: who must have asked it; anybody when empty.
    """
    if known is None or known.name != model or client not in {"", known.client}:
        return "unknown"
    return "" if len(known.labels) == len(truths) else "rows"


async def count(parts: Parts, watching: LiveWatching, answers: Sequence[Told], *, model: str, client: str) -> list[str]:
    """Count truths, each request's once; where labels are kept also after a restart, and at whatever replica.

    Args:
        parts: the service.
        watching: counts them.
        answers: identifier and right classes of each request.
        model: name that the requests must have been answered by.
        client: who must have asked them; anybody when empty.

    Returns:
        For each request why it was not counted, ``unknown`` or ``rows``; empty when it was.

    Raises:
        EvidenceError: labels are kept, and the database does not answer: nothing was counted.
    """
    await watching.remember(id for id, _ in answers)
    audit = parts.settings.audit
    if audit.keep == "digests" or audit.mode == "none":
        return [watching.truth(id, truths, model=model, client=client) for id, truths in answers]
    return await asyncio.to_thread(_count_kept, parts, watching, answers, model, client)


def _count_kept(parts: Parts, watching: LiveWatching, answers: Sequence[Told], model: str, client: str) -> list[str]:
    known = {id: watching.remembered(id) for id, _ in answers}
    acts = recorded(parts.database, [id for id, found in known.items() if found is None])
    versions = {served.digest: served for served, _ in parts.models.all()}
    hidden = _names(parts, client)
    known |= {id: _of(act, versions, hidden) for id, act in acts.items()}
    why = [unfit(known[id], truths, model=model, client=client) for id, truths in answers]
    fit = {id: found.time_s for (id, _), no in zip(answers, why, strict=True) if not no and (found := known[id])}
    new = claim(parts.database, fit)
    for i, (id, truths) in enumerate(answers):
        found = known[id]
        if why[i] or found is None:
            continue
        if id not in new:
            why[i] = "unknown"
            continue
        new.discard(id)
        watching.tell(id, found, truths)
    return why


def _names(parts: Parts, client: str) -> Mapping[str, str]:
    """Return who stands behind the names that a client's records are stored under."""
    redaction: Redaction | None = getattr(parts.auditor, "redaction", None)
    names = [client] if redaction is None or not client else redaction.names("client", client)
    return dict.fromkeys(names, client)


def _of(act: Act, versions: Mapping[str, Served], hidden: Mapping[str, str]) -> Answered | None:
    """Return a record as an answer, when its model is still served here and it is not too old."""
    served, time_s = versions.get(act.digest), act.t_us / 1e6
    if served is None or act.labels is None or time_s < time.time() - OLDEST_S:
        return None
    return Answered(act.digest, served.settings.name, act.labels, time_s, hidden.get(act.who, act.who), served)


def claim(database: Database, requests: Mapping[str, float]) -> set[str]:
    """Write down that truths of requests are counted; return those of which nobody had said so before.

    Args:
        database: the service's.
        requests: identifier and time, seconds since the epoch.

    Raises:
        EvidenceError: the database does not answer; nothing was written.
    """
    if not requests:
        return set()
    rows = [{"id": id, "t_us": int(time_s * 1e6)} for id, time_s in sorted(requests.items())]
    dialect = sqlite if database.is_sqlite else postgresql
    statement = dialect.insert(told).on_conflict_do_nothing().returning(told.c.id)
    with database.writing() as connection:
        # a day more than truths may be old, so that replicas whose clocks differ forget nothing too early
        connection.execute(delete(told).where(told.c.t_us < int((time.time() - OLDEST_S - 86_400) * 1e6)))
        return set(connection.execute(statement, rows).scalars())
