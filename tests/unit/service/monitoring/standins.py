"""The least that monitoring asks of the other parts of the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from redan.core.finding import Finding, Severity
from redan.core.settings import Settings
from redan.core.settings_service import ServedModel
from redan.service.database import open_database
from redan.service.findings import Findings
from redan.service.gateway.call import Batch, Call
from redan.service.identity.principal import Principal
from redan.service.models.served import Role, Served
from redan.service.monitoring.health import Health
from redan.service.monitoring.recorder import Counting, Reading
from redan.service.parts import Parts

READER = Principal(
    id="user:prometheus",
    kind="program",
    roles=frozenset({"reader"}),
    grants=frozenset({("metrics.read", "*")}),
    credential="key-1",
    expires_s=4e9,
)


def served(name: str = "credit", version: str = "1") -> Served:
    """A version of a model that answers nothing."""
    return Served(
        settings=ServedModel(name=name, version=version, target="model.onnx"),
        digest="0" * 64,
        decision=None,
        answer=lambda rows: None,  # type: ignore[arg-type, return-value]
        dtype=np.float64,
        shape=(3,),
    )


def batch(calls: int, version: Served, *, rows: int = 1) -> Batch:
    """A batch of calls that have just begun."""
    return Batch(
        version,
        [
            Call(
                principal=READER, served=version, x=np.zeros((rows, 3)), body=b"", began_s=perf_counter(),
                id=f"r{n}", addr="192.0.2.1", write=lambda call: b"", done=lambda call: None,
            )
            for n in range(calls)
        ],
    )  # fmt: skip


def finding(severity: Severity = Severity.HIGH, *, rule: str = "RDN-THE-201", **more: Any) -> Finding:
    """What a monitor publishes."""
    words = {"threat": "theft", "subject": "credit", "title": "client:a asks like a thief"}
    return Finding(rule=rule, severity=severity, **(words | more))


class Rooms:
    """Stands for authority, limiter, auditor, models and watching."""

    def __init__(self) -> None:
        self.sound = True
        self.loaded: list[tuple[Served, Role]] = [(served(), "live")]
        self.not_admitted: list[tuple[str, str, str]] = []
        self.slow: dict[str, tuple[float, float]] = {}
        self.numbers: list[Reading] = []

    def healthy(self) -> bool:
        return self.sound

    def all(self) -> list[tuple[Served, Role]]:
        return self.loaded

    def refused(self) -> list[tuple[str, str, str]]:
        return self.not_admitted

    def throttled(self) -> dict[str, tuple[float, float]]:
        return self.slow

    def readings(self) -> Iterator[Reading]:
        yield from self.numbers


def parts(folder: Path, rooms: Rooms | None = None, settings: Settings | None = None) -> Parts:
    """A service of stand-ins, with a real database and the real counters."""
    room: Any = rooms or Rooms()
    plain: Any = object()
    made = Parts(
        settings=settings or Settings(), root=folder, replica="here", database=open_database("s.db", root=folder),
        findings=Findings(), authority=plain, limiter=room, auditor=room, models=room, recorder=Counting(),
        watching=plain, more={},
    )  # fmt: skip
    made.more["health"] = Health(made)
    return made


def with_serve(**changes: Any) -> Settings:
    """Settings whose [serve] is changed."""
    plain = Settings()
    return replace(plain, serve=replace(plain.serve, **changes))
