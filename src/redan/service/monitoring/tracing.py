"""Which requests are traced; spans are made after the answer was sent, from times that were taken anyway.

A caller's ``traceparent`` (W3C Trace Context, level 1) decides whether its request is traced; but anybody can write
that header, so no more than `MOST_PER_S` traces are begun in a second. Without an address nothing is traced and
OpenTelemetry is not even loaded.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from random import getrandbits, random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from redan.core.errors import ConfigError

if TYPE_CHECKING:
    from redan.core.settings_service import Alerts
    from redan.service.gateway.call import Batch
    from redan.service.monitoring.recorder import Reading
    from redan.service.monitoring.spans import Spans

MOST_PER_S = 100
"""Most traces that are begun in a second, whatever callers ask."""
_SAMPLED = 1
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", flags=re.ASCII | re.DOTALL)
_Trace = tuple[int, int]


class Tracing:
    """Begins and ends traces.

    Args:
        settings: ``traces`` and ``trace_share``.
        replica: name of this replica.

    Raises:
        ConfigError: the address is no http:// or https:// URL, or the share is not between 0 and 1.
    """

    def __init__(self, settings: Alerts, replica: str) -> None:
        if not 0 <= settings.trace_share <= 1:
            raise ConfigError(f"[alerts] trace_share is {settings.trace_share}; expected 0 to 1", hint="0.01")
        if settings.traces and urlsplit(settings.traces).scheme not in ("http", "https"):
            raise ConfigError(
                "[alerts] traces is no http:// or https:// address", hint="http://localhost:4318/v1/traces"
            )
        self._share = settings.trace_share
        self._spans: Spans | None = None
        if settings.traces:
            from redan.service.monitoring.spans import Spans

            self._spans = Spans(settings.traces, replica)
        self._second, self._begun_in_it = 0, 0
        self._begun = self._dropped = 0

    async def start(self) -> None:
        """Nothing: the sending thread runs from the beginning."""

    async def stop(self) -> None:
        """Send what waits, for a few seconds at most, and end."""
        if self._spans is not None:
            await asyncio.to_thread(self._spans.close)

    def begin(self, traceparent: bytes | None) -> _Trace | None:
        """Decide whether a request is traced.

        Args:
            traceparent: the caller's header, or None.

        Returns:
            Trace and parent span (0: none) for `Call.trace`; None: it is not traced.
        """
        if self._spans is None:
            return None
        parent = parse(traceparent) if traceparent is not None else None
        if parent is None:
            if random() >= self._share:  # noqa: S311  # which request is traced is no secret
                return None
            parent = (getrandbits(128) or 1, 0, True)
        trace, span, sampled = parent
        if not sampled:
            return None
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._begun_in_it = second, 0
        if self._begun_in_it >= MOST_PER_S:
            self._dropped += 1
            return None
        self._begun_in_it += 1
        self._begun += 1
        return trace, span

    def end(self, batch: Batch, now_s: float) -> None:
        """Make the spans of every traced call of a batch that was answered.

        Args:
            batch: with ``steps``.
            now_s: when its answers had been sent, `time.perf_counter`.
        """
        if self._spans is not None:
            self._spans.end(batch, now_s)

    def readings(self) -> Iterator[Reading]:
        """Return how many traces were made, and how many were not because there were too many."""
        yield ("redan_traces", ("begun",), self._begun)
        yield ("redan_traces", ("too-many",), self._dropped)


def parse(header: bytes) -> tuple[int, int, bool] | None:
    """Read a ``traceparent``: trace, parent span, whether the caller samples; None when it is malformed.

    A later version than 00 may carry more fields behind the four that are known (W3C Trace Context, section 3.2.4).
    """
    match = _PARENT.fullmatch(header)
    if match is None or match[1] == b"ff" or (match[1] == b"00" and match[5] is not None):
        return None
    trace, span = int(match[2], 16), int(match[3], 16)
    if not trace or not span:
        return None
    return trace, span, bool(int(match[4], 16) & _SAMPLED)
