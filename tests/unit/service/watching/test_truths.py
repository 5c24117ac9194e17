"""Truths of requests that nobody remembers any more, found in the audit index; each counted once, for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from tests.unit.service.audit.conftest import some_act
from tests.unit.service.guards.standing import DIGEST, served

from redan.core.settings import Settings
from redan.core.settings_service import Serve
from redan.evidence.keys import generate
from redan.evidence.log import create_log, open_log
from redan.evidence.store.database import Database
from redan.service.audit.index import Indexer
from redan.service.audit.redaction import Redaction
from redan.service.database import open_database
from redan.service.findings import Findings
from redan.service.watching.tables import told
from redan.service.watching.truths import OLDEST_S, claim, count
from redan.service.watching.watcher import LiveWatching

KEY = generate("ed25519")
NOW_US = int(time.time() * 1e6)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database("service.db", root=tmp_path)
    yield made
    made.close()


def index(database: Database, folder: Path, redaction: Redaction, *, n: int = 20, **more: Any) -> list[str]:
    """Record answered requests as a gateway does, and index them; return their identifiers."""
    create_log(folder / "r1", KEY, "redan/r1")
    given: dict[str, Any] = {"digest": DIGEST, "labels": [1, 0], "model": "m@1", "who": "client:a"} | more
    acts = [some_act(i, **{"t_us": NOW_US + i} | given) for i in range(n)]
    with open_log(folder / "r1", KEY) as log:
        log.append_many([redaction.entry(act) for act in acts])
    Indexer(database, folder / "r1").catch_up()
    return [act.id for act in acts]


class Bench:
    """A gateway that has just started, over a database that knows what was answered before."""

    def __init__(self, database: Database, folder: Path, *, keep: str = "labels", redact: tuple[str, ...] = ()) -> None:
        given = Settings(serve=Serve(watch=("performance",)))
        self.settings = replace(given, audit=replace(given.audit, keep=keep, redact=redact))
        self.redaction = Redaction(self.settings.audit, b"secret" * 8)
        self.database, self._folder = database, folder
        self.models = SimpleNamespace(all=lambda: [(served(), "live")])
        self.start()

    def start(self) -> None:
        self.live = LiveWatching(self.settings, self._folder, Findings())

    def tell(self, answers: list[tuple[str, list[int]]], *, model: str = "m", client: str = "") -> list[str]:
        parts: Any = SimpleNamespace(
            settings=self.settings,
            database=self.database,
            models=self.models,
            auditor=SimpleNamespace(redaction=self.redaction),
        )
        return asyncio.run(count(parts, self.live, answers, model=model, client=client))

    def accuracy(self) -> tuple[int, int]:
        self.live.drain()
        (version,) = self.live._versions.values()
        right, n = version.operation._first_truths
        return right, n


def test_truths_find_their_requests_after_a_restart_and_count_once_also_after_the_next(
    database: Database, tmp_path: Path
) -> None:
    bench = Bench(database, tmp_path)
    ids = index(database, tmp_path, bench.redaction)
    assert bench.tell([(ids[0], [1, 0]), (ids[1], [1, 1]), (ids[1], [1, 1])]) == ["", "", "unknown"]
    assert bench.accuracy() == (3, 4)
    assert bench.tell([(ids[0], [1, 0])]) == ["unknown"]
    bench.start()
    assert bench.tell([(ids[0], [0, 0]), (ids[2], [1, 0])]) == ["unknown", ""]
    assert bench.accuracy() == (2, 2)


def test_what_does_not_fit_is_not_counted_and_may_be_told_again(database: Database, tmp_path: Path) -> None:
    bench = Bench(database, tmp_path)
    ids = index(database, tmp_path, bench.redaction)
    assert bench.tell([(ids[0], [1]), ("nobody", [1]), ("a\x00", [1])]) == ["rows", "unknown", "unknown"]
    assert bench.tell([(ids[0], [1, 0])], model="other") == ["unknown"]
    assert bench.tell([(ids[0], [1, 0])], client="client:eve") == ["unknown"]
    assert bench.tell([(ids[0], [1, 0])], client="client:a") == [""]


@pytest.mark.parametrize("redact", [(), ("client",)])
def test_own_requests_are_known_under_their_pseudonym(
    database: Database, tmp_path: Path, redact: tuple[str, ...]
) -> None:
    bench = Bench(database, tmp_path, redact=redact)
    ids = index(database, tmp_path, bench.redaction)
    assert bench.tell([(ids[3], [1, 0])], client="client:eve") == ["unknown"]
    assert bench.tell([(ids[3], [1, 0])], client="client:a") == [""]


@pytest.mark.parametrize("more", [{"digest": "ff" * 32}, {"t_us": NOW_US - int(OLDEST_S * 1e6) - 1_000_000}])
def test_answers_of_another_model_or_of_long_ago_are_unknown(
    database: Database, tmp_path: Path, more: dict[str, Any]
) -> None:
    bench = Bench(database, tmp_path)
    ids = index(database, tmp_path, bench.redaction, n=1, **more)
    assert bench.tell([(ids[0], [1, 0])]) == ["unknown"]


def test_where_only_digests_are_kept_nothing_is_looked_up(database: Database, tmp_path: Path) -> None:
    bench = Bench(database, tmp_path, keep="digests")
    ids = index(database, tmp_path, bench.redaction)
    assert bench.tell([(ids[0], [1, 0])]) == ["unknown"]


def test_what_was_told_is_forgotten_when_it_could_not_be_told_any_more(database: Database) -> None:
    now_s = time.time()
    assert claim(database, {"old": now_s - OLDEST_S - 2 * 86_400, "new": now_s}) == {"old", "new"}
    assert claim(database, {"new": now_s, "other": now_s}) == {"other"}
    with database.reading() as connection:
        assert set(connection.execute(select(told.c.id)).scalars()) == {"new", "other"}
