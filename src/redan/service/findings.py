"""Where findings of live traffic meet whoever acts on them: metrics, alerts, incidents, the console."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.core.finding import Finding

MOST_KEPT = 1000
Sink = Callable[["Finding"], None]


class Findings:
    """The service's findings, newest last, each fingerprint once with its newest numbers; used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sinks: list[Sink] = []
        self._kept: dict[str, Finding] = {}
        self._order: deque[str] = deque()

    def listen(self, sink: Sink) -> None:
        """Show every later finding to ``sink``, which must be quick: whatever takes time puts it into its own queue."""
        with self._lock:
            self._sinks.append(sink)

    def publish(self, finding: Finding) -> None:
        """Keep a finding and show it to everybody; a sink that fails does not keep it from the others."""
        with self._lock:
            if finding.fingerprint not in self._kept:
                self._order.append(finding.fingerprint)
                if len(self._order) > MOST_KEPT:
                    del self._kept[self._order.popleft()]
            self._kept[finding.fingerprint] = finding
            sinks = tuple(self._sinks)
        for sink in sinks:
            try:
                sink(finding)
            except Exception:  # noqa: BLE001  # one sink's mistake is shown and must not silence the others
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))

    def recent(self) -> list[Finding]:
        """Return what is kept, oldest first."""
        with self._lock:
            return [self._kept[fingerprint] for fingerprint in self._order]
