"""A small model server that is weak where it is told to be, and otherwise does what it should."""

from __future__ import annotations

import json
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

TOKEN = "Bearer right"
WEAKNESSES = (
    "open-server-lists",
    "listens-beyond-loopback",
    "known-vulnerable-server",
    "path-traversal",
    "fetches-addresses",
    "unpickles-requests",
    "takes-jobs",
    "weak-transport",
    "authentication-bypass",
    "no-rate-limit",
    "unvalidated-input",
    "errors-leak",
    "answers-teach",
    "upload-keeps-path",
)
BURST = 30


class Server(ThreadingHTTPServer):
    """Remembers what it is weak in."""

    daemon_threads = True

    def __init__(self, address: str, weak: frozenset[str]) -> None:
        super().__init__((address, 0), Handler)
        self.weak = weak
        self.gets = 0


class Handler(BaseHTTPRequestHandler):
    """Answers like a tracking server with a prediction endpoint."""

    server: Server

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def reply(self, status: int, body: object = "", **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        if "weak-transport" in self.server.weak:
            headers["Access-Control-Allow-Origin"] = self.headers.get("Origin", "*")
            headers["Access-Control-Allow-Credentials"] = "true"
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def weak(self, name: str) -> bool:
        return name in self.server.weak

    def admitted(self) -> bool:
        given = self.headers.get("Authorization", "")
        if self.weak("authentication-bypass") and given.count(".") == 2 and given.endswith("."):
            return True
        return given == TOKEN

    def do_GET(self) -> None:
        path = urllib.parse.unquote(self.path)
        if self.weak("path-traversal") and path.startswith("/static/../"):
            file = Path("/") / path.removeprefix("/static/").replace("../", "")
            return self.reply(200, file.read_text() if file.is_file() else "")
        if self.weak("fetches-addresses") and path.startswith("/proxy?url=http"):
            urllib.request.urlopen(path.partition("url=")[2], timeout=2).close()
            return self.reply(200)
        if path.startswith("/api/2.0/mlflow/"):
            open_ = self.weak("open-server-lists") or self.admitted()
            return self.reply(200, {"registered_models": []}) if open_ else self.reply(401)
        if path == "/api/version":
            ray = self.weak("known-vulnerable-server") or self.weak("takes-jobs")
            return self.reply(200, {"ray_version": "2.9.0"}) if ray and self.admitted() else self.reply(404)
        if path == "/api/jobs/":
            return self.reply(200, []) if self.weak("takes-jobs") else self.reply(401)
        if path == "/predict":
            return self.predict_get()
        if self.weak("errors-leak"):
            return self.reply(500, 'Traceback (most recent call last):\n  File "/srv/app.py", line 3, in f')
        return self.reply(404)

    def predict_get(self) -> None:
        if not self.admitted():
            return self.reply(401)
        self.server.gets += 1
        if self.server.gets > BURST and not self.weak("no-rate-limit"):
            return self.reply(429, Retry_After="1")
        return self.reply(405)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        if self.path == "/upload":
            return self.uploaded(body)
        if self.path != "/predict":
            return self.reply(404)
        if not self.admitted():
            return self.reply(401)
        if self.weak("unpickles-requests") and "pickle" in kind:
            return self.reply(500, "EOFError: Ran out of input")
        if kind != "application/json":
            return self.reply(415)
        return self.predicted(body)

    def uploaded(self, body: bytes) -> None:
        name = body.partition(b'filename="')[2].partition(b'"')[0].decode()
        kept = name if self.weak("upload-keeps-path") else Path(name).name
        return self.reply(200, {"stored": kept})

    def predicted(self, body: bytes) -> None:
        try:
            document = json.loads(body)
            row = document["instances"][0]
            assert len(row) == 1
            assert isinstance(row[0], float)
        except (ValueError, KeyError, TypeError, IndexError, AssertionError, RecursionError):
            return self.reply(200 if self.weak("unvalidated-input") else 422, {"predictions": [0]})
        if self.weak("answers-teach"):
            return self.reply(200, {"predictions": [[0.123456789, 0.876543211]]})
        return self.reply(200, {"predictions": [1]})


@contextmanager
def model_server(*weak: str, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve until the block ends; yields the address of the prediction endpoint."""
    server = Server("0.0.0.0" if "listens-beyond-loopback" in weak else "127.0.0.1", frozenset(weak))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/predict"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
