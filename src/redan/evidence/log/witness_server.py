"""A witness over HTTP, on the standard library alone: small, bounded, for one machine beside a log's."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from redan.core.errors import EvidenceError
from redan.evidence.log.proving import LARGEST_PROOF_BYTES
from redan.evidence.log.witness import CONFLICT, MALFORMED, UNKNOWN, Witness, WitnessRefused

IDLE_TIMEOUT_S = 20.0
_TEXT = "text/plain; charset=utf-8"


class WitnessServer(ThreadingHTTPServer):
    """Answers ``POST /add-checkpoint`` once `serve_forever` is called.

    Args:
        witness: who signs.
        host: address to listen on.
        port: 0 takes any free one.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True

    def __init__(self, witness: Witness, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.witness = witness


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S
    server: WitnessServer

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST_PROOF_BYTES:
            self.close_connection = True
            self._answer(MALFORMED, f"a body of at most {LARGEST_PROOF_BYTES} bytes is expected\n")
            return
        body = self.rfile.read(int(length))
        if self.path.rstrip("/").rpartition("/")[2] == "add-checkpoint":
            self._answer(*self._add(body))
        else:
            self._answer(UNKNOWN, "only add-checkpoint is answered here\n")

    def _add(self, body: bytes) -> tuple[int, str, str]:
        try:
            signatures = self.server.witness.add(body)
        except WitnessRefused as err:
            if err.status == CONFLICT and err.size is not None:
                return CONFLICT, f"{err.size}\n", "text/x.tlog.size"
            return err.status, err.message + "\n", _TEXT
        except EvidenceError as err:
            return 500, err.message + "\n", _TEXT
        return 200, "".join(s.line() for s in signatures), _TEXT

    def _answer(self, status: int, text: str, kind: str = _TEXT) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was signed lies in the witness's folder."""
