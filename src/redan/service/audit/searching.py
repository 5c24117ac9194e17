"""Searches of a running gateway: in a thread of their own, one at a time, each bounded in time and records.

The pool of threads that everything else shares never waits for them.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from redan.service.audit.query import Query, Searched, search
from redan.service.gateway.refusal import OVERLOADED
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.evidence.store.database import Database
    from redan.service.audit.redaction import Redaction

MOST_S = 5.0
MOST_ROWS = 500_000
"""Records that one search looks at; the next page goes on where it ended."""
MOST_WAITING = 8
_thread = ThreadPoolExecutor(1, "redan-audit-search")
_waiting: set[asyncio.Future[Searched]] = set()


async def searched(database: Database, query: Query, redaction: Redaction | None) -> Searched:
    """Return the newest records that fit, as far as a search of bounded time finds them.

    Raises:
        Refused: too many searches wait already.
        EvidenceError: the database does not answer.
    """
    if len(_waiting) >= MOST_WAITING:
        raise Refused(OVERLOADED)
    found = asyncio.get_running_loop().run_in_executor(_thread, _bounded, database, query, redaction)
    _waiting.add(found)
    found.add_done_callback(_waiting.discard)
    # whoever asked may go away; what runs in a thread runs on, and counts until it ends
    return await asyncio.shield(found)


def _bounded(database: Database, query: Query, redaction: Redaction | None) -> Searched:
    ends_s = time.monotonic() + MOST_S
    return search(database, query, redaction, goes_on=lambda rows: rows < MOST_ROWS and time.monotonic() < ends_s)
