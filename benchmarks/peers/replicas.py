"""Two real gateways over a real PostgreSQL and a real Redis, and what can befall them: each thing can be broken alone.

Each replica has its own log on a volume of its own (a small tmpfs where we are root), and a wall clock that can be set,
as when a machine's clock is (`wall_clock.c`, preloaded; Debian's libfaketime 0.9.10 breaks ``time.sleep(0)``).
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from peers.serving import CALM, free_port

CLOCK_SOURCE = Path(__file__).with_name("wall_clock.c")
VOLUME_BYTES = 1 << 29
_READY = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def programs() -> dict[str, str]:
    """Return the programs that are needed and where they are; SystemExit names one that is missing."""
    found = {name: shutil.which(name) or "" for name in ("redis-server",)}
    for name in ("initdb", "pg_ctl"):
        places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        found[name] = shutil.which(name) or (str(places[-1]) if places else "")
    for name, path in found.items():
        if not path:
            raise SystemExit(f"{name} is not installed")
    return found


def wall_clock(folder: Path) -> Path | None:
    """Compile the library that sets a process's wall clock; None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    made = folder / "wall_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", str(CLOCK_SOURCE), "-o", str(made), "-ldl"], check=True)
    return made


class Postgres:
    """A cluster of our own on a TCP port.

    Args:
        folder: new.
        programs: from `programs`.
    """

    def __init__(self, folder: Path, programs: dict[str, str]) -> None:
        self._folder, self._pg_ctl, self.port = folder, programs["pg_ctl"], free_port()
        folder.mkdir()
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self._run(programs["initdb"], "-D", f"{folder}/data", "-U", "redan", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.url = f"postgresql://redan@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait for it."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c max_connections=80"
        self._run(self._pg_ctl, "-D", f"{self._folder}/data", "-o", options, "-l", f"{self._folder}/log", "-w", "start")

    def stop(self) -> None:
        """Stop at once, as after a crash."""
        self._run(self._pg_ctl, "-D", f"{self._folder}/data", "-m", "immediate", "-w", "stop")

    def _run(self, *words: str) -> None:
        # its output goes to a file: the server inherits it and outlives the command
        with (self._folder / "said").open("ab") as said:
            subprocess.run(words, cwd=self._folder, stdout=said, stderr=said, check=True, timeout=120, **self._user)


class Redis:
    """A server that keeps nothing when it ends.

    Args:
        folder: new.
        programs: from `programs`.
    """

    def __init__(self, folder: Path, programs: dict[str, str]) -> None:
        folder.mkdir()
        self._folder, self._program, self.port = folder, programs["redis-server"], free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start."""
        argv = [
            self._program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self._folder),
        ]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


class Volume:
    """A place of its own for a log, which can be full.

    Args:
        folder: new.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self._ballast = folder, folder / "ballast"
        self.mounted = os.getuid() == 0
        if self.mounted:
            size = f"size={VOLUME_BYTES}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "redan-soak", str(folder)], check=True)

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("wb", buffering=0) as file:
            for block in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"\0" * block)
                except OSError:
                    continue

    def empty(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def close(self) -> None:
        """Let go of it."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@dataclass(slots=True, kw_only=True)
class Replica:
    """One gateway.

    Attributes:
        name: its name.
        port: where it listens.
        config: its redan.toml.
        volume: where its log lies.
        preload: library that sets its wall clock, or None.
        process: while it runs.
        starts: how often it was started.
    """

    name: str
    port: int
    config: Path
    volume: Volume
    preload: Path | None
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    _log: IO[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """The folder of its log."""
        return self.volume.folder / "audit" / self.name

    @property
    def _clock(self) -> Path:
        return self.config.with_suffix(".clock")

    def clock(self, seconds: int) -> None:
        """Set its wall clock so many seconds ahead of the true one."""
        with self._clock.open("r+b") as file:
            file.write(struct.pack("<q", seconds))

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        env = {**os.environ, **CALM}
        if self.preload is not None:
            self._clock.write_bytes(struct.pack("<q", 0))
            env |= {"LD_PRELOAD": str(self.preload), "SOAK_CLOCK": str(self._clock)}
        self._log = self.config.with_suffix(".log").open("ab")
        argv = [sys.executable, "-m", "redan.cli", "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(argv, cwd=self.config.parent, env=env, stdout=self._log, stderr=self._log)
        self.starts += 1
        ends_s = time.monotonic() + 90
        while not await self._ready():
            if self.process.poll() is not None or time.monotonic() > ends_s:
                raise SystemExit(f"{self.name} did not start: {self.config.with_suffix('.log').read_text()[-3000:]}")
            await asyncio.sleep(0.1)

    async def _ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(_READY)
            return b" 200 " in await asyncio.wait_for(reader.readline(), 5)
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()

    async def kill(self) -> None:
        """End it without a word: SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Let it end as it should."""
        await self._end(signal.SIGTERM)

    def abandon(self) -> None:
        """See that it does not outlive the run, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    async def _end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        await asyncio.to_thread(self.process.wait, 60)
        if self._log is not None:
            self._log.close()
