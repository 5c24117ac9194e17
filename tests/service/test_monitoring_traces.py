"""Traces as a real OTLP receiver decodes them."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.unit.service.monitoring.receivers import hook
from tests.unit.service.monitoring.standins import batch, served

from redan.core.errors import ConfigError
from redan.core.settings_service import Alerts
from redan.service.gateway.refusal import FAILED
from redan.service.monitoring.recorder import Counting
from redan.service.monitoring.tracing import MOST_PER_S, Tracing, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01".encode()
ATTRIBUTES = {"redan.model": "credit", "redan.version": "1", "redan.request": "r0"}


def value(attribute: Any) -> Any:
    kind = attribute.value.WhichOneof("value")
    return getattr(attribute.value, kind)


def test_a_traced_request_arrives_as_spans_of_the_callers_trace() -> None:
    with hook() as receiver:
        receiver.answers = [(200, {})]
        tracing = Tracing(replace(Alerts(), traces=receiver.url, trace_share=0.0), "replica-1")
        counting = Counting(tracing)
        group = batch(3, served())
        group.calls[0].trace = tracing.begin(SAMPLED)
        group.calls[1].trace = tracing.begin(None)
        group.calls[2].trace = tracing.begin(SAMPLED)
        group.calls[2].refusal = FAILED
        now = perf_counter()
        group.steps = [
            ("range", now, now + 0.001),
            ("model", now + 0.001, now + 0.004),
            ("audit", now + 0.004, now + 0.009),
        ]
        counting.answered(group, 0.009)
        asyncio.run(tracing.stop())
        _, headers, body = receiver.got.get(timeout=5)
    raw = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
    (resource,) = ExportTraceServiceRequest.FromString(raw).resource_spans
    facts = {a.key: value(a) for a in resource.resource.attributes}
    assert (facts["service.name"], facts["service.instance.id"]) == ("redan", "replica-1")
    spans = resource.scope_spans[0].spans
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    roots = [span for span in spans if span.name == "infer"]
    assert [span.parent_span_id.hex() for span in roots] == [SPAN, SPAN]
    assert {k: v for k, v in ((a.key, value(a)) for a in roots[0].attributes) if k in ATTRIBUTES} == ATTRIBUTES
    assert [span.status.code for span in roots] == [0, 2]
    inner = [span for span in spans if span.parent_span_id == roots[0].span_id]
    assert [span.name for span in inner] == ["wait", "range", "model", "audit"]
    model = inner[2]
    assert 2.9e6 < model.end_time_unix_nano - model.start_time_unix_nano < 3.1e6
    assert {labels: n for name, labels, n in tracing.readings()}[("begun",)] == 2


def test_a_trace_of_our_own_has_no_parent_and_the_identifier_of_the_exemplar() -> None:
    with hook() as receiver:
        receiver.answers = [(200, {})]
        tracing = Tracing(replace(Alerts(), traces=receiver.url, trace_share=1.0), "replica-1")
        counting = Counting(tracing)
        group = batch(1, served())
        group.calls[0].trace = tracing.begin(None)
        group.steps = []
        counting.answered(group, 0.0)
        asyncio.run(tracing.stop())
        _, headers, body = receiver.got.get(timeout=5)
    raw = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
    (span,) = ExportTraceServiceRequest.FromString(raw).resource_spans[0].scope_spans[0].spans
    (exemplar,) = counting.lanes["credit", "1"].exemplars.values()
    assert span.parent_span_id == b""
    assert span.trace_id.hex() == exemplar[0]


def test_callers_decide_but_cannot_have_everything_traced() -> None:
    tracing = Tracing(replace(Alerts(), traces="http://127.0.0.1:9/v1/traces", trace_share=1.0), "here")
    assert tracing.begin(f"00-{TRACE}-{SPAN}-00".encode()) is None
    begun = [tracing.begin(SAMPLED) for _ in range(20 * MOST_PER_S)]
    # two seconds may meet while this runs
    assert sum(trace is not None for trace in begun) <= 3 * MOST_PER_S
    assert {labels: n for _, labels, n in tracing.readings()}[("too-many",)] >= 17 * MOST_PER_S
    asyncio.run(tracing.stop())


@pytest.mark.parametrize(
    "header",
    [b"", b"00", f"ff-{TRACE}-{SPAN}-01".encode(), f"00-{'0' * 32}-{SPAN}-01".encode(),
     f"00-{TRACE}-{'0' * 16}-01".encode(), f"00-{TRACE.upper()}-{SPAN}-01".encode(), SAMPLED + b"-more"],
)  # fmt: skip
def test_a_malformed_traceparent_is_no_parent(header: bytes) -> None:
    assert parse(header) is None


def test_a_later_version_of_traceparent_is_read_as_far_as_it_is_known() -> None:
    assert parse(f"01-{TRACE}-{SPAN}-03-more".encode()) == (int(TRACE, 16), int(SPAN, 16), True)


@given(st.binary(max_size=80))
def test_any_header_is_read_without_an_error(header: bytes) -> None:
    parse(header)


@pytest.mark.parametrize("changes", [{"traces": "collector:4318"}, {"traces": "http://x", "trace_share": 2.0}])
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"\[alerts\] trace"):
        Tracing(replace(Alerts(), **changes), "here")


def test_without_an_address_nothing_is_traced_and_opentelemetry_is_not_loaded() -> None:
    tracing = Tracing(Alerts(trace_share=1.0), "here")
    assert tracing.begin(SAMPLED) is None
    asyncio.run(tracing.stop())
    words = "import sys, redan.service.monitoring.tracing; assert 'opentelemetry' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
