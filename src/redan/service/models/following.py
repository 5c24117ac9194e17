"""What a pool does by itself: it follows what others decide and what is stated, and judges again from time to time."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING

from redan.core.errors import EvidenceError
from redan.service.web.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redan.service.models.pool import Pool

POLL_S = 1.0
"""How often statements on disk and the shared database are looked at: what one replica decides, others follow within
this time; statements are judged when they were still for as long.
"""
_telling = Telling()


async def following(pool: Pool) -> None:
    """Look at what was decided and stated, for ever."""
    while True:
        await asyncio.sleep(POLL_S)
        await _judged(pool.look)
        await _judged(pool.follow)


async def rechecking(pool: Pool, every_s: float) -> None:
    """Judge everything again every so many seconds, for ever."""
    while True:
        await asyncio.sleep(every_s)
        await _judged(pool.recheck)


async def _judged(step: Callable[[], Awaitable[None]]) -> None:
    try:
        await step()
    except EvidenceError as err:
        sys.stderr.write(f"models: {err.message}; statements were judged, and that was not recorded\n")
    except Exception:  # noqa: BLE001  # else no quarantine and no revocation would be followed here ever again
        _telling.tell(traceback.format_exc())
