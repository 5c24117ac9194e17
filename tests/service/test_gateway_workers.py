"""Worker processes of the assembled gateway: they collect what waits, and one that dies fails little."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from tests import served as made
from tests.gateway_process import TOML, WIDE, Gateway, gateway
from tests.plane import request
from tests.served import rows, settings_for

PREDICT = "/v1/models/cancer/predict"
BODY = json.dumps({"x": rows()[0][:1].tolist()}).encode()
CONNECTIONS = 16
_MODEL = """
workers = 2
[[serve.models]]
name = "cancer"
target = "cancer-1.joblib"
sample = "sample.npz"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with two workers."""
    folder = tmp_path_factory.mktemp("workers")
    settings_for(folder, made.served(folder, name="cancer"))
    (folder / "redan.toml").write_text(TOML + _MODEL + WIDE)
    with gateway(folder) as started:
        yield started


def workers(running: Gateway) -> set[int]:
    return {pid for pid in running.children() if b"worker_process" in _words(pid)}


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_killed_worker_fails_the_batch_it_had_and_is_started_again(running: Gateway) -> None:
    seen: Counter[int] = Counter()
    said: list[dict[str, str]] = []
    ends = False

    async def one(token: str) -> None:
        client = await running.connect()
        while not ends:
            await client.send(request(PREDICT, BODY, token=token))
            status, headers, _ = await client.answer()
            seen[status] += 1
            if status != 200:
                said.append(headers)
        await client.close()

    async def main() -> None:
        nonlocal ends
        tasks = [asyncio.ensure_future(one(token)) for token in running.tokens(*(f"c{i}" for i in range(CONNECTIONS)))]
        first = workers(running)
        assert len(first) == 2
        async with asyncio.timeout(60):
            for victim in sorted(first):
                before = seen[200]
                while seen[200] < before + 200:
                    await asyncio.sleep(0.01)
                os.kill(victim, signal.SIGKILL)
                while len(workers(running) - {victim}) < 2:
                    await asyncio.sleep(0.01)
            before = seen[200]
            while seen[200] < before + 200:
                await asyncio.sleep(0.01)
        ends = True
        await asyncio.gather(*tasks)
        assert not workers(running) & first

    uvloop.run(main())
    assert set(seen) <= {200, 503}, seen
    assert seen[503] <= 2 * CONNECTIONS, seen
    assert all(int(headers["retry-after"]) > 0 for headers in said)


def test_while_workers_compute_what_arrives_collects_into_one_batch(running: Gateway) -> None:
    (token, viewer) = running.tokens("collector", role="client") + running.tokens("meter", role="monitor")

    async def batches() -> tuple[float, float]:
        client = await running.connect()
        await client.send(request("/metrics", method="GET", token=viewer))
        _, _, page = await client.answer()
        await client.close()
        lines = [line.rpartition(" ") for line in page.decode().splitlines() if line.startswith("redan_batch_rows_")]
        found = {name.partition("{")[0]: float(value) for name, _, value in lines}
        return found["redan_batch_rows_count"], found["redan_batch_rows_sum"]

    async def main() -> None:
        before = await batches()
        clients = [await running.connect() for _ in range(40)]
        stopped = workers(running)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for client in clients[:2]:
            await client.send(request(PREDICT, BODY, token=token))
            await asyncio.sleep(0.05)
        for client in clients[2:]:
            await client.send(request(PREDICT, BODY, token=token))
            await asyncio.sleep(0.005)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        statuses = [(await client.answer())[0] for client in clients]
        assert statuses == [200] * 40
        n_batches, n_rows = (now - then for now, then in zip(await batches(), before, strict=True))
        assert n_rows == 40
        assert n_batches <= 4
        for client in clients:
            await client.close()

    uvloop.run(main())
