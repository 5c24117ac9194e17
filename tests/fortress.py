"""The assembled gateway as a process of its own, with somebody in every role and canaries wherever secrets lie.

Each attacker comes from a loopback address of its own, so that what one guesses locks nobody else out.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pyotp
from tests.certificates import certificates, showing
from tests.gateway_process import started
from tests.plane import Client
from tests.plane import request as request  # noqa: PLC0414  # whoever asks the fortress writes requests
from tests.served import COLUMNS, rows, served, settings_for

from redan.core import config as configuration
from redan.core.settings import Settings
from redan.evidence.keys import load_signer
from redan.evidence.log.reading import LogReader
from redan.evidence.store.database import Database
from redan.service.audit.act import Act, decode
from redan.service.audit.places import log_folder
from redan.service.database import open_database
from redan.service.identity import directory, keys
from redan.service.identity.login import passwords, sessions, totp
from redan.service.identity.login.sealing import open_sealer
from redan.service.identity.roles import roles_of
from redan.service.identity.token_keys import signing_key
from redan.service.identity.tokens import Claims, SigningKey, mint
from redan.service.web.session_cookie import cookie_name

ROLES = ("client", "monitor", "viewer", "operator", "responder", "auditor", "registrar", "administrator")
MINE, OTHER = "cancer", "hidden"
"""Two models; who may ask one of them alone may ask the first."""
PASSWORD = "ochre lantern gravel flute"
CANARY = "canary7f3e"
"""Part of every planted secret, of the project's folder and of environment variables; no answer may hold it."""
MARKER = "127.254.254.254"
"""Comes to see how far the audit log is."""
PREDICT, INFER = f"/v1/models/{MINE}/predict", f"/v2/models/{MINE}/infer"
HASHER = passwords.hasher()
"""As this was read: other tests of one process may make hashing cheap meanwhile, which would be told by time."""
_addresses = count(2)
_LEAKS = re.compile(
    rb"Traceback|File \"|site-packages|\.py\b|sqlalchemy|sqlite3?\b|psycopg|SELECT .* FROM|INSERT INTO|msgspec"
    rb"|starlette|uvicorn|httptools|numpy|onnxruntime|sklearn|redan\.(?:service|core|evidence|kernels)|<class "
    rb"|(?:Value|Type|Key|Attribute|Operational|Integrity|Overflow|Recursion|Memory|Os|Unicode\w+)Error"
    rb"|object at 0x|/tmp/|/home/|/usr/|PRIVATE KEY|\$argon2|python/\d",
    re.IGNORECASE,
)
_HTTPS = """
[serve.tls]
certificate = "server.pem"
key = "server.key"
client_ca = "authority.pem"
"""
_SETTINGS = """
[admission]
keys = ["ci.key.pub"]
[[admission.require]]
statement = "scan"
[serve]
address = "127.0.0.1:0"
name = "r1"
{serve}
[[serve.models]]
name = "{mine}"
target = "{mine}-1.onnx"
sample = "sample.npz"
schema = "schema.json"
[[serve.models]]
name = "{other}"
target = "{other}-1.onnx"
sample = "sample.npz"
[serve.guards]
{guards}
[serve.limits]
{limits}
[identity]
token_key = "token.key"
token_ttl = "12h"
[audit]
key = "audit.key"
strangers_per_s = 0
[alerts]
webhook = "http://127.0.0.1:9/{canary}-webhook"
"""


def address() -> str:
    """Return a loopback address that nobody else here comes from."""
    number = next(_addresses)
    return f"127.{1 + os.getpid() % 250}.{number // 250}.{1 + number % 250}"


@dataclass(kw_only=True)
class Fortress:
    """A running gateway.

    Attributes:
        folder: its project.
        port: where it listens.
        process: it.
        settings: in force.
        database: the service's, opened by us.
        tokens: credentials by whose they are, as Authorization headers: every role, and those who may nothing.
        secrets: what must never be in an answer.
        authenticator: secret of the app of ``user:operator``.
        tls: how to connect over HTTPS, with a client's certificate; None for HTTP.
    """

    folder: Path
    port: int
    process: subprocess.Popen[str]
    settings: Settings
    database: Database
    tokens: dict[str, str] = field(default_factory=dict)
    secrets: list[bytes] = field(default_factory=list)
    authenticator: str = ""
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        """What its session cookie is called."""
        return cookie_name(https=self.tls is not None)

    def http(self, addr: str) -> httpx.Client:
        """Return a client with a cookie jar, which comes from an address."""
        transport = httpx.HTTPTransport(local_address=addr, verify=self.tls or True)
        return httpx.Client(base_url=self.url, transport=transport, timeout=20)

    @property
    def signing(self) -> SigningKey:
        """The key that signs tokens."""
        return signing_key(load_signer(self.folder / "token.key"))

    def recorded(self) -> int:
        """Return how many entries the audit log has, once all that was answered up to now is in it."""
        mark = f"GET /{secrets.token_hex(8)}"
        reader = self._log()
        before = reader.size
        with self.http(MARKER) as client:
            client.get(mark[4:])
        ends_s = time.monotonic() + 20
        while time.monotonic() < ends_s:
            reader = self._log()
            if any(mark.encode() in entry for entry in reader.entries(before)):
                return reader.size
            time.sleep(0.02)  # nothing can be awaited: another process signs the log
        raise AssertionError("a denial is not in the audit log after 20 s")

    def acts(self, start: int = 0) -> list[Act]:
        """Read what the audit log holds of all that was answered up to now, but for the marks set for that."""
        stop = self.recorded()
        return [act for act in map(decode, self._log().entries(start, stop)) if act.addr != MARKER]

    def _log(self) -> LogReader:
        return LogReader(log_folder(self.settings, self.folder, "r1"))

    def errors(self) -> str:
        """Return what the gateway wrote on standard error."""
        return (self.folder / "server.err").read_text(errors="replace")

    def rss_bytes(self) -> int:
        """Return how much memory the process holds."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) << 10

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def token(self, subject: str, **claims: Any) -> str:
        """Sign a token as the gateway would; claims can be anything."""
        now_s = int(time.time())
        issuer = self.settings.identity.issuer
        given = {"iss": issuer, "aud": issuer, "iat": now_s, "exp": now_s + 900, "jti": secrets.token_urlsafe(12)}
        kind = claims.pop("kind", "at+jwt")
        return mint(Claims(sub=subject, **(given | claims)), kind, self.signing)

    def session(self, person: str, *, state: sessions.State = "full", mfa: bool = False) -> str:
        """Begin a session as login would; return the cookie's secret."""
        with self.database.writing() as connection:
            return sessions.begin(
                connection,
                f"user:{person}",
                state=state,
                method="password",
                ttl_s=900,
                addr="127.0.0.1",
                agent="",
                mfa_s=time.time() if mfa else None,
            )

    async def connect(self, addr: str = "127.0.0.1") -> Client:
        """Open a connection from an address."""
        how: dict[str, Any] = {"local_addr": (addr, 0), "limit": 1 << 24, "ssl": self.tls}
        return Client(*await asyncio.open_connection("127.0.0.1", self.port, **how))

    async def ask(self, data: bytes, addr: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
        """Send bytes on a connection of their own and read the first answer."""
        client = await self.connect(addr)
        try:
            await client.send(data)
            return await client.answer()
        finally:
            await client.close()

    async def serves(self) -> None:
        """Assert that it is alive and its answers are right."""
        body = b'{"x": [' + str(rows()[0][0].tolist()).encode() + b"]}"
        status, _, answer = await self.ask(request(PREDICT, body, token=self.tokens["client"]), address())
        assert status == 200, answer
        assert b'"labels":[0]' in answer

    def judge(self, status: int, headers: dict[str, str], body: bytes, what: object = "") -> None:
        """Assert what holds for every answer: no failure but 503 with Retry-After, and nothing told that is ours."""
        assert status < 500 or (status == 503 and "retry-after" in headers), (what, status, body[:500])
        whole = body + b"\n" + repr(headers).encode()
        found = _LEAKS.search(whole)
        assert found is None, (what, status, found, whole[max(0, found.start() - 100) : found.end() + 100])
        for secret in self.secrets:
            assert secret not in whole, (what, status, secret)


@contextmanager
def fortress(
    folder: Path, *, serve: str = "", guards: str = "", limits: str = "", https: bool = False
) -> Iterator[Fortress]:
    """Start a gateway and stop it.

    Args:
        folder: an empty one; the project lies in a folder of it whose name is a canary.
        serve: further lines of ``[serve]``.
        guards: of ``[serve.guards]``; wide rates when left out.
        limits: of ``[serve.limits]``.
        https: over HTTPS, for clients with a certificate alone.
    """
    folder = folder / f"{CANARY}-project"
    folder.mkdir()
    if https:
        certificates(folder)
    settings_for(folder, served(folder, "onnx", name=MINE), served(folder, "onnx", name=OTHER, seed=1))
    (folder / "redan.toml").write_text(
        _SETTINGS.format(
            mine=MINE,
            other=OTHER,
            serve=serve + _HTTPS if https else serve,
            guards=guards
            or "rate_per_s = 100000\nburst = 100000\nrows_per_s = 1e6\nrows_burst = 1000000\nexplanations = true",
            limits=limits,
            canary=CANARY,
        )
    )
    config = configuration.load(file=folder / "redan.toml", root=folder, environ={})
    told = {
        "REDAN_WEBHOOK_SECRET": f"{CANARY}-hook-secret-of-32-characters",
        "REDAN_OIDC_SECRET": f"{CANARY}-oidc-secret",
    }
    with started(folder, **told) as (process, url):
        database = open_database(config.settings.serve.database, root=folder)
        port = int(url.rpartition(":")[2])
        gateway = Fortress(folder=folder, port=port, process=process, settings=config.settings, database=database)
        gateway.tls = showing(folder) if https else None
        try:
            _people(gateway)
            yield gateway
            assert process.poll() is None, f"the gateway died: {gateway.errors()[-2000:]}"
        finally:
            database.close()


def _people(gateway: Fortress) -> None:
    """Make somebody in every role, and some who may nothing any more."""
    roles = roles_of(gateway.settings.identity)
    sealer = open_sealer(gateway.settings.identity.factor_key, gateway.database, root=gateway.folder)
    told = gateway.secrets
    with gateway.database.writing() as connection:
        for role in ROLES:
            for id in (f"client:{role}", f"user:{role}"):
                directory.add(connection, id, by="test")
                directory.grant(connection, roles, id, role, by="test")
        for name, model in (("narrow", MINE), ("disabled", "*"), ("keyed", "*"), ("revoked", "*"), ("late", "*")):
            directory.add(connection, f"client:{name}", by="test")
            directory.grant(connection, roles, f"client:{name}", "client", model, by="test")
        directory.add(connection, "client:nobody", by="test")
        directory.add(connection, "client:almighty", by="test")
        for role in ROLES:
            directory.grant(connection, replace(roles, strict=False), "client:almighty", role, by="test")
        _, narrow = keys.make(connection, "client:keyed", by="test", scope=frozenset({("predict", MINE)}))
        key, revoked = keys.make(connection, "client:revoked", by="test")
        keys.revoke(connection, key.id)
        directory.disable(connection, "client:disabled", roles)
        for name in ("operator", "viewer"):
            passwords.keep(connection, f"user:{name}", HASHER.hash(PASSWORD))
        offer = totp.offer(sealer, "user:operator", "redan")
        step = pyotp.TOTP(offer.secret).at(int(time.time()) - 30)
        assert totp.enrol(connection, sealer, "user:operator", offer.ticket, step)
    gateway.authenticator = offer.secret
    tokens = {role: gateway.token(f"client:{role}") for role in ROLES}
    tokens |= {name: gateway.token(f"client:{name}") for name in ("narrow", "disabled", "nobody")}
    tokens["expired"] = gateway.token("client:late", iat=int(time.time()) - 900, exp=int(time.time()) - 1)
    tokens["keyed"], tokens["revoked"] = narrow, revoked
    gateway.tokens = {name: f"Bearer {token}" for name, token in tokens.items()}
    told += [CANARY.encode(), PASSWORD.encode(), offer.secret.encode(), *(text.encode() for text in tokens.values())]
    for name in ("token.key", "audit.key", "ci.key", *(["server.key"] if gateway.tls else [])):
        told += [
            line for line in (gateway.folder / name).read_bytes().splitlines() if len(line) > 20 and b"-" not in line
        ]
    told.append(str(gateway.folder).encode())


class Line:
    """A connection without an event loop, opened again whenever the gateway ended it."""

    def __init__(self, gateway: Fortress, addr: str) -> None:
        self._gateway, self._addr = gateway, addr
        self._socket: socket.socket | None = None
        self._left = b""

    def ask(self, data: bytes, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Send bytes and read one answer; raises when none comes within ten seconds."""
        try:
            self._send(data)
        except ConnectionError:
            # what was asked before on this connection made the gateway end it
            self.close()
            self._send(data)
        head, _, self._left = self._until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        status, body = int(lines[0].split()[1]), b""
        if headers.get("transfer-encoding") == "chunked":
            whole, _, self._left = self._until(b"0\r\n\r\n")
            body = whole
        elif has_body:
            length = int(headers.get("content-length", 0))
            while len(self._left) < length:
                self._more()
            body, self._left = self._left[:length], self._left[length:]
        if headers.get("connection") == "close":
            self.close()
        return status, headers, body

    def _send(self, data: bytes) -> None:
        """Send bytes and wait until an answer begins."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._gateway.port), 10, (self._addr, 0))
            if self._gateway.tls:
                self._socket = self._gateway.tls.wrap_socket(self._socket, server_hostname="127.0.0.1")
            self._left = b""
        with suppress(ConnectionError):  # it may have answered and gone before it read everything
            self._socket.sendall(data)
        if not self._left:
            self._more()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _until(self, end: bytes) -> tuple[bytes, bytes, bytes]:
        while end not in self._left:
            self._more()
        return self._left.partition(end)

    def _more(self) -> None:
        assert self._socket is not None
        got = self._socket.recv(1 << 16)
        if not got:
            raise ConnectionError(f"the gateway hung up after {self._left[:200]!r}")
        self._left += got


def tensor(n: int = 1) -> dict[str, Any]:
    """Return a good request of the Open Inference Protocol."""
    x = rows()[0][:n]
    return {"inputs": [{"name": "x", "shape": [n, COLUMNS], "datatype": "FP64", "data": x.ravel().tolist()}]}
