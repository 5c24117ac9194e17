"""A real gateway of login alone: real routes, identities, database and HTTP server; its audit log is a list."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
import uvicorn

from redan.core.settings import Settings
from redan.core.settings_service import Identity, Oidc, Serve
from redan.service.audit.act import Act
from redan.service.database import open_database
from redan.service.findings import Findings
from redan.service.gateway.refusal import Refusal
from redan.service.identity import directory
from redan.service.identity.authority import Authority, open_authority
from redan.service.identity.lockout_shared import Lockouts
from redan.service.identity.login import passwords, tables, totp
from redan.service.identity.login.desk import PART, Logins, open_logins
from redan.service.identity.login.endpoints import ENDPOINTS
from redan.service.parts import Parts
from redan.service.web.app import web_app
from redan.service.web.endpoint import Asked, Endpoint

PASSWORD = "zebra kiln ochre flute"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


class Trail:
    """Auditor, limiter, recorder and watcher in one: everything is let through and kept in order."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.broken = False

    def commit(self, acts: Sequence[Act]) -> None:
        if self.broken:
            from redan.core.errors import EvidenceError

            raise EvidenceError("the log's disk is full")
        self.acts.extend(acts)

    def healthy(self) -> bool:
        return not self.broken

    def take(self, client: str, rows: int) -> Refusal | None:
        return None

    def refused(self, route: str, refusal: Refusal) -> None:
        pass

    def denied(self, act: Act) -> None:
        pass


async def _dangerous(asked: Asked) -> Any:
    from starlette.responses import Response

    return Response(b"{}", media_type="application/json")


DANGEROUS = Endpoint(
    method="POST",
    path="/v1/danger/{name}",
    action="models.promote",
    handler=_dangerous,
    summary="something that needs a fresh second factor",
    model="name",
)


@dataclass(kw_only=True)
class House:
    """A running gateway."""

    url: str
    logins: Logins
    authority: Authority
    trail: Trail
    loop: asyncio.AbstractEventLoop
    n_people: int = 0
    secrets: dict[str, str] = field(default_factory=dict)

    def person(self, name: str = "", *, password: str = PASSWORD, role: str = "operator", app: bool = False) -> str:
        """Add somebody with a password, and with an app whose next good step is this one."""
        self.n_people += 1
        name = name or f"person{self.n_people}"
        with self.logins.database.writing() as connection:
            directory.add(connection, f"user:{name}", by="test")
            if role:
                directory.grant(connection, self.logins.roles, f"user:{name}", role, by="test")
            passwords.store_password(connection, f"user:{name}", password)
        if app:
            self.give_app(name)
        return name

    def give_app(self, name: str) -> None:
        offer = totp.offer(self.logins.sealer, f"user:{name}", "redan")
        with self.logins.database.writing() as connection:
            assert totp.enrol(
                connection, self.logins.sealer, f"user:{name}", offer.ticket, code(offer.secret, steps=-1)
            )
        self.secrets[name] = offer.secret

    def forget_failures(self) -> None:
        """Let this machine's address try again: in tests everybody comes from it."""
        self.authority.lockouts = Lockouts()
        with self.logins.database.writing() as connection:
            connection.execute(tables.attempts.delete())

    @contextmanager
    def browser(self) -> Iterator[Browser]:
        with httpx.Client(base_url=self.url, timeout=20) as client:
            yield Browser(client)

    def last(self, act: str) -> Act:
        return next(found for found in reversed(self.trail.acts) if found.act == act)


@dataclass
class Browser:
    """Somebody with a cookie jar who fills in forms."""

    client: httpx.Client

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    def token(self, path: str = "/logout") -> str:
        found = CSRF.search(self.get(path).text)
        assert found, "no form here"
        return found[1]

    def form(self, path: str, *, csrf: str | None = None, **fields: str) -> httpx.Response:
        token = self.token() if csrf is None else csrf
        return self.client.post(path, data={"csrf": token, **fields})

    def json(self, path: str, body: Any = None, *, csrf: str | None = None) -> httpx.Response:
        token = self.token() if csrf is None else csrf
        return self.client.post(path, json=body, headers={"x-csrf-token": token} if token else {})

    def log_in(self, name: str, password: str = PASSWORD, then: str = "/account") -> httpx.Response:
        return self.client.post("/login", data={"name": name, "password": password, "next": then})


def code(secret: str, *, steps: int = 0) -> str:
    """Return the code of an app, some steps from now."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


@contextmanager
def house(root: Path, *, oidc: Oidc | None = None, database: str = "service.db") -> Iterator[House]:
    """Run a gateway of login in a thread; its passwords are hashed cheaply, as what they cost is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "MEMORY_KIB", 1024)
        patch.setattr(passwords, "PASSES", 1)
        with _house(root, oidc, database) as running:
            yield running


@contextmanager
def _house(root: Path, oidc: Oidc | None, url_of_database: str) -> Iterator[House]:
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends small answers at once on such sockets alone
    listening.bind(("127.0.0.1", 0))
    url = f"http://localhost:{listening.getsockname()[1]}"
    identity = Identity(
        token_key="token.key", factor_key="file:factors.key", origin=url, oidc=oidc or Oidc(), step_up="5m"
    )
    settings = replace(Settings(), serve=Serve(database=url_of_database), identity=identity)
    database = open_database(url_of_database, root=root)
    authority = open_authority(settings, database, root)
    logins = open_logins(settings, database, authority, root=root)
    trail: Any = Trail()
    parts = Parts(
        settings=settings, root=root, replica="test", database=database, findings=Findings(), authority=authority,
        limiter=trail, auditor=trail, models=trail, recorder=trail, watching=trail, more={PART: logins},
    )  # fmt: skip
    app = web_app(parts, [*ENDPOINTS, DANGEROUS])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def run() -> None:
        await authority.start()
        await logins.start()
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        ready.set()
        await serving
        await logins.stop()
        await authority.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield House(url=url, logins=logins, authority=authority, trail=trail, loop=loop)
    finally:
        server.should_exit = True
        thread.join(20)
        loop.close()
        database.close()
        listening.close()
