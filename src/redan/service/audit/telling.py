"""Findings of the record itself: it takes nothing now, it lost something, it works again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from redan.core.finding import Finding, Location, Quantity
from redan.threats.operation.rules.unrecorded import RULE

if TYPE_CHECKING:
    from redan.service.findings import Findings

AGAIN_S = 10.0
"""What lasts is published again after so long."""
PATIENCE_S = 1.0
"""How long too much may wait for the disk before that is a finding; a failing disk is one at once."""
THREAT = "audit"


class Telling:
    """Publishes what happens to the record; used by the auditor's own thread alone.

    Args:
        findings: where findings go.
        replica: whose record.
        clock: monotonic seconds.
    """

    def __init__(self, findings: Findings, replica: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._findings, self._replica, self._clock = findings, replica, clock
        self._open: Finding | None = None
        self._told_s = self._full_since_s = 0.0
        self._lost = 0

    def look(self, trouble: str, *, full: bool, lost: int) -> None:
        """Say what is new.

        Args:
            trouble: why nothing is recorded now; empty: it is.
            full: whether as much waits for the disk as may wait.
            lost: records that were accepted and lost, since the start.
        """
        now_s = self._clock()
        if not full:
            self._full_since_s = 0.0
        elif not self._full_since_s:
            self._full_since_s = now_s
        if not trouble and full and now_s - self._full_since_s >= PATIENCE_S:
            trouble = "as many records wait for the disk as may wait"
        self._unhealthy(trouble, now_s)
        if lost > self._lost:
            self._findings.publish(_lost(self._replica, lost - self._lost, lost))
            self._lost = lost

    def _unhealthy(self, trouble: str, now_s: float) -> None:
        if trouble and (self._open is None or now_s - self._told_s >= AGAIN_S):
            self._open, self._told_s = _unrecorded(self._replica, trouble), now_s
            self._findings.publish(self._open)
        elif not trouble and self._open is not None:
            self._findings.publish(replace(self._open, status="mitigated"))
            self._open = None


def _unrecorded(replica: str, trouble: str) -> Finding:
    return Finding(
        rule=RULE.id,
        threat=THREAT,
        subject=replica,
        title=f"{replica} cannot record its decisions",
        severity=RULE.severity,
        detail=trouble,
        locations=(Location(uri="audit", address="log"),),
        remedies=(RULE.remedy,),
    )


def _lost(replica: str, new: int, lost: int) -> Finding:
    count = Quantity(name="records_lost", value=lost, unit="count", n=lost, low=lost, high=lost, better="lower")
    return Finding(
        rule=RULE.id,
        threat=THREAT,
        subject=replica,
        title=f"{replica} lost {new} records of decisions that it had accepted",
        severity=RULE.severity,
        detail=f"Their callers were answered before the disk failed; {lost} since the start.",
        quantities=(count,),
        locations=(Location(uri="audit", address="lost"),),
        remedies=('[audit] mode = "durable" answers only what is recorded',),
    )
