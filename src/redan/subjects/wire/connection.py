"""One kept-alive HTTP connection with a deadline, retries and a rate."""

from __future__ import annotations

import json
import os
import ssl
import time
from email.utils import parsedate_to_datetime
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from redan.core.addresses import keeps_secrets
from redan.core.errors import Contained, SubjectFailed, UsageError

if TYPE_CHECKING:
    from redan.core.settings import Endpoint

_BUSY = (429, 503)
_TURNED_AWAY = (401, 403, 429)
"""What somebody is answered who was answered before and is not wanted any more."""
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
_MOST_ANSWER_BYTES = 256 << 20
_BLOCK_BYTES = 1 << 16
_ADVICE = {
    401: "name the environment variable that holds the token: [endpoint] token_env",
    403: "name the environment variable that holds the token: [endpoint] token_env",
    404: "check the path of the address",
    413: "send fewer inputs at once: [endpoint] batch",
    415: "the endpoint does not take JSON",
    422: "the body does not fit: [endpoint] format",
    400: "the body does not fit: [endpoint] format",
}


class Connection:
    """Posts JSON to one address.

    Args:
        url: ``http://…`` or ``https://…``.
        endpoint: time limit, retries, rate and where the token is.

    Raises:
        UsageError: no such address, one where others could read the token, or the token is missing.
        SubjectFailed: nothing answers there.

    Attributes:
        shown: the address without its query, for reports.
        certificate: ``sha256:…`` of the server's certificate over TLS, else empty.
        n_requests: requests sent so far, retries included.
        n_answered: those that got an answer with status 200.
    """

    def __init__(self, url: str, endpoint: Endpoint) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"{url!r} is no address of a model", hint="write http://HOST:PORT/PATH")
        if parts.username or parts.password:
            raise UsageError("the address holds a password", hint="use [endpoint] token_env; addresses are in reports")
        if endpoint.token_env and not keeps_secrets(url):
            raise UsageError(
                f"the token in {endpoint.token_env!r} would cross the network in the clear to {parts.netloc}",
                hint="use https://, or http:// to this machine alone",
            )
        self._endpoint = endpoint
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", **_token(endpoint)}
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._http = _client(parts.scheme, parts.hostname, parts.port, endpoint.timeout_s)
        self._next_s = 0.0
        self.certificate = ""
        self.n_requests = self.n_answered = 0
        self._reach()

    def post(self, body: bytes) -> Any:
        """Send a body and return the JSON answer, trying again while the endpoint is busy or the line broke.

        Raises:
            Contained: it answered before and turns us away now.
            SubjectFailed: no answer in time, an error status, or no JSON.
        """
        for attempt in range(self._endpoint.retries + 1):
            last = attempt == self._endpoint.retries
            try:
                status, wait_s, answer = self._once(body)
            except TimeoutError as err:
                self.close()
                raise SubjectFailed(
                    f"{self.shown} did not answer within {self._endpoint.timeout_s:g} s",
                    hint="raise [endpoint] timeout_s, or send fewer inputs at once: [endpoint] batch",
                ) from err
            except (HTTPException, OSError) as err:
                self.close()
                if last:
                    raise SubjectFailed(f"the connection to {self.shown} broke: {_said(err)}") from err
                time.sleep(_backoff_s(attempt, None))
                continue
            if status in _BUSY and not last:
                time.sleep(_backoff_s(attempt, wait_s))
                continue
            return self._document(status, answer)
        raise AssertionError  # the loop ends by return or raise

    def close(self) -> None:
        """Close the connection; the next post opens another."""
        self._http.close()

    def _reach(self) -> None:
        try:
            self._http.connect()
        except OSError as err:
            raise SubjectFailed(
                f"nothing answers at {self.shown}: {_said(err)}", hint="is the endpoint running and the address right?"
            ) from err
        if isinstance(self._http.sock, ssl.SSLSocket):
            self.certificate = f"sha256:{sha256(self._http.sock.getpeercert(binary_form=True) or b'').hexdigest()}"

    def _once(self, body: bytes) -> tuple[int, float | None, bytes]:
        self._keep_rate()
        deadline_s = time.monotonic() + self._endpoint.timeout_s
        if self._http.sock is None:
            self._http.connect()
        self._http.sock.settimeout(self._endpoint.timeout_s)
        self.n_requests += 1
        self._http.request("POST", self._target, body=body, headers=self._headers)
        response = self._http.getresponse()
        return response.status, _retry_after_s(response), self._read(response, deadline_s)

    def _read(self, response: HTTPResponse, deadline_s: float) -> bytes:
        """Read the answer against one deadline for all of it: a server that drips bytes must not hold us forever."""
        blocks: list[bytes] = []
        size = 0
        while block := response.read1(_BLOCK_BYTES):
            blocks.append(block)
            size += len(block)
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            if size > _MOST_ANSWER_BYTES:
                self.close()
                raise SubjectFailed(f"{self.shown} answered more than {_MOST_ANSWER_BYTES >> 20} MiB")
            if self._http.sock is not None:
                self._http.sock.settimeout(left_s)
        if response.length:
            raise HTTPException(f"the answer ended {response.length} bytes early")
        # a response that was read in parts is not ended by its last byte, and the next request would be refused
        response.close()
        return b"".join(blocks)

    def _keep_rate(self) -> None:
        if self._endpoint.rate_per_s > 0:
            now_s = time.monotonic()
            time.sleep(max(0.0, self._next_s - now_s))
            self._next_s = max(now_s, self._next_s) + 1 / self._endpoint.rate_per_s

    def _document(self, status: int, answer: bytes) -> Any:
        if status != 200:
            text = answer[:200].decode("utf-8", "replace").strip()
            said = f"{self.shown} answered with status {status}" + (f": {text!r}" if text else "")
            if self.n_answered and (status in _TURNED_AWAY or (status == 503 and b'"quarantine"' in answer)):
                raise Contained(said, hint="its own monitors stopped this attack: redan incident list there")
            raise SubjectFailed(said, hint=_ADVICE.get(status, "look into the endpoint's own log"))
        self.n_answered += 1
        try:
            return json.loads(answer)
        except (ValueError, RecursionError) as err:
            raise SubjectFailed(
                f"{self.shown} answered something that is no JSON: {answer[:80].decode('utf-8', 'replace')!r}",
                hint="is this the address of predictions?",
            ) from err


def _client(scheme: str, host: str, port: int | None, timeout_s: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, timeout=timeout_s, context=ssl.create_default_context())
    return HTTPConnection(host, port, timeout=timeout_s)


def _token(endpoint: Endpoint) -> dict[str, str]:
    if not endpoint.token_env:
        return {}
    token = os.environ.get(endpoint.token_env, "")
    if not token or not token.isprintable():
        raise UsageError(f"the environment variable {endpoint.token_env!r} holds no token", hint="export it first")
    return {"Authorization": f"Bearer {token}"}


def _retry_after_s(response: HTTPResponse) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time.time() if value else None
    except (ValueError, TypeError):
        return None


def _backoff_s(attempt: int, asked_s: float | None) -> float:
    wait_s = _FIRST_WAIT_S * 2.0**attempt if asked_s is None else asked_s
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)


def _said(err: BaseException) -> str:
    return str(err) or type(err).__name__
