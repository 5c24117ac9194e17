"""The assembled gateway in a thread of this process, with models in several roles and somebody in every role."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
import uvloop
from tests.served import rows, served, settings_for

from redan.core import config as configuration
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.service.assembly import Service, assemble
from redan.service.gateway.server import GatewayServer, open_socket, serve
from redan.service.identity import directory, keys
from redan.service.identity.login import passwords, sessions, totp
from redan.service.identity.login.desk import logins_of
from redan.service.incidents import timeline
from redan.service.parts import Parts
from redan.service.web.session_cookie import csrf_token

ROLES = ("viewer", "operator", "responder", "auditor", "registrar", "administrator")
PASSWORD = "ochre lantern gravel flute"
MODEL = "cancer"
LONG = "a-model-whose-name-is-as-long-as-names-of-models-in-large-companies-get"
_SETTINGS = f"""
[serve]
address = "127.0.0.1:0"
name = "r1"
{{serve}}
[[serve.models]]
name = "{MODEL}"
target = "{MODEL}-1.onnx"
sample = "sample.npz"
schema = "schema.json"
[[serve.models]]
name = "{MODEL}"
version = "2"
role = "canary"
share = 0.5
target = "{MODEL}-2.onnx"
sample = "sample.npz"
[[serve.models]]
name = "{LONG}"
target = "forged.onnx"
[admission]
keys = ["ci.key.pub"]
[[admission.require]]
statement = "scan"
[identity]
token_key = "token.key"
[audit]
key = "audit.key"
"""


def finding(client: str = "client:eve", *, n: int = 0, severity: Severity = Severity.HIGH) -> Finding:
    """Return what a monitor of extraction would say of a client."""
    share = Quantity(
        name="disagreement", value=0.31, unit="fraction", n=412, low=0.27, high=0.36, better="lower"
    )  # fmt: skip
    return Finding(
        rule="RDN-THF-010",
        threat="theft",
        subject=f"{MODEL}@1",
        title=f"{client} asks as somebody who copies the model ({n})",
        severity=severity,
        quantities=(share,),
        locations=(Location(uri="client", address=client),),
    )


@dataclass(kw_only=True)
class Console:
    """A running gateway.

    Attributes:
        url: where it is.
        folder: its project.
        service: it.
        server: what listens.
        loop: where it runs.
        thread: likewise.
        secrets: of people's authenticator apps.
        key: an API key of ``client:alice``.
    """

    url: str
    folder: Path
    service: Service
    server: GatewayServer
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    secrets: dict[str, str] = field(default_factory=dict)
    key: str = ""

    @property
    def parts(self) -> Parts:
        """Its parts."""
        return self.service.parts

    def run(self, work: Any) -> Any:
        """Await something in the gateway's loop."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(20)

    def session(self, person: str, *, mfa: bool = False) -> str:
        """Begin a session as login would; return the cookie's secret."""
        with self.parts.database.writing() as connection:
            return sessions.begin(
                connection, f"user:{person}", state="full", method="password", ttl_s=900, addr="127.0.0.1", agent="",
                mfa_s=time.time() if mfa else None,
            )  # fmt: skip

    @contextmanager
    def browser(self, person: str, *, mfa: bool = False) -> Iterator[httpx.Client]:
        """Give a client that asks as a browser does, logged in."""
        secret = self.session(person, mfa=mfa)
        headers = {"Accept": "text/html"}
        with httpx.Client(base_url=self.url, cookies={"redan": secret}, headers=headers, timeout=20) as client:
            client.headers["x-test-csrf"] = csrf_token(secret)
            yield client

    def ask(self, count: int = 1) -> list[int]:
        """Ask the model so many times as ``client:alice``; return the statuses."""
        body = {"x": [rows()[0][0].tolist()]}
        with httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}) as client:
            return [client.post(f"/v1/models/{MODEL}/predict", json=body).status_code for _ in range(count)]


def until(reached: Callable[[], bool]) -> None:
    """Wait until the gateway's own tasks have come to something."""
    ends_s = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < ends_s, "it did not come to that"
        time.sleep(0.02)  # nothing can be awaited: it is done in another thread


def incidents(gateway: Console) -> int:
    """Return how many incidents there are."""
    with gateway.parts.database.reading() as connection:
        return len(timeline.listed(connection))


def post(client: httpx.Client, path: str, /, **fields: str) -> httpx.Response:
    """Send a form as its page would."""
    return client.post(path, data={"csrf": client.headers["x-test-csrf"], **fields})


@contextmanager
def console(folder: Path, *, serve: str = "", more: str = "") -> Iterator[Console]:
    """Run a gateway in a thread; its passwords are hashed cheaply, as what they cost is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "MEMORY_KIB", 1024)
        patch.setattr(passwords, "PASSES", 1)
        with _console(folder, _SETTINGS.format(serve=serve) + more) as running:
            yield running


@contextmanager
def _console(folder: Path, settings: str) -> Iterator[Console]:
    first = served(folder, "onnx", name=MODEL)
    settings_for(folder, first, served(folder, "onnx", name=MODEL, version="2", seed=1))
    (folder / "forged.onnx").write_bytes((folder / first.target).read_bytes() + b"\x00")
    (folder / "redan.toml").write_text(settings)
    config = configuration.load(file=folder / "redan.toml", root=folder, environ={})
    service = assemble(config)
    loop, started, running = uvloop.new_event_loop(), threading.Event(), list[Console]()

    async def run() -> None:
        async with service:
            server = GatewayServer(service.plane, config.settings.serve, root=folder, draining=service.drain)

            def told(port: int) -> None:
                url = f"http://127.0.0.1:{port}"
                running.append(
                    Console(url=url, folder=folder, service=service, server=server, loop=loop, thread=thread)
                )
                started.set()

            await serve(server, open_socket("127.0.0.1:0"), told=told)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert started.wait(60), "the gateway did not start"
    _people(running[0])
    try:
        yield running[0]
    finally:
        running[0].server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the gateway did not stop"
        loop.close()


def _people(gateway: Console) -> None:
    logins = logins_of(gateway.parts)
    with gateway.parts.database.writing() as connection:
        for role in ROLES:
            directory.add(connection, f"user:{role}", title=f"who is {role}", by="test")
            directory.grant(connection, logins.roles, f"user:{role}", role, by="test")
        for name in ("alice", "eve"):
            directory.add(connection, f"client:{name}", by="test")
            directory.grant(connection, logins.roles, f"client:{name}", "client", by="test")
        _, gateway.key = keys.make(connection, "client:alice", by="test")
        for name in ("operator", "responder"):
            passwords.store_password(connection, f"user:{name}", PASSWORD)
            offer = totp.offer(logins.sealer, f"user:{name}", "redan")
            step = pyotp.TOTP(offer.secret).at(int(time.time()) - 30)
            assert totp.enrol(connection, logins.sealer, f"user:{name}", offer.ticket, step)
            gateway.secrets[name] = offer.secret
