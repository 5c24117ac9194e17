"""Audit rooms in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redan.core.settings import Settings
from redan.core.settings_service import Serve
from redan.evidence.log import LogReader
from redan.service.audit.act import Act, decode
from redan.service.audit.places import log_folder

REPLICA = "gateway-1"


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the gateway runs on."""
    return "asyncio"


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Make settings with these of [audit]."""

    def make(**audit: Any) -> Settings:
        given = Settings()
        return replace(given, serve=Serve(name=REPLICA), audit=replace(given.audit, **audit))

    return make


def some_act(i: int = 0, **more: Any) -> Act:
    given: dict[str, Any] = {
        "t_us": 1_700_000_000_000_000 + i,
        "who": f"client:c{i % 7}",
        "act": "predict",
        "cred": "k1",
        "model": "credit@2",
        "digest": "ab" * 32,
        "x": f"{i:064x}",
        "y": "cd" * 32,
        "status": 200,
        "us": 900,
        "rows": 1,
        "id": f"{i:016x}",
        "addr": "10.0.0.1",
        "by": REPLICA,
    }
    return Act(**given | more)


def recorded(settings: Settings, root: Path, replica: str = REPLICA) -> list[Act]:
    return [decode(entry) for entry in LogReader(log_folder(settings, root, replica)).entries()]
