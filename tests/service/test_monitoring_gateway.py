"""The whole gateway, as its own process: what it counts, what it traces."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.served import rows, served, settings_for
from tests.unit.service.monitoring.receivers import hook

from redan.core.settings_service import ServedModel

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def configured(folder: Path, traces: str) -> Path:
    """Write models, keys and a configuration whose gateway needs no login."""
    model: ServedModel = served(folder, "onnx")
    settings_for(folder, model)
    file = folder / "redan.toml"
    file.write_text(
        f"""
[serve]
address = "127.0.0.1:0"
[serve.guards]
authentication = false
[[serve.models]]
name = "{model.name}"
target = "{model.target}"
sample = "{model.sample}"
schema = "{model.schema}"
[[serve.models]]
name = "forged"
target = "forged.onnx"
[admission]
keys = ["ci.key.pub"]
[[admission.require]]
statement = "scan"
[identity]
token_key = "token.key"
[audit]
key = "audit.key"
[alerts]
traces = "{traces}"
trace_share = 0.0
"""
    )
    (folder / "forged.onnx").write_bytes((folder / model.target).read_bytes() + b"\x00")
    return file


def test_the_gateway_counts_traces_and_says_when_it_is_ready(tmp_path: Path) -> None:
    x, _ = rows()
    tensor = {"name": "input", "shape": [2, 30], "datatype": "FP32", "data": x[:2].ravel().tolist()}
    with hook() as receiver:
        receiver.answers = [(200, {})]
        file = configured(tmp_path, receiver.url)
        words = [sys.executable, "-m", "redan.cli.__main__", "serve", "--config", str(file)]
        still = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        with subprocess.Popen(
            words, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ | still
        ) as process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().strip()
                assert url, "the gateway did not start"
                with httpx.Client(base_url=url, timeout=10) as client:
                    assert client.get("/health/ready").json() == {"ready": True}
                    traced = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
                    for _ in range(3):
                        answer = client.post("/v2/models/onnx/infer", json={"inputs": [tensor]}, headers=traced)
                        assert answer.status_code == 200, answer.text
                    assert client.post("/v2/models/onnx/infer", content=b"{").status_code == 400
                    text = client.get(
                        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
                    ).text
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        _, headers, body = receiver.got.get(timeout=10)
    lines = text.splitlines()
    assert 'redan_requests_total{model="onnx",status="200",version="1"} 3.0' in lines
    assert 'redan_rows_total{model="onnx",version="1"} 6.0' in lines
    assert any(line.startswith("redan_refusals_total{") and 'why="malformed"' in line for line in lines)
    assert 'redan_model_refused{model="forged",version="1"} 1.0' in lines
    assert 'redan_model_admitted{model="onnx",version="1"} 1.0' in lines
    assert f'# {{trace_id="{TRACE}"}}' in text
    raw = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
    spans = ExportTraceServiceRequest.FromString(raw).resource_spans[0].scope_spans[0].spans
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert {"infer", "wait", "audit"} <= {span.name for span in spans}
