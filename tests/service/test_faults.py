"""A short sample of the soak: a gateway is killed, has no room, has too much to do; answers are held against records.

The whole of it, with two replicas, PostgreSQL, Redis and clocks, is ``benchmarks/gateway_soak.py``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from tests.gateway_process import started
from tests.served import rows, served, settings_for

from redan.evidence.keys import load_signer
from redan.evidence.log import open_log
from redan.evidence.log.reading import LogReader, own_key
from redan.evidence.log.verifying import verify
from redan.service.audit.act import Act, decode
from redan.service.database import open_database
from redan.service.identity import directory, keys
from redan.service.identity.roles import roles_of

NAME, REPLICA = "fraud", "one"
SETTINGS = """
[admission]
keys = ["ci.key.pub"]
[[admission.require]]
statement = "scan"
[serve]
address = "127.0.0.1:0"
name = "one"
watch = []
[serve.guards]
rate_per_s = 0.0
[serve.limits]
waiting = 4
[[serve.models]]
name = "fraud"
target = "fraud-1.onnx"
sample = "sample.npz"
schema = "schema.json"
[identity]
token_key = "token.key"
[audit]
key = "audit.key"
log = "{log}"
mode = "{mode}"
"""


@dataclass(slots=True, kw_only=True)
class Told:
    """What clients were told, and how many questions nobody answered.

    Attributes:
        answers: (identifier, status, digest of the question, digest of the answer).
        refused: (status, word, Retry-After).
        unanswered: questions whose connection broke.
    """

    answers: list[tuple[str, int, str, str]] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    unanswered: int = 0

    async def ask(self, http: httpx.AsyncClient, n: int) -> None:
        """Ask once; each question is one of a kind."""
        x = rows()[0][n % 64].tolist()
        tensor = {"name": "x", "shape": [1, len(x)], "datatype": "FP32", "data": x}
        body = json.dumps({"id": f"q{n}", "inputs": [tensor]}).encode()
        try:
            answer = await http.post(f"/v2/models/{NAME}/infer", content=body)
        except httpx.TransportError:
            self.unanswered += 1
            return
        if answer.status_code != 200:
            self.refused.append(
                (answer.status_code, answer.json()["error"], answer.headers.get("retry-after", "")),
            )
        if answer.status_code == 200 or answer.json()["error"] != "audit":
            digests = sha256(body).hexdigest(), sha256(answer.content).hexdigest()
            self.answers.append((answer.headers["x-request-id"], answer.status_code, *digests))

    def lost(self, acts: list[Act]) -> int:
        """Hold answers against records; return how many have none.

        Raises:
            AssertionError: a record differs, or there are two.
        """
        by_id: dict[str, list[Act]] = {}
        for act in acts:
            by_id.setdefault(act.id, []).append(act)
        lost = 0
        for id, status, x, y in self.answers:
            found = by_id.get(id, [])
            assert len(found) < 2, found
            if not found:
                lost += 1
                continue
            assert found[0].status == status
            if status == 200:
                assert (found[0].ok, found[0].x, found[0].y) == (True, x, y)
        return lost


def made(folder: Path, mode: str, log: Path) -> str:
    """Write a project; return a key that may ask its model."""
    settings = settings_for(folder, served(folder, "onnx", name=NAME))
    (folder / "redan.toml").write_text(SETTINGS.format(mode=mode, log=log))
    database = open_database(settings.serve.database, root=folder)
    with database.writing() as connection:
        directory.add(connection, "client:shop", by="test")
        directory.grant(connection, roles_of(settings.identity), "client:shop", "client", by="test")
        text = keys.make(connection, "client:shop", by="test")[1]
    database.close()
    return text


def client(url: str, key: str, connections: int = 8) -> httpx.AsyncClient:
    """Return a client that keeps its connections."""
    limits = httpx.Limits(max_connections=connections)
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, limits=limits, timeout=20)


def records(log: Path) -> list[Act]:
    """Return what the log holds, which must be as it was signed."""
    folder = log / REPLICA
    assert verify(folder, own_key(folder)).problems == ()
    return [decode(entry) for entry in LogReader(folder).entries()]


async def _until_killed(process: subprocess.Popen[str], url: str, key: str, told: Told) -> None:
    numbers = iter(range(1_000_000))

    async def loop(http: httpx.AsyncClient) -> None:
        while told.unanswered < 8:
            await told.ask(http, next(numbers))

    async with client(url, key) as http, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(loop(http))
        while len(told.answers) < 200:
            await asyncio.sleep(0.01)
        process.kill()


@pytest.mark.parametrize(("mode", "most_lost"), [("durable", 0), ("async", 4096)])
def test_a_killed_gateway_loses_no_acknowledged_answer_or_no_more_than_it_may(
    tmp_path: Path, mode: str, most_lost: int
) -> None:
    key, log, told = made(tmp_path, mode, tmp_path / "log"), tmp_path / "log", Told()
    with started(tmp_path) as (process, url):
        asyncio.run(_until_killed(process, url, key, told))
    assert len(told.answers) >= 200

    # what every start does: take what is durable and unsigned into the tree
    open_log(log / REPLICA, load_signer(tmp_path / "audit.key")).close()
    assert told.lost(records(log)) <= most_lost


@contextmanager
def volume(folder: Path) -> Iterator[Path]:
    """Mount a volume of 8 MiB."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "redan-test", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no volume of our own can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_without_room_nothing_is_answered_and_with_room_everything_again(tmp_path: Path) -> None:
    async def work(url: str, key: str, ballast: Path, told: Told) -> None:
        async with client(url, key) as http:
            for n in range(20):
                await told.ask(http, n)
            assert told.refused == []
            with ballast.open("wb", buffering=0) as file:
                for block in (1 << 16, 1 << 12, 1):
                    try:
                        while True:
                            file.write(b"\0" * block)
                    except OSError:
                        continue
            served_before, n = len(told.answers), 20
            # what was given to the log in advance may still be written into
            while not told.refused:
                n += 1
                await told.ask(http, n)
                assert n < 20_000
            assert told.refused[-1] == (503, "audit", "5")
            # a last small record may fit and lift the trouble once more
            while (await http.get("/v2/health/ready")).status_code != 503:
                n += 1
                await told.ask(http, n)
                assert n < 20_000
            ballast.unlink()
            began_s, before = time.monotonic(), len(told.answers)
            while len(told.answers) == before:
                assert time.monotonic() - began_s < 20
                n += 1
                await told.ask(http, n)
                await asyncio.sleep(0.05)
            assert len(told.answers) > served_before

    with volume(tmp_path / "volume") as folder:
        log, told = folder / "log", Told()
        key = made(tmp_path, "durable", log)
        with started(tmp_path) as (_, url):
            asyncio.run(work(url, key, folder / "ballast", told))
        assert told.lost(records(log)) == 0


def test_too_much_at_once_is_told_when_to_come_again_and_the_gateway_recovers(tmp_path: Path) -> None:
    key, log, told = made(tmp_path, "durable", tmp_path / "log"), tmp_path / "log", Told()

    async def work(url: str) -> None:
        async with client(url, key, connections=64) as http:
            for _ in range(20):
                await asyncio.gather(*(told.ask(http, n) for n in range(64)))
                if told.refused:
                    break
            assert set(told.refused) == {(503, "overload", "1")}
            count = len(told.refused)
            for n in range(20):
                await told.ask(http, n)
            assert len(told.refused) == count

    with started(tmp_path) as (_, url):
        asyncio.run(work(url))
    assert told.lost(records(log)) == 0
