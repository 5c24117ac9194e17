"""A prediction endpoint that unpacks whatever it is sent, or one that does not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    careless = False

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, n = self._answered(body)
        answer = json.dumps({"predictions": [0] * n}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _answered(self, body: bytes) -> tuple[int, int]:
        """Return a status and how many predictions are answered."""
        packed = self.headers.get("Content-Encoding") == "gzip"
        if not self.careless and (packed or len(body) > 8192 or self.headers["Content-Type"] != "application/json"):
            return 413, 0
        try:
            document = json.loads(gzip.decompress(body) if packed else body)
            return 200, len(document["instances"])
        except (ValueError, RecursionError, TypeError, KeyError):
            return 500, 0


class _Careless(_Handler):
    careless = True


@contextmanager
def growing_server(*, careless: bool) -> Iterator[str]:
    """Serve until the block ends; yields the address of the prediction endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Careless if careless else _Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/predict"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
