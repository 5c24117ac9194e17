"""Traces over OTLP/HTTP: one span for a request, one for each step of the batch that answered it.

Spans are made after the answer was sent, from times that were taken anyway, so that a request that is not traced pays
for one comparison. A caller's ``traceparent`` (W3C Trace Context, level 1) decides whether its request is traced; but
anybody can write that header, so no more than `MOST_PER_S` traces are made in a second.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from random import random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

import redan
from redan.core.errors import ConfigError

if TYPE_CHECKING:
    from redan.core.settings_service import Alerts
    from redan.service.gateway.call import Batch, Call
    from redan.service.monitoring.recorder import Reading

MOST_PER_S = 100
"""Most traces that are begun in a second, whatever callers ask."""
MOST_STEPS = 32
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", flags=re.ASCII | re.DOTALL)
_FLUSH_MS = 3000

_Trace = tuple[int, int]


class Tracing:
    """Begins and ends traces; is made only when there is an address to send them to.

    Args:
        settings: ``traces`` and ``trace_share``.
        replica: name of this replica.

    Raises:
        ConfigError: the address is no http:// or https:// URL, or the share is not between 0 and 1.
    """

    def __init__(self, settings: Alerts, replica: str) -> None:
        if urlsplit(settings.traces).scheme not in ("http", "https"):
            raise ConfigError(
                "[alerts] traces is no http:// or https:// address", hint="http://localhost:4318/v1/traces"
            )
        if not 0 <= settings.trace_share <= 1:
            raise ConfigError(f"[alerts] trace_share is {settings.trace_share}; expected 0 to 1", hint="0.01")
        self._share = settings.trace_share
        names = {"service.name": "redan", "service.version": redan.__version__, "service.instance.id": replica}
        self._ids = _Ids()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(names), shutdown_on_exit=False, id_generator=self._ids
        )
        exporter = OTLPSpanExporter(endpoint=settings.traces, timeout=5)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=4096, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("redan.gateway", redan.__version__)
        self._second, self._begun_in_it = 0, 0
        self._begun = self._dropped = 0

    async def start(self) -> None:
        """Nothing: the sending thread runs from the beginning."""

    async def stop(self) -> None:
        """Send what waits, for a few seconds at most, and end."""
        await asyncio.to_thread(self._provider.force_flush, _FLUSH_MS)
        await asyncio.to_thread(self._provider.shutdown)

    def begin(self, traceparent: bytes | None) -> _Trace | None:
        """Decide whether a request is traced.

        Args:
            traceparent: the caller's header, or None.

        Returns:
            Trace and parent span (0: none) for `Call.trace`; None: it is not traced.
        """
        parent = parse(traceparent) if traceparent is not None else None
        if parent is None:
            if random() >= self._share:  # noqa: S311  # which request is traced is no secret
                return None
            parent = (self._ids.generate_trace_id(), 0, True)
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
        epoch_ns = time.time_ns() - int(now_s * 1e9)
        for call in batch.calls:
            if call.trace is not None:
                self._spans(batch, call, call.trace, now_s, epoch_ns)

    def _spans(self, batch: Batch, call: Call, trace: _Trace, now_s: float, epoch_ns: int) -> None:
        def at(moment_s: float) -> int:
            return epoch_ns + int(moment_s * 1e9)

        settings = batch.served.settings
        facts: dict[str, str | int] = {
            "redan.model": settings.name, "redan.version": settings.version, "redan.rows": len(call.x),
            "redan.batch.calls": len(batch.calls), "redan.batch.rows": len(batch.x), "redan.request": call.id,
            "http.response.status_code": call.refusal.status if call.refusal else 200,
        }  # fmt: skip
        root = self._tracer.start_span(
            "infer", self._context(trace), kind=SpanKind.SERVER, attributes=facts, start_time=at(call.began_s)
        )
        if call.refusal is not None:
            root.set_attribute("redan.why", call.refusal.why)
            if call.refusal.status >= 500:
                root.set_status(Status(StatusCode.ERROR))
        inside = set_span_in_context(root)
        steps = (batch.steps or [])[:MOST_STEPS]
        if steps:
            steps = [("wait", call.began_s, max(call.began_s, steps[0][1])), *steps]
        for name, began_s, ended_s in steps:
            self._tracer.start_span(name, inside, start_time=at(began_s)).end(at(ended_s))
        root.end(at(now_s))

    def _context(self, trace: _Trace) -> Context:
        identifier, span = trace
        if not span:
            self._ids.next_trace = identifier
            return Context()
        parent = SpanContext(identifier, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        return set_span_in_context(NonRecordingSpan(parent), Context())

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
    return trace, span, bool(int(match[4], 16) & TraceFlags.SAMPLED)


class _Ids(RandomIdGenerator):
    """Gives a new root the trace that was drawn when its request began, so that it is the one in exemplars."""

    def __init__(self) -> None:
        self.next_trace = 0

    def generate_trace_id(self) -> int:
        drawn, self.next_trace = self.next_trace, 0
        return drawn or super().generate_trace_id()
