"""Asks a model in the server's own process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from redan.core.errors import SubjectFailed

if TYPE_CHECKING:
    from redan.service.gateway.call import Batch
    from redan.service.models.served import Answers


class WorkerLost(SubjectFailed):
    """A process ended or hung over a batch, which is not tried again: what it held may end the next one too."""


class Inline:
    """Small batches are computed where they stand; larger ones in a thread, so that the event loop goes on.

    Args:
        most_rows: up to which a batch is computed in the event loop's thread.
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._large = ThreadPoolExecutor(max_workers=1, thread_name_prefix="redan-large-batches")

    def __call__(self, batch: Batch) -> Answers | Awaitable[Answers]:
        """Return a batch's answers, at once or in time."""
        if len(batch.x) <= self._most_rows:
            return batch.served.answer(batch.x)
        return asyncio.get_running_loop().run_in_executor(self._large, batch.served.answer, batch.x)
