"""Canary, shadow, promote, roll back and quarantine at the assembled gateway, while clients ask."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvloop
from tests import served as made
from tests.gateway_process import TOML, WIDE, Gateway, gateway
from tests.plane import request
from tests.served import rows, settings_for

from redan.kernels.statistics import wilson

BODY = json.dumps({"x": rows()[0][:4].tolist()}).encode()
CONNECTIONS = 8
CLIENTS, SHARE = 400, 0.3
_MODEL = """
[[serve.models]]
name = "{name}"
version = "{version}"
target = "{name}-{version}.joblib"
role = "{role}"
share = {share}
sample = "sample.npz"
"""
_VERSIONS = (
    ("shared", "1", "live"),
    ("shared", "2", "canary"),
    ("shadowed", "1", "live"),
    ("shadowed", "3", "shadow"),
    ("turned", "1", "live"),
    ("turned", "2", "standby"),
    ("suspect", "1", "live"),
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway with four models, each for one test."""
    folder = tmp_path_factory.mktemp("versions")
    models = [made.served(folder, name=name, version=version, seed=int(version)) for name, version, _ in _VERSIONS]
    settings_for(folder, *models)
    text = "".join(_MODEL.format(name=n, version=v, role=role, share=SHARE) for n, v, role in _VERSIONS)
    (folder / "redan.toml").write_text(TOML + text + WIDE)
    with gateway(folder) as started:
        yield started


def predict(name: str) -> str:
    return f"/v1/models/{name}/predict"


async def asking(running: Gateway, name: str, tokens: list[str], times: int) -> list[tuple[str, int, str]]:
    """Ask with every token so many times over a few connections; return (token, status, version that answered)."""
    waiting = [token for token in tokens for _ in range(times)]
    answers: list[tuple[str, int, str]] = []

    async def one() -> None:
        client = await running.connect()
        while waiting:
            token = waiting.pop()
            await client.send(request(predict(name), BODY, token=token))
            status, _, body = await client.answer()
            answers.append((token, status, json.loads(body).get("model", "")))
        await client.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return answers


@asynccontextmanager
async def load(running: Gateway, name: str, tokens: list[str]) -> AsyncIterator[Counter[tuple[int, str]]]:
    """Ask without end while the block runs; count (status, version that answered)."""
    seen: Counter[tuple[int, str]] = Counter()
    ends = False

    async def one(token: str) -> None:
        client = await running.connect()
        while not ends:
            await client.send(request(predict(name), BODY, token=token))
            status, _, body = await client.answer()
            seen[status, json.loads(body).get("model", "")] += 1
        await client.close()

    tasks = [asyncio.ensure_future(one(token)) for token in tokens]
    try:
        yield seen
    finally:
        ends = True
        await asyncio.gather(*tasks)


async def until(seen: Callable[[], Any], patience_s: float = 20) -> None:
    async with asyncio.timeout(patience_s):
        while not seen():
            await asyncio.sleep(0.01)


def _grown(seen: Counter[tuple[int, str]], what: tuple[int, str], to: int) -> bool:
    return seen[what] > to


def numbers(compared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in compared["numbers"]}


async def comparison(running: Gateway, name: str, token: str) -> tuple[dict[str, Any], int]:
    """Return the one comparison of a model, and how many batches were not compared."""
    status, _, found = await running.ask(f"/v1/models/{name}/comparison", method="GET", token=token)
    assert status == 200
    (compared,) = found["compared"]
    return compared, found["dropped"]


def test_a_canary_answers_its_share_of_clients_and_always_the_same_ones(running: Gateway) -> None:
    clients, (viewer,) = running.tokens(*(f"c{i}" for i in range(CLIENTS))), running.tokens("v1", role="viewer")

    async def main() -> None:
        answers = await asking(running, "shared", clients, 3)
        assert {status for _, status, _ in answers} == {200}
        by_client: dict[str, set[str]] = {}
        for token, _, version in answers:
            by_client.setdefault(token, set()).add(version)
        assert all(len(versions) == 1 for versions in by_client.values())
        on_canary = sum(versions == {"shared@2"} for versions in by_client.values())
        low, high = wilson(on_canary, CLIENTS, confidence=0.99999)
        assert low <= SHARE <= high, on_canary / CLIENTS
        compared, _ = await comparison(running, "shared", viewer)
        assert (compared["live"], compared["other"]) == ("shared@1", "shared@2")
        agreement = numbers(compared)["agreement"]
        assert agreement["n"] > 0
        assert 0 <= agreement["low"] <= agreement["value"] <= agreement["high"] <= 1
        assert compared["live_digest"] != compared["other_digest"]

    uvloop.run(main())


def test_a_shadow_is_asked_everything_and_answers_nobody(running: Gateway) -> None:
    clients, (viewer,) = running.tokens(*(f"s{i}" for i in range(40))), running.tokens("v2", role="viewer")

    async def main() -> None:
        answers = await asking(running, "shadowed", clients, 2)
        assert {(status, version) for _, status, version in answers} == {(200, "shadowed@1")}
        compared, dropped = await comparison(running, "shadowed", viewer)
        while numbers(compared)["agreement"]["n"] + dropped < 80 * 4:
            await asyncio.sleep(0.02)
            compared, dropped = await comparison(running, "shadowed", viewer)
        assert numbers(compared)["failed_batches"]["value"] == 0
        assert numbers(compared)["latency"]["low"] > 0

    uvloop.run(asyncio.wait_for(main(), 60))


def test_promoting_and_rolling_back_under_load_fails_no_request(running: Gateway) -> None:
    person, clients = running.session("ann", "operator"), running.tokens(*(f"t{i}" for i in range(CONNECTIONS)))

    async def act(path: str, body: dict[str, str] | bytes = b"") -> None:
        status, _, said = await running.ask(f"/v1/models/turned/{path}", body, token="", **person)
        assert status == 200, said

    async def main() -> None:
        async with load(running, "turned", clients) as seen:
            for _ in range(3):
                for version, turn in (("turned@2", act("promote", {"version": "2"})), ("turned@1", act("rollback"))):
                    await turn
                    before = seen[200, version]
                    await until(partial(_grown, seen, (200, version), before + 50))
        assert set(seen) == {(200, "turned@1"), (200, "turned@2")}, seen
        assert seen.total() > 300

    async def recorded() -> None:
        # the log is written behind the answers
        await until(
            lambda: sum(act.ok and act.act in ("models.promote", "models.rollback") for act in running.acts()) >= 6
        )

    uvloop.run(main())
    uvloop.run(recorded())


def test_a_quarantined_model_answers_503_and_says_when_to_come_back(running: Gateway) -> None:
    person, (token,) = running.session("bob", "operator"), running.tokens("q")
    path = predict("suspect")

    async def main() -> None:
        assert (await running.ask(path, BODY, token=token))[0] == 200
        status, _, _ = await running.ask("/v1/models/suspect/quarantine", {}, token="", **person)
        assert status == 200
        status, headers, said = await running.ask(path, BODY, token=token)
        assert (status, said["error"]) == (503, "quarantine")
        assert int(headers["retry-after"]) > 0
        status, _, _ = await running.ask("/v1/models/suspect/promote", {"version": "1"}, token="", **person)
        assert status == 200
        assert (await running.ask(path, BODY, token=token))[0] == 200

    uvloop.run(main())
