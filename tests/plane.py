"""A gateway's data path over real parts; only the directory of clients is a dictionary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.served import Kind, served

from redan.core.settings import Settings
from redan.core.settings_service import Audit, Serve
from redan.evidence.keys import generate, save
from redan.service.audit.act import Act, decode
from redan.service.audit.recorder import open_auditor
from redan.service.database import open_database
from redan.service.findings import Findings
from redan.service.gateway.app import DataPlane
from redan.service.gateway.call import Batch
from redan.service.gateway.server import GatewayServer, open_socket
from redan.service.guards.limiter import open_limiter
from redan.service.guards.validation import Validation
from redan.service.identity.principal import Principal
from redan.service.models.holding import hold
from redan.service.models.loading import extras_of, load
from redan.service.models.served import Role, Served
from redan.service.monitoring.recorder import Counting
from redan.service.parts import Parts

TOKEN = "Bearer alice-token"
STRANGERS = "Bearer nobody-knows"


@cache
def model(kind: Kind = "sklearn", version: str = "1", seed: int = 0) -> Served:
    """Load a small real model under the name ``cancer``."""
    with TemporaryDirectory() as folder:
        settings = served(Path(folder), kind, name="cancer", version=version, seed=seed)
        return load(settings, hold(Path(folder) / settings.target), extras_of(settings, Path(folder)), None)


class Desk:
    """Knows clients by their header."""

    def __init__(self, clients: int = 0) -> None:
        self.asked = 0
        self.known = {
            TOKEN.encode(): principal("alice", {("predict", "cancer"), ("predict", "absent"), ("predict", "gone")}),
            b"Bearer bob-token": principal("bob", {("models.read", "*")}),
        }
        for n in range(clients):
            self.known[f"Bearer client-{n:04}".encode()] = principal(f"c{n:04}", {("predict", "cancer")})

    def authenticate(self, header: bytes) -> Principal | None:
        return self.known.get(header)

    async def recognise(self, header: bytes, addr: str) -> Principal | None:
        self.asked += 1
        await asyncio.sleep(0)
        return None

    async def from_session(self, cookie: str, addr: str) -> Principal | None:
        return None


def principal(name: str, grants: set[tuple[str, str]]) -> Principal:
    """Make a client."""
    return Principal(
        id=f"client:{name}",
        kind="program",
        roles=frozenset(),
        grants=frozenset(grants),
        credential=f"key-{name}",
        expires_s=4e9,
    )


class Shelf:
    """Models in their roles."""

    def __init__(self, *versions: tuple[Served, Role]) -> None:
        self.versions = list(versions)

    def choose(self, name: str, version: str, client: str) -> Served | None:
        for one, role in self.versions:
            fits = one.settings.name == name and role != "quarantined" and version in {"", one.settings.version}
            if fits and (version or role == "live"):
                return one
        return None

    def shadows(self, name: str) -> Sequence[Served]:
        return [one for one, role in self.versions if role == "shadow" and one.settings.name == name]

    def all(self) -> Sequence[tuple[Served, Role]]:
        return self.versions


class Eyes:
    """Remembers what watchers are shown."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.denials: list[Act] = []

    def answered(self, batch: Batch) -> None:
        self.batches.append(batch)

    def denied(self, act: Act) -> None:
        self.denials.append(act)


def settings_of(folder: Path, *, mode: str = "durable", most_lost: int = 4096, **serve: Any) -> Settings:
    """Return settings of a gateway in a folder, with short patience."""
    save(generate("ed25519"), folder / "audit.key")
    return Settings(
        serve=Serve(address="127.0.0.1:0", **serve),
        audit=Audit(log="audit", key="audit.key", mode=mode, most_lost=most_lost),  # type: ignore[arg-type]
    )


class Running:
    """A gateway that serves.

    Attributes:
        plane: the data path.
        parts: its parts.
        port: where it listens.
        server: uvicorn's.
    """

    def __init__(self, plane: DataPlane, server: GatewayServer, port: int, folder: Path) -> None:
        self.plane, self.server, self.port, self.folder = plane, server, port, folder
        self.parts = plane.parts
        self.clients: list[Client] = []

    def acts(self) -> list[Act]:
        """Read the audit log from its files."""
        from redan.evidence.log.reading import LogReader

        return [decode(entry) for entry in LogReader(next(self.folder.glob("audit/**/checkpoint")).parent).entries()]


def parts_of(settings: Settings, folder: Path, *, clients: int = 0, shelf: Shelf | None = None) -> Parts:
    """Put real parts together."""
    database = open_database(str(folder / "service.db"), root=folder)
    return Parts(
        settings=settings,
        root=folder,
        replica="r1",
        database=database,
        findings=Findings(),
        authority=Desk(clients),  # type: ignore[arg-type]
        limiter=open_limiter(settings.serve.guards, database=database, redis_url="", replica="r1"),
        auditor=open_auditor(settings, folder, "r1"),
        models=shelf or Shelf((model(), "live")),  # type: ignore[arg-type]
        recorder=Counting(),
        watching=Eyes(),
        more={},
    )


@asynccontextmanager
async def running(
    folder: Path, settings: Settings | None = None, *, shelf: Shelf | None = None, **how: Any
) -> AsyncIterator[Running]:
    """Serve until the block ends, then drain."""
    settings = settings or settings_of(folder)
    parts = parts_of(settings, folder, shelf=shelf)
    await parts.auditor.start()  # type: ignore[attr-defined]
    how.setdefault("chain", lambda served: (Validation(served),))
    plane = DataPlane(parts, **how)
    server = GatewayServer(plane, settings.serve, root=folder, refused=plane.refused_at_door, draining=plane.drain)
    listening = open_socket(settings.serve.address)
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    await server.listening.wait()
    gateway = Running(plane, server, server.port, folder)
    try:
        yield gateway
    finally:
        for client in gateway.clients:
            client.writer.transport.abort()
        server.should_exit = True
        await task
        await plane.stop()
        await parts.auditor.stop()  # type: ignore[attr-defined]
        parts.database.close()


class Client:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response: status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        if headers.get("transfer-encoding") == "chunked":
            return int(head[0].split()[1]), headers, await self._chunks()
        return int(head[0].split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))

    async def _chunks(self) -> bytes:
        parts = []
        while size := int(await self.reader.readline(), 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(parts)

    async def rest(self) -> bytes:
        """Read until the server ends the connection."""
        return await asyncio.wait_for(self.reader.read(), 10)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def connected(running: Running, **how: Any) -> Client:
    """Open a connection."""
    where = () if "sock" in how else ("127.0.0.1", running.port)
    client = Client(*await asyncio.open_connection(*where, **how))
    running.clients.append(client)
    return client


def request(path: str, body: bytes = b"", *, method: str = "POST", token: str = TOKEN, **headers: str) -> bytes:
    """Write a request; underscores in names of headers stand for hyphens."""
    fields = {"host": "gateway", "content-length": str(len(body)), "content-type": "application/json"}
    if token:
        fields["authorization"] = token
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


async def asked(running: Running, path: str, body: bytes = b"", **how: Any) -> tuple[int, dict[str, str], bytes]:
    """Send one request on its own connection and read the answer."""
    client = await connected(running)
    await client.send(request(path, body, **how))
    answer = await client.answer()
    await client.close()
    return answer
