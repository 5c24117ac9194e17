"""A running server that is asked harmless things: bounded in requests, bytes and time; on this machine by default.

The name is resolved once and that address is used for every request, so that an answer of the name service cannot lead
a later request to another machine. Redirects are shown, never followed.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from redan.core.errors import Unreadable, UsageError
from redan.core.subject import Binding, SubjectRef
from redan.kernels.deployment.exchange import Answer, Request, decoded, encoded
from redan.kernels.deployment.listening import listeners
from redan.kernels.deployment.outcome import Facts
from redan.kernels.deployment.products import recognise

if TYPE_CHECKING:
    from redan.core.subject import Capability

MOST_ANSWER_BYTES = 256 << 10
MOST_REQUESTS = 600
TIMEOUT_S = 5.0
_BLOCK_BYTES = 1 << 14


class DeploymentSubject:
    """A server at one address.

    Args:
        url: ``http://HOST:PORT`` or ``https://…``; a path in it is the endpoint that predicts.
        credential: value of the Authorization header, or empty.
        canary: a file that the operator made to be looked for on the server, or None.
        allow_remote: ask servers on other machines too.
        most_requests: requests in all.
        timeout_s: seconds for one request, reading included.

    Raises:
        UsageError: no such address, or a machine that is not this one without ``allow_remote``.
        Unreadable: the name cannot be resolved, or the canary file cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        credential: str = "",
        canary: Path | None = None,
        allow_remote: bool = False,
        most_requests: int = MOST_REQUESTS,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise UsageError(
                f"{url!r} is no address of a server", hint="write http://HOST:PORT or http://HOST:PORT/PATH"
            )
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._secure else 80)
        self._shown_host = parts.netloc
        self._predict = parts.path.rstrip("/")
        self._address = _resolved(self._host, self._port)
        self._local = ipaddress.ip_address(self._address).is_loopback
        if not self._local and not allow_remote:
            raise UsageError(
                f"{self._host!r} is {self._address}, which is not this machine",
                hint="--allow-remote, for servers that you may test",
            )
        if credential and not self._secure and not self._local:
            raise UsageError(
                f"the credential would cross the network in the clear to {parts.netloc}",
                hint="use https://, or scan without --credential-env",
            )
        self._credential = ("Authorization", credential) if credential else None
        self._canary = canary
        self._canary_text = _canary_text(canary)
        self._left = most_requests
        self._timeout_s = timeout_s
        self._certificate = ""
        self._context = ssl.create_default_context() if self._secure else None
        self._listener = _Listener()
        self.n_requests = 0

    @property
    def ref(self) -> SubjectRef:
        """The address; nothing of a server's content can be digested from outside."""
        scheme = "https" if self._secure else "http"
        uri = f"{scheme}://{self._shown_host}{self._predict}"
        return SubjectRef(name=self._shown_host, kind="deployment", binding=Binding(kind="endpoint", uri=uri))

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It can be asked."""
        return frozenset({"deployment"})

    @property
    def classes(self) -> tuple[str, ...]:
        """None: nothing is predicted here."""
        return ()

    @property
    def bounds(self) -> tuple[float, float] | None:
        """None: nothing is predicted here."""
        return None

    def ask(self, request: Request) -> Answer | None:
        """Send one request; None when nothing readable came back in time, or all requests are spent."""
        if self._left <= 0:
            return None
        self._left -= 1
        self.n_requests += 1
        started_s = time.monotonic()
        try:
            with self._connected() as line:
                line.sendall(encoded(request, self._shown_host, self._credential))
                raw, cut = _received(line, started_s + self._timeout_s)
            return decoded(raw, cut=cut, took_s=time.monotonic() - started_s)
        except (OSError, Unreadable):
            return None

    @property
    def spent(self) -> bool:
        """Whether all requests are spent, so that later checks could not look."""
        return self._left <= 0

    def facts(self) -> Facts:
        """Recognise the servers behind the address and gather what checks need beside answers.

        Raises:
            Unreadable: nothing answers.
        """
        if self.ask(Request(path="/")) is None and self.ask(Request(path=self._predict or "/")) is None:
            raise Unreadable(
                f"nothing that speaks HTTP answers at {self.ref.binding.uri}", hint="is the server running?"
            )
        return Facts(
            products=recognise(self.ask),
            port=self._port,
            secure=self._secure,
            certificate=self._certificate,
            local=self._local,
            canary=str(self._canary.resolve()) if self._canary else "",
            canary_text=self._canary_text,
            credential=self._credential is not None,
            predict=self._predict,
            listeners=listeners(self._port) if self._local else (),
            listener=self._listener.url if self._local else "",
            fetched=lambda: self._listener.n_fetched,
        )

    def close(self) -> None:
        """Stop the listener."""
        self._listener.close()

    def _connected(self) -> socket.socket:
        line = socket.create_connection((self._address, self._port), timeout=self._timeout_s)
        if self._context is None:
            return line
        try:
            return self._context.wrap_socket(line, server_hostname=self._host)
        except ssl.SSLCertVerificationError as err:
            # told as a finding; the other checks go on without trusting anything that they read
            self._certificate = err.verify_message
            self._context = ssl.create_default_context()
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
            line.close()
            return self._connected()


def _received(line: socket.socket, deadline_s: float) -> tuple[bytes, bool]:
    """Read until the server closes, too many bytes came, or time is over; tell whether it was cut short."""
    parts: list[bytes] = []
    size = 0
    while True:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or size > MOST_ANSWER_BYTES:
            return b"".join(parts)[:MOST_ANSWER_BYTES], True
        line.settimeout(left_s)
        try:
            block = line.recv(_BLOCK_BYTES)
        except TimeoutError:
            return b"".join(parts), True
        if not block:
            return b"".join(parts), False
        parts.append(block)
        size += len(block)


def _resolved(host: str, port: int) -> str:
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as err:
        raise Unreadable(f"the name {host!r} cannot be resolved: {err.strerror}", hint="check the address") from err


def _canary_text(canary: Path | None) -> str:
    if canary is None:
        return ""
    try:
        text = canary.read_text(encoding="utf-8")[:4096].strip()
    except (OSError, UnicodeDecodeError) as err:
        raise Unreadable(f"the canary file {str(canary)!r} cannot be read as text", hint="make one") from err
    if len(text) < 8:
        raise UsageError(
            "the canary file holds too little to be recognised", hint="write a random line of 32 characters"
        )
    return text


class _Listener:
    """Counts who fetches an address of this machine that nobody else can guess."""

    def __init__(self) -> None:
        self._word = secrets.token_hex(8)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/{self._word}"
        self.n_fetched = 0
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            with line, suppress(OSError):
                line.settimeout(1.0)
                if self._word.encode() in line.recv(4096):
                    self.n_fetched += 1
                line.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        self._socket.close()
