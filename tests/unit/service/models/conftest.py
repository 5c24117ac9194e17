"""Pools over real models, opened and closed inside one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redan.core.settings import Settings
from redan.service.audit.act import Act
from redan.service.database import open_database
from redan.service.findings import Findings
from redan.service.models.pool import Pool


@asynccontextmanager
async def pool_of(settings: Settings, root: Path, *, url: str = "service.db", **more: Any) -> AsyncIterator[Pool]:
    """Open the pool of one replica, and close it with its database."""
    database = open_database(url, root=root)
    pool = Pool(settings, root, database=database, **more)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()
        database.close()


def with_pool(settings: Settings, root: Path, work: Callable[[Pool], Awaitable[None]], **more: Any) -> None:
    """Run ``work`` on an open pool."""

    async def main() -> None:
        async with pool_of(settings, root, **more) as pool:
            await work(pool)

    asyncio.run(main())


class Noted:
    """Keeps acts and findings."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.findings = Findings()

    def record(self, act: Act) -> None:
        self.acts.append(act)

    def said(self) -> list[tuple[str, str, bool, str]]:
        return [(act.act, act.model, act.ok, act.why) for act in self.acts]
