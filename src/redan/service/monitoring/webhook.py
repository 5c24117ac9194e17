"""Alerts as JSON to an address of the owner, signed, so that the receiver can tell them from anybody else's."""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import msgspec

from redan.core.errors import ConfigError
from redan.service.monitoring.channel import Later, Undeliverable

if TYPE_CHECKING:
    from redan.service.monitoring.notice import Notice

SECRET = "REDAN_WEBHOOK_SECRET"  # noqa: S105  # the variable's name
_TIMEOUT_S = 10.0
_LEAST_SECRET = 16


class Webhook:
    """Posts notices to one address.

    Redirects are not followed and proxies of the environment are not used; authorities are those of the system or of
    ``SSL_CERT_FILE``.

    Args:
        url: http:// or https://.

    Raises:
        ConfigError: it is no such address, or there is no secret to sign with.
    """

    name = "webhook"

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("[alerts] webhook is no http:// or https:// address", hint="https://example.com/hook")
        secret = os.environ.get(SECRET, "")
        if len(secret) < _LEAST_SECRET:
            raise ConfigError(
                f"[alerts] webhook needs a secret of at least {_LEAST_SECRET} characters in {SECRET}",
                hint=f"export {SECRET}=$(openssl rand -hex 32)",
            )
        self._url = url
        self._secret = secret.encode()
        self._tls = ssl.create_default_context()

    def send(self, notice: Notice) -> None:
        """Post a notice; blocks for seconds at most.

        Raises:
            Later: nobody answered, or with 429 or 5xx.
            Undeliverable: any other answer but 2xx.
        """
        body = encoded(notice)
        headers = {"Content-Type": "application/json", "User-Agent": "redan", **signed(self._secret, body, time.time())}
        headers["Redan-Delivery"] = notice.id
        try:
            with (
                httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False, verify=self._tls) as client,
                # the answer's body is the receiver's business: it is never read, so it cannot be endless
                client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                status, after = response.status_code, response.headers.get("Retry-After", "")
        except httpx.HTTPError as err:
            raise Later(f"no answer: {type(err).__name__}") from None
        if status == 429 or status >= 500:
            raise Later(f"answered {status}", after_s=float(after) if after.isascii() and after.isdigit() else 0)
        if not 200 <= status < 300:
            raise Undeliverable(f"answered {status}; expected 2xx")


def encoded(notice: Notice) -> bytes:
    """Write a notice as JSON."""
    return msgspec.json.encode(
        {
            "schema": "redan/alert/1",
            "id": notice.id,
            "state": notice.state,
            "fingerprint": notice.fingerprint,
            "rule": notice.rule,
            "threat": notice.threat,
            "severity": notice.severity.word,
            "subject": notice.subject,
            "title": notice.title,
            "detail": notice.detail,
            "at": datetime.fromtimestamp(notice.at_s, UTC).isoformat(timespec="seconds"),
            "times": notice.times,
            "replica": notice.replica,
        }
    )


def signed(secret: bytes, body: bytes, at_s: float) -> dict[str, str]:
    """Return the headers that prove a body.

    ``Redan-Signature`` is ``v1=`` and HMAC-SHA-256 over the timestamp, a full stop and the body, hexadecimal. A
    receiver refuses timestamps that are minutes old, so that nothing can be replayed later.
    """
    stamp = str(int(at_s))
    mac = hmac.new(secret, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Redan-Timestamp": stamp, "Redan-Signature": f"v1={mac}"}
