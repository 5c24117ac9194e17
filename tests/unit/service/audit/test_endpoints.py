"""The audit log over HTTP, through the guarded table of routes, on a real log and index."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from tests.unit.service.audit.conftest import REPLICA, recorded, some_act

from redan.core.settings import Settings
from redan.evidence.log import proving
from redan.evidence.log.reading import own_key
from redan.service.audit import places, query, searching
from redan.service.audit.endpoints import ENDPOINTS
from redan.service.audit.export import check
from redan.service.audit.index import Indexer
from redan.service.audit.recorder import LogAuditor, open_auditor
from redan.service.database import open_database
from redan.service.findings import Findings
from redan.service.identity.principal import Principal
from redan.service.parts import Parts
from redan.service.web.app import web_app

pytestmark = pytest.mark.anyio


def principal(name: str, *actions: str, mfa_s: float | None = None) -> Principal:
    return Principal(
        id=f"user:{name}",
        kind="person",
        roles=frozenset(),
        grants=frozenset((action, "*") for action in actions),
        credential="k",
        expires_s=time.time() + 600,
        mfa_s=mfa_s,
    )


def people() -> dict[bytes, Principal]:
    """Return who there is, each second factor shown just now."""
    return {
        b"Bearer reader": principal("reader", "audit.read"),
        b"Bearer taker": principal("taker", "audit.read", "audit.export", mfa_s=time.time()),
        b"Bearer stale": principal("stale", "audit.export", mfa_s=0.0),
    }


class Authority:
    """Knows three people by their tokens."""

    def authenticate(self, header: bytes) -> Principal | None:
        return people().get(header)

    async def recognise(self, header: bytes, addr: str) -> Principal | None:
        return None


@asynccontextmanager
async def client(settings: Settings, root: Path) -> AsyncIterator[tuple[httpx.AsyncClient, LogAuditor, Any]]:
    auditor = open_auditor(settings, root, REPLICA)
    await auditor.start()
    (root / ".redan/service").mkdir(parents=True, exist_ok=True)
    database = open_database(settings.serve.database, root=root)
    nothing = SimpleNamespace(
        take=lambda *_: None, refused=lambda *_: None, denied=lambda *_: None, answered=lambda *_: None
    )
    parts = Parts(
        settings=settings,
        root=root,
        replica=REPLICA,
        database=database,
        findings=Findings(),
        authority=cast("Any", Authority()),
        limiter=cast("Any", nothing),
        auditor=auditor,
        models=cast("Any", None),
        recorder=cast("Any", nothing),
        watching=cast("Any", nothing),
        more={},
    )
    transport = httpx.ASGITransport(app=web_app(parts, ENDPOINTS))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as asking:
            yield asking, auditor, database
    finally:
        await auditor.stop()
        database.close()


def header(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


@asynccontextmanager
async def filled(settings: Any, root: Path, n: int = 30) -> AsyncIterator[httpx.AsyncClient]:
    given = settings(redact=("client",))
    async with client(given, root) as (asking, auditor, database):
        wait = auditor.commit([some_act(i, ok=i % 2 == 0, why="" if i % 2 == 0 else "rate") for i in range(n)])
        assert wait is not None
        await wait
        assert auditor._log is not None
        auditor._log.checkpoint()
        Indexer(database, places.log_folder(given, root, REPLICA)).catch_up()
        yield asking


async def test_records_are_searched_page_by_page(settings: Any, tmp_path: Path) -> None:
    async with filled(settings, tmp_path) as asking:
        seen, cursor = [], ""
        while True:
            words = {"limit": "7", "verdict": "denied", "after": cursor}
            answer = await asking.get("/v1/audit", params=words, headers=header("reader"))
            assert answer.status_code == 200
            page = answer.json()
            seen += [record["index"] for record in page["records"]]
            if not (cursor := page["next"]):
                break
        assert seen == list(range(29, 0, -2))
        answer = await asking.get("/v1/audit?client=c3", headers=header("reader"))
        assert [record["index"] for record in answer.json()["records"]] == [24, 17, 10, 3]
    last = recorded(settings(), tmp_path)[-1]
    assert (last.act, last.ok, (last.more or {})["records"]) == ("audit.read", True, 4), "who searched is recorded"


async def test_a_search_that_looked_long_enough_says_so_and_goes_on_with_the_next_page(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "WINDOW_ROWS", 5)
    monkeypatch.setattr(searching, "MOST_ROWS", 10)
    async with filled(settings, tmp_path) as asking:
        seen, ended, cursor = [], [], ""
        while True:
            words = {"limit": "7", "text": '"rate"', "after": cursor}
            page = (await asking.get("/v1/audit", params=words, headers=header("reader"))).json()
            seen += [record["index"] for record in page["records"]]
            ended.append(page.get("ended_us", 0) > 0)
            if not (cursor := page["next"]):
                break
    assert seen == list(range(29, 0, -2))
    assert ended[:2] == [True, True]
    assert not ended[-1]


async def test_searches_that_hang_hold_up_nobody_else_and_only_so_many_wait(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()

    def hangs(*given: Any, **more: Any) -> query.Searched:
        free.wait(30)
        return query.search(*given, **more)

    monkeypatch.setattr(searching, "search", hangs)
    async with filled(settings, tmp_path, 3) as asking:
        ask = partial(asking.get, "/v1/audit", headers=header("reader"))
        waiting = [asyncio.create_task(ask()) for _ in range(searching.MOST_WAITING)]
        while len(searching._waiting) < searching.MOST_WAITING:
            await asyncio.sleep(0.005)
        assert (await ask()).status_code == 503
        answer = await asking.get(f"/v1/audit/{REPLICA}/1", headers=header("reader"))
        assert answer.status_code == 200, "what needs a thread of the shared pool has one"
        free.set()
        assert {(await each).status_code for each in waiting} == {200}
        assert not searching._waiting


@pytest.mark.parametrize(
    "words",
    ["limit=0", "limit=1001", "limit=x", "verdict=maybe", "after=1", "after=x.y.z", "since_us=9" * 30, "colour=red",
     "after=9999999999999999999.1.a", "client=%00", "text=" + "x" * 600, "until_us=1e3"],
)  # fmt: skip
async def test_a_question_that_does_not_fit_is_told_and_no_error_of_ours(
    settings: Any, tmp_path: Path, words: str
) -> None:
    async with filled(settings, tmp_path, 1) as asking:
        answer = await asking.get(f"/v1/audit?{words}", headers=header("reader"))
        assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


async def test_one_record_comes_with_a_proof(settings: Any, tmp_path: Path) -> None:
    async with filled(settings, tmp_path) as asking:
        answer = (await asking.get(f"/v1/audit/{REPLICA}/17", headers=header("reader"))).json()
        key = own_key(places.log_folder(settings(), tmp_path, REPLICA))
        proving.check_inclusion(proving.parse(answer["proof"].encode()), answer["entry"].encode(), key)
        for path in (
            f"/v1/audit/{REPLICA}/99",
            "/v1/audit/other/1",
            "/v1/audit/..%2f..%2fetc/1",
            f"/v1/audit/{REPLICA}/x",
        ):
            assert (await asking.get(path, headers=header("reader"))).status_code == 404, path


async def test_what_was_let_go_cannot_be_taken_and_the_answer_says_where_to_begin(
    settings: Any, tmp_path: Path
) -> None:
    async with client(settings(), tmp_path) as (asking, auditor, _):
        wait = auditor.commit([some_act(i) for i in range(300)])
        assert wait is not None
        await wait
        assert auditor._log is not None
        auditor._log.checkpoint()
        auditor._log.prune(256)
        body = {"replica": REPLICA}
        refused = await asking.post("/v1/audit/export", json=body, headers=header("taker"))
        assert refused.status_code == 409
        assert "begin at 256" in refused.json()["message"]
        taken = await asking.post("/v1/audit/export", json=body | {"start": 256}, headers=header("taker"))
        assert check(taken.content.splitlines(keepends=True), own_key(auditor._log.folder)) >= 44


async def test_taking_records_away_needs_its_own_permission_and_a_fresh_factor(settings: Any, tmp_path: Path) -> None:
    async with filled(settings, tmp_path) as asking:
        body = {"replica": REPLICA, "start": 5, "stop": 15}
        for name, status in (("nobody", 401), ("reader", 403), ("stale", 403)):
            assert (await asking.post("/v1/audit/export", json=body, headers=header(name))).status_code == status
        answer = await asking.post("/v1/audit/export", json=body, headers=header("taker"))
        assert answer.status_code == 200
        lines = answer.content.splitlines(keepends=True)
        assert check(lines, own_key(places.log_folder(settings(), tmp_path, REPLICA))) == 10
        assert len(b64decode(json.loads(lines[1])["proof"][0])) == 32
        for bad in ({"start": 50}, {"stop": 1 << 70}, {"start": -1}, {"stop": 10_000_000}):
            answer = await asking.post("/v1/audit/export", json=body | bad, headers=header("taker"))
            assert answer.status_code in (400, 409), bad
    acts = [act for act in recorded(settings(), tmp_path) if act.act == "audit.export"]
    assert [act.why for act in acts if not act.ok][:3] == ["unauthenticated", "forbidden", "step-up"]
    assert [(act.more or {})["records"] for act in acts if act.ok] == [10]
