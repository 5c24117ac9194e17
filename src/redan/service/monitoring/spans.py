"""Spans made of an answered batch, and sent over OTLP/HTTP by a thread of OpenTelemetry's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from redan.service.gateway.call import Batch, Call

MOST_STEPS = 32
_FLUSH_MS = 3000
_Trace = tuple[int, int]


class Spans:
    """Makes the spans of requests that are traced.

    Args:
        url: where to send them.
        replica: name of this replica.
    """

    def __init__(self, url: str, replica: str) -> None:
        names = {"service.name": "redan", "service.version": redan.__version__, "service.instance.id": replica}
        self._ids = _Ids()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(names), shutdown_on_exit=False, id_generator=self._ids
        )
        exporter = OTLPSpanExporter(endpoint=url, timeout=5)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=4096, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("redan.gateway", redan.__version__)

    def close(self) -> None:
        """Send what waits, for a few seconds at most, and end; blocks."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()

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


class _Ids(RandomIdGenerator):
    """Gives a new root the trace that was drawn when its request began, so that it is the one in exemplars."""

    def __init__(self) -> None:
        self.next_trace = 0

    def generate_trace_id(self) -> int:
        drawn, self.next_trace = self.next_trace, 0
        return drawn or super().generate_trace_id()
