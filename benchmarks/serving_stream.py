"""A million rows as one stream of NDJSON: CPU a row, and how much the server's memory grows.

    python benchmarks/serving_stream.py [--rows 1000000]

A logistic regression on 30 columns behind every guard, audit asynchronous; one row a line, and 64 rows a line. Memory
is the server's resident set before the stream and the most it ever had. One JSON line a run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
import time
from pathlib import Path

import joblib
from peers.gateway_project import project
from peers.serving import cpu_s, free_port, running
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

BLOCK = 512
"""Rows in one piece of the body."""


def memory_bytes(pid: int, name: str) -> int:
    """Return ``VmRSS`` or ``VmHWM`` of a process."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) << 10


async def streamed(port: int, token: str, piece: bytes, times: int) -> int:
    """Send a piece so many times as one body and read every answer; return how many bytes came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/models/m/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )

    async def send() -> None:
        chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
        for _ in range(times):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    async def receive() -> tuple[int, bytes]:
        size, last = 0, b""
        while data := await reader.read(1 << 18):
            size, last = size + len(data), (last + data)[-400:]
        return size, last

    _, (size, last) = await asyncio.gather(send(), receive())
    writer.close()
    if b'"rows":%d' % (times * BLOCK) not in last:
        raise SystemExit(f"the stream ended otherwise: {last!r}")
    return size


def measured(model: Path, lines_of: int, rows: int) -> dict[str, object]:
    """Serve and stream."""
    x, _ = load_breast_cancer(return_X_y=True)
    block = x[:BLOCK].round(4).tolist()
    lines = block if lines_of == 1 else [block[i : i + lines_of] for i in range(0, BLOCK, lines_of)]
    piece = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        made = project(Path(folder), model, port=port, clients=2)
        with running(made.argv, Path(folder), ready="/health/ready", port=port) as pid:
            asyncio.run(streamed(port, made.tokens[1], piece, 20))
            before, used_s, began_s = memory_bytes(pid, "VmRSS"), cpu_s(pid), time.perf_counter()
            answered = asyncio.run(streamed(port, made.tokens[0], piece, rows // BLOCK))
            took_s = time.perf_counter() - began_s
            used_s, most = cpu_s(pid) - used_s, memory_bytes(pid, "VmHWM")
    n = rows // BLOCK * BLOCK
    return {
        "rows": n,
        "rows_a_line": lines_of,
        "sent_mib": round(len(piece) * (rows // BLOCK) / 2**20, 1),
        "answered_mib": round(answered / 2**20, 1),
        "cpu_us_a_row": round(1e6 * used_s / n, 2),
        "rows_per_s": round(n / took_s),
        "rss_before_mib": round(before / 2**20, 1),
        "rss_most_mib": round(most / 2**20, 1),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        x, y = load_breast_cancer(return_X_y=True)
        model = Path(name) / "model.joblib"
        joblib.dump(make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x, y), model)
        for lines_of in (1, 64):
            print(json.dumps(measured(model, lines_of, asked.rows)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
