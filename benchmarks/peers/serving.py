"""Servers as processes on one core, load from another, and what a request costs the server's whole process tree."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = "0", "1"
CALM = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a load against a server.

    Attributes:
        requests: answered with 2xx.
        refused: answered otherwise.
        errors: connections that broke or timed out.
        per_s: answered with 2xx a second.
        cpu_us: CPU microseconds of the server's process tree for each answered request.
    """

    requests: int
    refused: int
    errors: int
    per_s: float
    cpu_us: float


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(
    argv: Sequence[str],
    folder: Path,
    *,
    ready: str,
    port: int,
    wait_s: float = 90.0,
    secure: bool = False,
    cores: str = SERVER_CORE,
) -> Iterator[int]:
    """Start a server on its cores; yield its process id once ``ready`` answers 200, over HTTPS if secure."""
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        ["taskset", "-c", cores, *argv], cwd=folder, env={**os.environ, **CALM}, stdout=log, stderr=log
    )
    try:
        _await(process, port, ready, wait_s, folder, secure=secure)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _await(
    process: subprocess.Popen[bytes], port: int, ready: str, wait_s: float, folder: Path, *, secure: bool
) -> None:
    ends = time.monotonic() + wait_s
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        try:
            with _asking(port, secure=secure) as asked:
                asked.sendall(f"GET {ready} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                if b" 200 " in asked.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"the server did not start: {(folder / 'server.log').read_text(errors='replace')[-2000:]}")


def _asking(port: int, *, secure: bool) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), 1)
    # the certificate is this run's own
    return ssl._create_unverified_context().wrap_socket(plain) if secure else plain


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and all that it started, alive or reaped."""
    children: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(path.name))
            spent[int(path.name)] = sum(map(int, fields[11:15])) / TICKS
    total, left = 0.0, [pid]
    while left:
        one = left.pop()
        total += spent.get(one, 0.0)
        left += children.get(one, [])
    return total


def load(
    pid: int,
    port: int,
    script: Path,
    *,
    seconds: int,
    connections: int = 32,
    path: str = "/",
    secure: bool = False,
    cores: str = LOAD_CORE,
) -> Measured:
    """Send requests with wrk from the other core, or from others, after two seconds of warming up, and measure."""
    argv = ["taskset", "-c", cores, "wrk", "-t1", f"-c{connections}", "--timeout", "10s", "-s", str(script)]
    url = f"{'https' if secure else 'http'}://127.0.0.1:{port}{path}"
    subprocess.run([*argv, "-d2s", url], check=True, capture_output=True)
    before = cpu_s(pid)
    out = subprocess.run([*argv, f"-d{seconds}s", url], check=True, capture_output=True, text=True).stdout
    spent = cpu_s(pid) - before
    total = int(_found(r"(\d+) requests in", out))
    refused = int(_found(r"Non-2xx or 3xx responses: (\d+)", out) or 0)
    errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", _found(r"Socket errors: (.*)", out))))
    good = total - refused
    took = float(_found(r"Requests/sec:\s+([\d.]+)", out))
    return Measured(
        requests=good,
        refused=refused,
        errors=errors,
        per_s=round(took * good / max(1, total), 1),
        cpu_us=round(1e6 * spent / max(1, good), 2),
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""


def lua(path: Path, bodies: Sequence[bytes], tokens: Sequence[str], target: str) -> Path:
    """Write a script for wrk: each request takes the next token and the next body."""
    words = ",\n".join(json.dumps(body.decode()) for body in bodies)
    names = ",\n".join(json.dumps(f"Bearer {token}") for token in tokens) or '""'
    path.write_text(
        f"""local bodies = {{{words}}}
local tokens = {{{names}}}
local made, n = {{}}, 0
function init(args)
  for i = 1, math.max(#bodies, #tokens) * 2 do
    local headers = {{["Content-Type"] = "application/json"}}
    local token = tokens[(i - 1) % #tokens + 1]
    if token ~= "" then headers["Authorization"] = token end
    made[i] = wrk.format("POST", "{target}", headers, bodies[(i * 7 - 1) % #bodies + 1])
  end
end
function request()
  n = n % #made + 1
  return made[n]
end
""",
        encoding="utf-8",
    )
    return path
