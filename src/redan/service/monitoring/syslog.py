"""Alerts as syslog messages (RFC 5424) over UDP (RFC 5426), TCP (RFC 6587, octet counting) or a local socket."""

from __future__ import annotations

import os
import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from redan.core.errors import ConfigError
from redan.core.finding import Severity
from redan.service.monitoring.channel import Later

if TYPE_CHECKING:
    from redan.service.monitoring.notice import Notice

FACILITY = 10
"""Security and authorisation messages, private (RFC 5424, table 1)."""
_LEVELS = {Severity.CRITICAL: 2, Severity.HIGH: 3, Severity.MEDIUM: 4, Severity.LOW: 5, Severity.INFO: 6}
_RESOLVED = 5
_MOST_BYTES = 2048
_TIMEOUT_S = 5.0
_SD_ID = "finding@32473"
"""32473 is the enterprise number that IANA keeps for documentation: Redan has none of its own."""


class Syslog:
    """Sends notices to one collector.

    Args:
        where: ``udp://HOST:PORT``, ``tcp://HOST:PORT`` or the path of a local datagram socket such as ``/dev/log``.

    Raises:
        ConfigError: it is none of these.
    """

    name = "syslog"

    def __init__(self, where: str) -> None:
        self._path = where if where.startswith("/") else ""
        self._kind = socket.SOCK_DGRAM
        self._host, self._port = "", 0
        self._name = socket.gethostname()
        if self._path:
            return
        try:
            parts = urlsplit(where)
            self._host, self._port = parts.hostname or "", parts.port or 514
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("udp", "tcp") or not self._host:
            raise ConfigError(
                f"[alerts] syslog is {where!r}; expected udp://HOST:PORT, tcp://HOST:PORT or a path", hint="/dev/log"
            )
        self._kind = socket.SOCK_STREAM if parts.scheme == "tcp" else socket.SOCK_DGRAM

    def send(self, notice: Notice) -> None:
        """Send one message; over UDP nobody learns whether it arrived.

        Raises:
            Later: nobody listens there.
        """
        message = line(notice, host=self._name)
        try:
            if self._path:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
                    local.settimeout(_TIMEOUT_S)
                    local.connect(self._path)
                    local.send(message)
            elif self._kind == socket.SOCK_STREAM:
                with socket.create_connection((self._host, self._port), timeout=_TIMEOUT_S) as stream:
                    stream.sendall(str(len(message)).encode() + b" " + message)
            else:
                self._datagram(message)
        except OSError as err:
            raise Later(f"not sent: {type(err).__name__}") from None

    def _datagram(self, message: bytes) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as remote:
            remote.connect(address)
            remote.send(message)


def line(notice: Notice, *, host: str) -> bytes:
    """Write a notice as one message of at most 2048 bytes (RFC 5424, sections 6.1 to 6.4)."""
    level = _RESOLVED if notice.state == "resolved" else _LEVELS[notice.severity]
    at = datetime.fromtimestamp(notice.at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    facts = {
        "id": notice.id,
        "fingerprint": notice.fingerprint,
        "rule": notice.rule,
        "severity": notice.severity.word,
        "state": notice.state,
        "subject": notice.subject,
        "times": str(notice.times),
        "replica": notice.replica,
    }
    data = " ".join(f'{name}="{_value(value)}"' for name, value in facts.items())
    head = f"<{FACILITY * 8 + level}>1 {at} {_word(host, 255)} redan {os.getpid()} {_word(notice.rule, 32)}"
    message = f"{head} [{_SD_ID} {data}] ".encode() + b"\xef\xbb\xbf" + notice.headline.encode()
    return message[:_MOST_BYTES].decode("utf-8", "ignore").encode()


def _word(text: str, most: int) -> str:
    return re.sub(r"[^!-~]", "_", text)[:most] or "-"


def _value(text: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", text)
