"""What the hands of a real gateway reach: its limiter, and whom its monitors deny."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.served import settings_for

from redan.service.findings import Findings
from redan.service.guards.limiter import open_limiter
from redan.service.incidents.hands import ServiceHands
from redan.service.watching.watcher import open_watching


def test_who_is_let_go_is_denied_by_monitors_no_longer(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    watching = open_watching(settings, tmp_path, findings=Findings())
    limiter = open_limiter(settings.serve.guards, redis_url="", replica="r1")
    watching.suspects.add("ab", "client:eve")
    watching.suspects.add("cd", "client:eve")
    watching.suspects.add("ab", "client:ann")
    hands = ServiceHands(cast(Any, SimpleNamespace(watching=watching, limiter=limiter)))

    async def run() -> None:
        await hands.throttle("client:eve", rate_per_s=0, until_s=time.time() + 60)
        assert len(watching.suspects) == 3, "holding somebody back forgives nothing"
        assert "client:eve" in limiter.throttled()
        await hands.throttle("client:eve", rate_per_s=None, until_s=time.time())

    asyncio.run(run())
    assert len(watching.suspects) == 1
    assert limiter.throttled() == {}
