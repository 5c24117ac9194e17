"""What waits for a record to be durable: futures of an event loop, settled by the log's writing thread."""

from __future__ import annotations

import asyncio
from collections import deque

from redan.core.errors import EvidenceError, RedanError


class Answers:
    """Futures of one event loop that another thread settles, many with one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._settled: deque[tuple[asyncio.Future[None], RedanError | None]] = deque()
        self._called = False

    def future(self) -> asyncio.Future[None]:
        """Return one that is not settled yet."""
        return self._loop.create_future()

    def give(self, future: asyncio.Future[None], error: RedanError | None) -> None:
        """Settle a future; called from the log's writing thread."""
        self._settled.append((future, error))
        if not self._called:
            self._called = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop has ended: nobody waits any more
                self._settled.clear()

    def _run(self) -> None:
        # first the flag, then the queue: what comes between them wakes the loop once more
        self._called = False
        settled = self._settled
        while settled:
            future, error = settled.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(EvidenceError(error.message, hint=error.hint))
