"""`redan serve` as a process of its own over a redan.toml, with clients, people and raw connections to it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.plane import Client, request

from redan.core import config as configuration
from redan.core.config import Config
from redan.evidence.log.reading import LogReader
from redan.evidence.store.database import Database
from redan.service.audit.act import Act, decode
from redan.service.audit.places import log_folder
from redan.service.database import open_database
from redan.service.identity import directory
from redan.service.identity.authority import open_authority
from redan.service.identity.login import sessions
from redan.service.identity.roles import roles_of
from redan.service.web.session_cookie import csrf_token

TOML = """
[admission]
keys = ["ci.key.pub"]
[[admission.require]]
statement = "scan"
[identity]
token_key = "token.key"
[audit]
key = "audit.key"
[serve]
address = "127.0.0.1:0"
name = "r1"
"""
"""What `tests.served.settings_for` wrote keys for; the table of ``[serve]`` is still open."""
CALM = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
WIDE = "[serve.guards]\nrate_per_s = 100000\nburst = 100000\nrows_per_s = 1e6\nrows_burst = 1000000\n"


@dataclass(kw_only=True)
class Gateway:
    """A running gateway.

    Attributes:
        folder: its project.
        config: in force.
        process: it.
        port: where it listens.
    """

    folder: Path
    config: Config
    process: subprocess.Popen[str]
    port: int

    @cached_property
    def database(self) -> Database:
        """The service's own, opened by us."""
        return open_database(self.config.settings.serve.database, root=self.folder)

    def tokens(self, *names: str, role: str = "client") -> list[str]:
        """Make programs with a role for every model; return their Authorization headers."""
        made = [f"client:{name}" for name in names]
        self._members(made, role)
        authority = open_authority(self.config.settings, self.database, self.folder)
        return [f"Bearer {authority.token(name)[0]}" for name in made]

    def session(self, name: str, role: str) -> dict[str, str]:
        """Make a person who logged in with a second factor just now; return the headers of their requests."""
        self._members([f"user:{name}"], role)
        with self.database.writing() as connection:
            secret = sessions.begin(
                connection, f"user:{name}", state="full", method="password", ttl_s=900, addr="127.0.0.1", agent="",
                mfa_s=time.time(),
            )  # fmt: skip
        return {"cookie": f"redan={secret}", "x_csrf_token": csrf_token(secret)}

    def _members(self, ids: list[str], role: str) -> None:
        roles = roles_of(self.config.settings.identity)
        with self.database.writing() as connection:
            for id in ids:
                directory.add(connection, id, by="test")
                directory.grant(connection, roles, id, role, by="test")

    async def connect(self, **how: Any) -> Client:
        """Open a connection, with what `asyncio.open_connection` takes, such as ``ssl`` and ``local_addr``."""
        return Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24, **how))

    async def ask(
        self, path: str, body: Any = b"", *, by: dict[str, Any] | None = None, **how: Any
    ) -> tuple[int, dict[str, str], Any]:
        """Send one request on its own connection, made as ``by`` says; return status, headers and the JSON said."""
        client = await self.connect(**(by or {}))
        try:
            await client.send(request(path, body if isinstance(body, bytes) else json.dumps(body).encode(), **how))
            status, headers, answer = await client.answer()
        finally:
            await client.close()
        return status, headers, json.loads(answer) if headers.get("content-type") == "application/json" else answer

    def acts(self) -> list[Act]:
        """Read the audit log from its files."""
        folder = log_folder(self.config.settings, self.folder, self.config.settings.serve.name)
        return [decode(entry) for entry in LogReader(folder).entries()]

    def errors(self) -> str:
        """Return what the gateway wrote on standard error."""
        return (self.folder / "server.err").read_text(errors="replace")

    def rss_bytes(self, name: str = "VmRSS") -> int:
        """Return how much memory the process holds, or with ``VmHWM`` the most it ever held."""
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) << 10

    def children(self) -> list[int]:
        """Return the processes that it started."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def started(folder: Path, **environ: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve what the folder's redan.toml says until the block ends, then stop it as systemd would.

    Args:
        folder: the project; what the gateway says on standard error is added to its ``server.err``.
        environ: further variables of its environment.

    Yields:
        The process, and where it listens.
    """
    words = [sys.executable, "-m", "redan.cli", "serve", "--config", str(folder / "redan.toml")]
    with (folder / "server.err").open("ab") as err:
        process = subprocess.Popen(
            words, cwd=folder, stdout=subprocess.PIPE, stderr=err, text=True, env=os.environ | CALM | environ
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, f"the gateway did not start: {(folder / 'server.err').read_text(errors='replace')[-3000:]}"
        yield process, url
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def gateway(folder: Path) -> Iterator[Gateway]:
    """Serve what the folder's redan.toml says until the block ends."""
    config = configuration.load(file=folder / "redan.toml", root=folder, environ={})
    with started(folder) as (process, url):
        made = Gateway(folder=folder, config=config, process=process, port=int(url.rpartition(":")[2]))
        try:
            yield made
            assert process.poll() is None, f"the gateway died: {made.errors()[-2000:]}"
        finally:
            if "database" in vars(made):
                made.database.close()
