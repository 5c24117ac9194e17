"""What the hands of a real gateway reach: its limiter, and whom its monitors deny."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.served import settings_for

from redan.core.errors import EvidenceError
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


def test_what_was_live_is_known_still_when_a_quarantine_had_to_be_tried_again() -> None:
    def version(name: str, number: str) -> Any:
        return SimpleNamespace(settings=SimpleNamespace(name=name, version=number), label=f"{name}@{number}", digest="")

    class Models:
        def __init__(self) -> None:
            self.roles = {"credit@1": "standby", "credit@2": "live", "fraud@1": "live"}
            self.full = True

        def all(self) -> list[tuple[Any, str]]:
            return [(version(*label.split("@")), role) for label, role in self.roles.items()]

        async def quarantine(self, name: str, number: str) -> None:
            self.roles = {each: "quarantined" if each.startswith(name) else r for each, r in self.roles.items()}
            if self.full:
                raise EvidenceError("the audit log takes nothing")

    models = Models()
    settings = SimpleNamespace(serve=SimpleNamespace(models=()))
    hands = ServiceHands(cast(Any, SimpleNamespace(models=models, settings=settings)))

    async def run() -> None:
        assert await hands.served() == ["credit", "fraud"]
        with pytest.raises(EvidenceError):
            await hands.quarantine("credit")
        models.full = False
        assert await hands.quarantine("credit") == "credit@2"
        assert await hands.quarantine("credit") == "", "nothing was live any more"

    asyncio.run(run())
