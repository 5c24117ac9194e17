"""Models behind HTTP, with a real server: one that works, one that fails, one that hangs, one that lies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Cli

Answer = Callable[[np.ndarray], tuple[int, bytes]]


def good(x: np.ndarray) -> tuple[int, bytes]:
    scores = np.exp(x[:, :3] * 4)
    return 200, json.dumps({"predictions": (scores / scores.sum(1, keepdims=True)).tolist()}).encode()


def broken(x: np.ndarray) -> tuple[int, bytes]:
    return 500, b"internal error"


def hanging(x: np.ndarray) -> tuple[int, bytes]:
    time.sleep(3)
    return good(x)


def lying(x: np.ndarray) -> tuple[int, bytes]:
    return 200, b"<html>welcome</html>"


def short(x: np.ndarray) -> tuple[int, bytes]:
    return good(x[:1])


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Start a prediction server on a free port of the loopback interface."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, data = answer(np.asarray(json.loads(body)["instances"], np.float32))
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *words: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/predict"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_working_endpoint_is_attacked_with_labels(
    cli: Cli, serve: Callable[[Answer], str], data: Callable[..., Path]
) -> None:
    words = ("attack", serve(good), "--data", data(3), "--bounds", 0, 1, "--format", "json", "--param", "plan=quick")
    ended = cli(*words, "--eps", 0.5)
    report = json.loads(ended.out)
    assert ended.code == 1, ended.err
    assert report["subject"]["binding"]["kind"] == "endpoint"
    found = next(f for f in report["findings"] if f["rule"] == "RDN-EVA-023")
    robust = next(q for q in found["quantities"] if q["name"] == "robust_accuracy")
    assert robust["value"] < 0.2
    assert cli(*words, "--eps", 0.001).code == 0


@pytest.mark.parametrize(
    ("answer", "says"), [(broken, "500"), (hanging, "0.3"), (lying, "JSON"), (short, "1")], ids=lambda v: str(v)[:12]
)
def test_a_failing_endpoint_is_never_clean(
    cli: Cli,
    serve: Callable[[Answer], str],
    data: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    says: str,
) -> None:
    monkeypatch.setenv("REDAN_ENDPOINT_TIMEOUT_S", "0.3")
    monkeypatch.setenv("REDAN_ENDPOINT_RETRIES", "0")
    ended = cli("attack", serve(answer), "--data", data(3), "--bounds", 0, 1, "--eps", 0.1)
    assert ended.code == 3
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_nobody_listens(cli: Cli, data: Callable[..., Path]) -> None:
    ended = cli("attack", "http://127.0.0.1:9/predict", "--data", data(3), "--bounds", 0, 1, "--eps", 0.1)
    assert ended.code == 3
    assert "Traceback" not in ended.err


def test_a_query_budget_is_kept(cli: Cli, serve: Callable[[Answer], str], data: Callable[..., Path]) -> None:
    seen = []

    def counting(x: np.ndarray) -> tuple[int, bytes]:
        seen.append(len(x))
        return good(x)

    ended = cli(
        "attack", serve(counting), "--data", data(3), "--bounds", 0, 1, "--eps", 0.001, "--budget", "500 queries"
    )
    assert ended.code == 3
    # a few rows more go into finding out whether model and data fit
    assert sum(seen) <= 500 + 40
