"""Whether this replica should be asked: models loaded, audit recording, database near enough, not draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import text

from redan.core.errors import EvidenceError

if TYPE_CHECKING:
    from redan.service.monitoring.recorder import Reading
    from redan.service.parts import Parts

DATABASE_STALE_S = 60.0
"""How long a replica answers from what it knows while the database does not."""
_ASK_S = 5.0
_PATIENCE_S = 2.0


class Health:
    """What is ready; lies in ``parts.more["health"]``.

    Attributes:
        draining: set when the server is told to stop.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.draining = False
        self._asked_s = self._reached_s = -DATABASE_STALE_S
        self._asking: asyncio.Task[None] | None = None

    async def check(self) -> dict[str, str]:
        """Return why it is not ready, a sentence by part; empty: it is.

        The database is asked at most every few seconds and waited for at most two; one question is under way at a time.
        """
        now_s = time.monotonic()
        if now_s - self._asked_s >= _ASK_S and self._asking is None:
            self._asked_s = now_s
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=_PATIENCE_S)
            if self._asking.done():
                self._asking = None
        return self.missing()

    async def stop(self) -> None:
        """Wait for a question that is under way."""
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=_PATIENCE_S)

    def missing(self) -> dict[str, str]:
        """Return why it is not ready, as far as is known without asking the database."""
        found = {}
        if self.draining:
            found["draining"] = "the server is stopping"
        if not any(role == "live" for _, role in self._parts.models.all()):
            refused = self._parts.models.refused()
            reasons = "; ".join(f"{name}@{version}: {why}" for name, version, why in refused)
            found["models"] = f"no live version is loaded{'; ' + reasons if reasons else ''}"
        if not self._parts.auditor.healthy():
            found["audit"] = "decisions cannot be recorded"
        silent_s = time.monotonic() - self._reached_s
        if silent_s > DATABASE_STALE_S:
            found["database"] = f"it has not answered for more than {DATABASE_STALE_S:.0f} s"
        return found

    def readings(self) -> Iterator[Reading]:
        """Return 1 or 0 by part."""
        missing = self.missing()
        for part in ("draining", "models", "audit", "database"):
            yield ("redan_ready", (part,), float(part not in missing))

    async def _ask(self) -> None:
        try:
            await asyncio.to_thread(self._reach)
        except EvidenceError:
            return
        self._reached_s = time.monotonic()

    def _reach(self) -> None:
        with self._parts.database.reading() as connection:
            connection.execute(text("SELECT 1"))
