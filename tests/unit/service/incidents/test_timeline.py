"""Incidents in real databases: opened once, chained, never changed unseen; the state machine refuses what it must."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, update
from tests.unit.service.incidents.conftest import finding

from redan.core.errors import RedanError, SignatureRefused, UnknownName, UsageError
from redan.core.finding import Severity
from redan.evidence.store.database import Database
from redan.service.database import open_database
from redan.service.incidents import acting, tables, timeline
from redan.service.incidents.acting import Person
from redan.service.incidents.endpoints import closed
from redan.service.incidents.incident import CONTAINING, Incident
from redan.service.incidents.playbook import built_in

ANN = Person(id="user:ann", may_contain=True)
BOOKS = {playbook.name: playbook for playbook in built_in()}


def take(database: Database, *args: Any, **kwargs: Any) -> timeline.Taken:
    with database.writing() as connection:
        return timeline.take(connection, finding(*args, **kwargs))


def read(database: Database, number: int = 1) -> Incident:
    with database.reading() as connection:
        return timeline.read(connection, number)


def test_findings_of_one_rule_and_subject_or_of_one_client_are_one_incident(
    new_service: Callable[..., Database],
) -> None:
    database = new_service()
    assert take(database, "client:a").what == "opened"
    assert take(database, "client:b").what == "joined"
    assert take(database, "client:b", rule="RDN-EVA-205", threat="evasion").incident.number == 1
    assert take(database, "client:c", rule="RDN-EVA-205", subject="other").incident.number == 2
    assert take(database, "client:a").what == "known"
    assert take(database, "client:a", severity=Severity.CRITICAL).what == "joined"
    incident = read(database)
    assert incident.clients == ("client:a", "client:b")
    assert incident.severity is Severity.CRITICAL
    with database.reading() as connection:
        assert [found.number for found in timeline.listed(connection)] == [2, 1]


def test_a_list_of_incidents_asks_the_database_as_often_for_many_as_for_one(
    new_service: Callable[..., Database],
) -> None:
    database, asked = new_service(), list[str]()
    for n in range(12):
        take(database, f"client:{n}", subject=f"model-{n}")
        take(database, f"client:{n}", subject=f"model-{n}", severity=Severity.CRITICAL)
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    with database.reading() as connection:
        found = timeline.listed(connection, limit=10)
    assert sum("incident" in statement for statement in asked) == 2
    assert found == [read(database, number) for number in range(12, 2, -1)]
    with database.writing() as connection:
        connection.execute(delete(tables.entries).where(tables.entries.c.incident == 7, tables.entries.c.position == 0))
    with pytest.raises(SignatureRefused, match="incident 7"), database.reading() as connection:
        timeline.listed(connection)


def test_replicas_that_open_the_same_incident_at_once_give_one(
    new_service: Callable[..., Database], new_url: Callable[[str], str], kind: str
) -> None:
    url = new_url(kind)
    replicas = [new_service(url=url) for _ in range(4)]
    ready = threading.Barrier(len(replicas))
    taken: list[timeline.Taken] = []

    def work(database: Database, name: str) -> None:
        ready.wait()
        for i in range(5):
            taken.append(take(database, f"client:{name}{i}"))  # noqa: PERF401  # each is a transaction of its own

    threads = [threading.Thread(target=work, args=(d, str(i))) for i, d in enumerate(replicas)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [t.what for t in taken].count("opened") == 1
    assert {t.incident.number for t in taken} == {1}
    incident = read(replicas[0])
    assert len(incident.clients) == len(incident.entries) == 20


@pytest.mark.parametrize("change", ["text", "body", "who", "t_us", "removed", "title"])
def test_a_changed_row_is_seen(new_service: Callable[..., Database], change: str) -> None:
    database = new_service()
    for client in "abc":
        take(database, client)
    with database.writing() as connection:
        second = tables.entries.c.position == 1
        if change == "removed":
            connection.execute(delete(tables.entries).where(second))
        elif change == "title":
            connection.execute(update(tables.incidents).values(title="harmless"))
        else:
            value: Any = {"t_us": 1, "body": '{"severity": "low"}'}.get(change, "other")
            connection.execute(update(tables.entries).where(second).values({change: value}))
    with pytest.raises(SignatureRefused, match="does not continue"):
        read(database)


def test_every_entry_waits_for_the_audit_log_until_it_is_there(new_service: Callable[..., Database]) -> None:
    database = new_service()
    incident = take(database).incident
    with database.reading() as connection:
        ((key, act),) = timeline.unaudited(connection, "one")
    assert (act.x, act.model, act.by) == (incident.head, "incident/1", "one")
    with database.writing() as connection:
        timeline.audited(connection, [key])
    with database.reading() as connection:
        assert timeline.unaudited(connection, "one") == []


def test_closing_needs_a_post_mortem_and_frees_the_slot(new_service: Callable[..., Database]) -> None:
    database = new_service()
    incident = take(database).incident
    with database.writing() as connection, pytest.raises(UsageError, match="without a post-mortem"):
        timeline.add(connection, incident, "closed", who="user:ann", text="", body={})
    with database.writing() as connection:
        assert closed(connection, 1, "it was a test", "user:ann").state == "closed"
    with database.writing() as connection, pytest.raises(UsageError, match="it is closed"):
        acting.order(connection, 1, BOOKS["model-theft"], BOOKS["model-theft"].step("suspend"), ANN)
    assert take(database).incident.number == 2


def test_the_clock_of_72_hours_is_set_once_and_a_clock_set_back_moves_no_entry(
    new_service: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_service()
    incident = take(database).incident
    with database.writing() as connection:
        aware = timeline.now_us()
        incident = timeline.add(connection, incident, "breach", who="a", text="", body={"aware_us": aware})
        assert incident.deadline_us == aware + 72 * 3600 * 1_000_000
        with pytest.raises(UsageError, match="runs already"):
            timeline.add(connection, incident, "breach", who="a", text="", body={"aware_us": 0})
        monkeypatch.setattr(timeline, "now_us", lambda: 5)
        incident = timeline.add(connection, incident, "note", who="a", text="later", body={})
    times = [entry.t_us for entry in read(database).entries]
    assert times == sorted(times)


def test_words_that_would_change_a_terminal_or_a_page_do_not_get_in(new_service: Callable[..., Database]) -> None:
    database = new_service()
    take(database, "client:\ud800\x00\x1b[2J", title="a\n# closed\x1b[2J\x00b", subject="x\r\ny")
    incident = read(database)
    assert incident.title == "a # closed\ufffd[2J\ufffdb"
    assert "\n" not in incident.subject


def test_there_is_no_incident_of_a_number_that_was_not_given(new_service: Callable[..., Database]) -> None:
    with pytest.raises(UnknownName):
        read(new_service(), 2**60)


STEPS = [(playbook, step) for playbook in built_in() for step in playbook.steps]
MOVES = st.one_of(
    st.tuples(st.just("finding"), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.sampled_from(["order", "approve", "undo"]), st.sampled_from(STEPS)),
    st.tuples(st.just("finish"), st.sampled_from(["done", "failed", "undone", "observing", "waiting"])),
    st.tuples(st.sampled_from(["note", "breach", "contained", "close", "postmortem"]), st.just(None)),
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = open_database("s.db", root=tmp_path_factory.mktemp("states"))
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
    return database


def _move(database: Database, move: tuple[str, Any], number: int) -> None:
    kind, what = move
    with database.writing() as connection:
        if kind == "finding":
            timeline.take(connection, finding(f"client:{what}", rule=f"R{number}", subject=str(number)))
        elif kind == "order":
            acting.order(connection, number, *what, ANN)
        elif kind == "approve":
            acting.approve(connection, number, *what, Person(id="user:bob", may_contain=True))
        elif kind == "undo":
            acting.order_undo(connection, number, *what, ANN)
        elif kind == "close":
            timeline.add(connection, timeline.read(connection, number), "closed", who="a", text="", body={})
        elif kind != "finish":
            body = {"aware_us": 1, "text": "why"}
            timeline.add(connection, timeline.read(connection, number), kind, who="a", text="", body=body)
    if kind == "finish":
        claimed = acting.claim(database, BOOKS, who="one", containing=True)
        claimed = claimed or acting.claim(database, BOOKS, who="one", containing=False)
        if claimed is not None:
            facts = {"targets": list(claimed.targets)} if what == "done" else {}
            acting.finished(database, claimed, what, who="one", text="", facts=facts)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(MOVES, max_size=14))
def test_no_order_of_moves_breaks_what_must_hold(scratch: Database, moves: list[tuple[str, Any]]) -> None:
    with scratch.writing() as connection:
        number = timeline.take(
            connection, finding("", rule=f"fresh {threading.get_ident()} {next(NUMBERS)}", subject="s")
        ).incident.number
    for move in moves:
        before = read(scratch, number)
        try:
            _move(scratch, move, number)
        except RedanError:
            # refused: nothing was written
            assert len(read(scratch, number).entries) >= len(before.entries)
            continue
        after = read(scratch, number)
        assert after.entries[: len(before.entries)] == before.entries
        if before.state == "closed":
            assert after.state == "closed"
            assert after.held <= before.held
        if after.state == "closed":
            assert after.postmortem
        if after.aware_us is not None:
            assert before.aware_us in (None, after.aware_us)
        for name, step in after.steps.items():
            if step.status == "done" and step.do in CONTAINING:
                playbook, _, own = name.partition("/")
                assert len(step.approved) >= BOOKS[playbook].step(own).persons


NUMBERS = iter(range(10**9))


def test_reading_a_long_timeline_is_bounded(
    new_service: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MOST_ENTRIES", 5)
    database = new_service()
    assert [take(database, f"client:{i}").what for i in range(7)] == ["opened", *["joined"] * 4, "known", "known"]


def test_a_body_that_is_too_large_is_refused(new_service: Callable[..., Database], tmp_path: Path) -> None:
    database = new_service()
    incident = take(database).incident
    with database.writing() as connection, pytest.raises(UsageError, match="at most"):
        timeline.add(connection, incident, "postmortem", who="a", text="", body={"text": "x" * 200_000})
