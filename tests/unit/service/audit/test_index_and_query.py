"""The index repeats the logs and nothing else; every question is answered as reading all records would answer it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from tests.unit.service.audit.conftest import some_act

from redan.core.errors import EvidenceError, UsageError
from redan.core.settings_service import Audit
from redan.evidence.keys import Signer, generate
from redan.evidence.log import create_log, open_log
from redan.evidence.store.database import Database
from redan.service.audit import following
from redan.service.audit import query as querying
from redan.service.audit.act import Act, encode
from redan.service.audit.index import Indexer, disagreements
from redan.service.audit.query import Found, Query, answered, names, search
from redan.service.audit.redaction import Redaction
from redan.service.audit.tables import answers, records, sources
from redan.service.database import open_database

SIGNER = generate("ed25519")
NewUrl = Callable[[str], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    made = open_database(new_url(request.param), root=tmp_path)
    yield made
    made.close()


def write(folder: Path, entries: list[bytes], signer: Signer = SIGNER) -> Path:
    """Add entries to a log, made when missing, and sign them."""
    if not folder.exists():
        create_log(folder, signer, f"redan/{folder.name}")
    with open_log(folder, signer) as log:
        if entries:
            log.append_many(entries)
    return folder


def many(n: int, start: int = 0, **more: Any) -> list[bytes]:
    return [encode(some_act(i, **more)) for i in range(start, start + n)]


def indexed(database: Database) -> list[tuple[str, int, str]]:
    with database.reading() as connection:
        rows = connection.execute(
            select(records.c.replica, records.c.index, records.c.entry).order_by(records.c.replica, records.c.index)
        )
        return [(replica, index, text) for replica, index, text in rows]


def test_logs_of_replicas_are_followed_and_taken_up_again(database: Database, tmp_path: Path) -> None:
    for round_, n in enumerate((5, 0, 300)):
        for name in ("a", "b"):
            folder = write(tmp_path / name, many(n, 1000 * round_))
            assert Indexer(database, folder).catch_up() == n
    assert [(r, i) for r, i, _ in indexed(database)] == [(r, i) for r in "ab" for i in range(305)]
    assert not disagreements(database, [tmp_path / "a", tmp_path / "b"])


def test_several_indexers_at_once_index_each_record_once(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", many(1))
    Indexer(database, folder).catch_up()
    write(folder, many(900, 1))
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(Indexer(database, folder).catch_up())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 900
    assert not disagreements(database, [folder])


def test_a_crash_in_the_middle_of_a_batch_leaves_no_half(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "a", many(50))
    follower = Indexer(database, folder)

    def crash(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(Indexer, "_reached", crash)
    with pytest.raises(RuntimeError):
        follower.catch_up()
    assert indexed(database) == []
    monkeypatch.undo()
    assert follower.catch_up() == 50


def test_what_the_log_lets_go_of_leaves_the_index(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", many(600))
    follower = Indexer(database, folder)
    follower.catch_up()
    with open_log(folder, SIGNER) as log:
        log.prune(512)
        log.append(encode(some_act(600)))
    assert follower.catch_up() == 1
    assert [i for _, i, _ in indexed(database)] == list(range(512, 601))
    assert not disagreements(database, [folder])
    assert follower.rebuild() == 89


def test_a_log_that_was_rolled_back_is_told_and_not_followed(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "one" / "a", many(20))
    Indexer(database, folder).catch_up()
    shorter = write(tmp_path / "two" / "a", many(10))
    with pytest.raises(EvidenceError, match="index knows 20 records"):
        Indexer(database, shorter).catch_up()
    assert "the log only 10" in disagreements(database, [shorter])[0]
    assert Indexer(database, shorter).rebuild() == 10
    assert not disagreements(database, [shorter])


@pytest.mark.parametrize("change", ["text", "missing", "more"])
def test_changes_of_the_index_are_found(database: Database, tmp_path: Path, change: str) -> None:
    folder = write(tmp_path / "a", many(20))
    Indexer(database, folder).catch_up()
    with database.writing() as connection:
        where = records.c.index == 7
        if change == "text":
            connection.execute(update(records).where(where).values(entry="{}"))
        elif change == "missing":
            connection.execute(delete(records).where(where))
        else:
            connection.execute(update(sources).values(next=19))
    assert len(disagreements(database, [folder])) == 1


def test_entries_that_are_no_acts_are_seen_and_stop_nothing(database: Database, tmp_path: Path) -> None:
    odd = [b"", b"\xff\x00\xfe", b"[]", b'{"t_us":"x"}', encode(some_act(who="a\x00b" * 200, t_us=1 << 70))]
    folder = write(tmp_path / "a", [*odd, *many(2), encode(some_act(9, who="\x00" * 3000, model="m" * 20_000))])
    assert Indexer(database, folder).catch_up() == 8
    assert len(search(database, Query(act="unreadable")).records) == 5
    assert not disagreements(database, [folder])


def test_pages_follow_each_other_without_gap_or_repetition(database: Database, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Indexer(database, write(tmp_path / name, [encode(some_act(i // 5)) for i in range(40)])).catch_up()
    seen: list[Found] = []
    after = None
    while page := search(database, Query(limit=7, after=after)).records:
        seen += page
        after = (page[-1].act.t_us, page[-1].replica, page[-1].index)
    assert len(seen) == len({(f.replica, f.index) for f in seen}) == 80
    assert seen == sorted(seen, key=lambda f: (f.act.t_us, f.replica, f.index), reverse=True)


def test_a_client_is_found_by_name_and_under_its_pseudonym(database: Database, tmp_path: Path) -> None:
    redaction = Redaction(Audit(redact=("client", "address")), bytes(32))
    before, after = some_act(1, who="client:alice"), some_act(2, who="client:alice")
    folder = write(tmp_path / "a", [encode(before), redaction.entry(after), *many(3, 3)])
    Indexer(database, folder).catch_up()
    assert [f.index for f in search(database, Query(client="alice"), redaction).records] == [1, 0]
    assert [f.index for f in search(database, Query(client="client:alice")).records] == [0]
    assert [f.index for f in search(database, Query(address="10.0.0.1"), redaction).records] == [4, 3, 2, 1, 0]
    assert "user:alice" in names("alice", None)
    other = Redaction(Audit(redact=("client",)), bytes([1]) * 32)
    assert [f.index for f in search(database, Query(client="alice"), other).records] == [0]


@pytest.mark.parametrize("bad", [{"limit": 0}, {"limit": 10_001}, {"client": "\x00"}])
def test_a_question_that_cannot_be_asked_is_told(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Query(**bad)


WORDS = st.sampled_from(["", "a", "b", "a@1", "a@2", "ab@1", "A@1", "%", "_", "client:a", "user:a", "é'\"\\", "a@"])
ACTS = st.builds(
    Act,
    t_us=st.integers(0, 5),
    who=WORDS,
    act=WORDS,
    model=WORDS,
    ok=st.booleans(),
    why=WORDS,
    addr=WORDS,
    id=WORDS,
)
QUERIES = st.builds(
    Query,
    client=WORDS,
    model=WORDS,
    since_us=st.none() | st.integers(0, 5),
    until_us=st.none() | st.integers(0, 5),
    ok=st.none() | st.booleans(),
    why=WORDS,
    act=WORDS,
    address=WORDS,
    text=WORDS,
    limit=st.integers(1, 30),
)


def fits(act: Act, query: Query) -> bool:
    """Judge one record by reading it."""
    who = {query.client, f"client:{query.client}", f"user:{query.client}"}
    if query.client.startswith(("client:", "user:")):
        who = {query.client}
    return (
        (not query.client or act.who in who)
        and (not query.model or act.model == query.model or act.model.startswith(query.model + "@"))
        and (query.since_us is None or act.t_us >= query.since_us)
        and (query.until_us is None or act.t_us < query.until_us)
        and (query.ok is None or act.ok == query.ok)
        and (not query.why or act.why == query.why)
        and (not query.act or act.act == query.act)
        and (not query.address or act.addr == query.address)
        and (not query.text or query.text in encode(act).decode())
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACTS, max_size=25), asked=st.lists(QUERIES, min_size=1, max_size=8))
def test_questions_are_answered_as_reading_everything_would(
    database: Database, tmp_path: Path, acts: list[Act], asked: list[Query]
) -> None:
    rows = [
        {"replica": "a", "index": i, "status": 0, "entry": encode(act).decode()}
        | {name: getattr(act, name) for name in ("t_us", "who", "act", "model", "ok", "why", "addr")}
        for i, act in enumerate(acts)
    ]
    with database.writing() as connection:
        connection.execute(delete(records))
        if rows:
            connection.execute(records.insert(), rows)
    for query in asked:
        expected = sorted((i for i, act in enumerate(acts) if fits(act, query)), key=lambda i: (acts[i].t_us, i))
        found = search(database, query).records
        assert [f.index for f in found] == expected[::-1][: query.limit], msgspec.json.encode(query)
        assert all(f.act == acts[f.index] for f in found)
        assert in_pieces(database, query) == found, "however often a search ends and goes on"


def in_pieces(database: Database, query: Query) -> list[Found]:
    """Search in windows of three records that each end the search, and go on where it ended."""
    found: list[Found] = []
    with mock.patch.object(querying, "WINDOW_ROWS", 3):
        while True:
            some = search(database, query, goes_on=lambda rows: False)
            found += some.records
            if some.ended is None or len(found) == query.limit:
                return found
            query = replace(query, after=some.ended, limit=query.limit - len(some.records))


class Rounds(threading.Event):
    """Lets so many rounds happen, without their pauses."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.left = n

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_database_whose_connections_break_is_asked_again(new_url: NewUrl, tmp_path: Path) -> None:
    import psycopg

    url = new_url("postgresql")
    database = open_database(url, root=tmp_path)
    folder = write(tmp_path / "a", many(5))
    follower = Indexer(database, folder)
    assert follower.catch_up() == 5
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    write(folder, many(5, 5))
    follower.follow(Rounds(3))
    assert len(indexed(database)) == 10
    database.close()


async def until_indexed(database: Database, n: int) -> None:
    """Wait for the process, which tells nobody how far it is."""
    async with asyncio.timeout(20):
        while len(indexed(database)) < n:
            await asyncio.sleep(0.05)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_process_follows_a_log_that_grows_and_is_started_again(
    new_url: NewUrl, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.05)
    url = new_url(kind)
    database = open_database(url, root=tmp_path)
    folder = write(tmp_path / "a", many(30))
    process = following.Following(url, tmp_path, folder)
    await process.start()
    try:
        await until_indexed(database, 30)
        assert process._process is not None
        process._process.kill()
        write(folder, many(20, 30))
        await until_indexed(database, 50)
    finally:
        await process.stop()
    assert not disagreements(database, [folder])
    database.close()
    assert capfd.readouterr().err == "audit index: its process ended and is started again\n"


@pytest.mark.anyio
async def test_a_database_that_is_away_is_told_without_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "a", many(1))
    process = following.Following(f"postgresql://nobody@/x?host={tmp_path}", tmp_path, folder)
    await process.start()
    assert process._process is not None
    assert await asyncio.to_thread(process._process.wait, 20) == 3
    await process.stop()
    said = capfd.readouterr().err
    assert said.startswith("audit index: RDN-E500")
    assert "Traceback" not in said


def test_answers_are_found_by_their_requests_where_labels_are_kept_and_go_with_their_records(
    database: Database, tmp_path: Path
) -> None:
    folder = write(tmp_path / "r1", [*many(300, labels=[1]), *many(300, start=300), *many(1, start=900, labels=[2])])
    write(folder, [encode(some_act(901, labels=[0], ok=False)), encode(some_act(5, labels=[9]))])
    indexer = Indexer(database, folder)
    indexer.catch_up()
    wanted = [some_act(i).id for i in (0, 299, 300, 900, 901, 5)]
    found = answered(database, [*wanted, "nothing", "a\x00b"] * 300)
    assert {id: act.labels for id, act in found.items()} == {
        wanted[0]: [1],
        wanted[1]: [1],
        wanted[3]: [2],
        wanted[5]: [1],
    }
    with open_log(folder, SIGNER) as log:
        log.prune(256)
    write(folder, many(1, start=950))
    indexer.catch_up()
    assert answered(database, wanted).keys() == {wanted[1], wanted[3]}
    indexer.rebuild()
    assert answered(database, wanted).keys() >= {wanted[1], wanted[3]}


def test_where_labels_are_not_kept_nothing_is_written_to_find_answers_by(database: Database, tmp_path: Path) -> None:
    Indexer(database, write(tmp_path / "r1", many(50))).catch_up()
    with database.reading() as connection:
        assert connection.execute(select(answers)).all() == []
