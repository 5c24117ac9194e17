"""From a finding to an incident to a deed: once, within its time, and never against everybody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.service.incidents.conftest import Bench, finding

from redan.core.errors import EvidenceError, UsageError
from redan.core.finding import Severity
from redan.evidence.store.database import Database
from redan.service.findings import Findings
from redan.service.incidents import acting, timeline
from redan.service.incidents.acting import Person
from redan.service.incidents.doing import CONTAIN_STEP_S, CONTAIN_WITHIN_S
from redan.service.incidents.endpoints import by_hand
from redan.service.incidents.incident import Incident
from redan.service.incidents.playbook import Playbook, Step, built_in

Make = Callable[..., Bench]
ANN, BOB, PROGRAM = (
    Person(id="user:ann", may_contain=True),
    Person(id="user:bob", may_contain=True),
    Person(id="client:ci", may_contain=False),
)
BOOKS = {playbook.name: playbook for playbook in built_in()}


def read(database: Database, number: int = 1) -> Incident:
    with database.reading() as connection:
        return timeline.read(connection, number)


def order(bench: Bench, name: str, by: Person | None, number: int = 1) -> str:
    playbook, step = of(bench, name)
    with bench.database.writing() as connection:
        status = acting.order(connection, number, playbook, step, by)[1]
    bench.desk.hurry()
    return status


def of(bench: Bench, name: str) -> tuple[Playbook, Step]:
    first, _, second = name.partition("/")
    return bench.desk.playbooks[first], bench.desk.playbooks[first].step(second)


def settled(bench: Bench, name: str, *statuses: str, number: int = 1) -> Callable[[], bool]:
    def holds() -> bool:
        try:
            step = read(bench.database, number).steps.get(name)
        except Exception:  # noqa: BLE001  # not there yet
            return False
        return step is not None and step.status in statuses

    return holds


def test_a_finding_is_contained_by_itself_within_the_stated_time(bench: Make, kind: str) -> None:
    made = bench("model-theft", kind=kind)
    findings = Findings()
    findings.listen(made.desk.notice)

    async def live() -> None:
        await made.desk.start()
        # monitors publish from threads of their own
        thread = threading.Thread(target=findings.publish, args=(finding(),))
        thread.start()
        for name in ("slow", "tell", "evidence"):
            await made.until(settled(made, f"model-theft/{name}", "done"))
        thread.join()
        await made.until(lambda: len(made.acts) == len(read(made.database).entries))
        await made.desk.stop()

    asyncio.run(live())
    incident = read(made.database)
    assert made.hands.rates == {"client:eve": 0.01}
    assert incident.state == "contained"
    assert incident.contain_ms is not None
    assert incident.contain_ms < CONTAIN_WITHIN_S * 1000
    assert made.hands.told
    assert made.bundles == [1]
    # what a person must do was not done
    assert set(incident.steps) == {f"model-theft/{name}" for name in ("slow", "tell", "evidence")}
    assert {act.x for act in made.acts} == {entry.sha256 for entry in incident.entries}


def test_nothing_is_done_where_no_playbook_is_automatic(bench: Make) -> None:
    made = bench()

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding())
        made.desk.notice(finding(rule="RDN-EVA-205", threat="evasion", severity=Severity.MEDIUM))
        await made.until(lambda: len(made.acts) == 1)
        await made.desk.stop()

    asyncio.run(live())
    assert read(made.database).steps == {}
    assert made.hands.n_calls == 0


def test_a_hand_that_hangs_is_told_within_the_bound_and_the_others_go_on(bench: Make) -> None:
    made = bench("model-theft")
    made.hands.hang = True

    async def live() -> float:
        await made.desk.start()
        began = asyncio.get_running_loop().time()
        made.desk.notice(finding())
        await made.until(settled(made, "model-theft/slow", "failed"))
        took_s = asyncio.get_running_loop().time() - began
        await made.until(lambda: made.bundles == [1])
        await made.desk.stop()
        return took_s

    took_s = asyncio.run(live())
    assert CONTAIN_STEP_S <= took_s < CONTAIN_WITHIN_S
    incident = read(made.database)
    assert incident.state == "open"
    assert any("not done within" in entry.text for entry in incident.entries)


def test_automatic_containment_stops_at_its_bound_and_a_person_goes_on(bench: Make) -> None:
    made = bench("model-theft", most_clients=3)

    async def live() -> None:
        await made.desk.start()
        for i in range(6):
            made.desk.notice(finding(f"client:{i}"))
        await made.until(settled(made, "model-theft/slow", "waiting"))
        # whoever frames others does not keep itself out of the first three
        assert list(made.hands.rates) == ["client:0", "client:1", "client:2"]
        assert read(made.database).state == "open"
        with made.database.writing() as connection:
            acting.approve(connection, 1, *of(made, "model-theft/slow"), ANN)
        made.desk.hurry()
        await made.until(lambda: len(made.hands.rates) == 6)
        await made.until(settled(made, "model-theft/slow", "done"))
        await made.desk.stop()

    asyncio.run(live())
    assert read(made.database).steps["model-theft/slow"].approved == ("user:ann",)


@pytest.mark.parametrize(("n_clients", "held"), [(1, 1), (4, 1), (10, 2), (100, 20), (100_000, 20)])
def test_a_share_of_few_clients_and_a_number_of_many_may_be_held(n_clients: int, held: int) -> None:
    from redan.core.settings_service import Incidents
    from redan.service.incidents.holds import allowed

    assert allowed(Incidents(), n_clients) == held


def test_two_persons_must_agree_where_four_eyes_are_asked(bench: Make) -> None:
    made = bench()

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding())
        await made.until(lambda: len(made.acts) == 1)
        assert order(made, "model-theft/revoke", ANN) == "waiting"
        with made.database.writing() as connection, pytest.raises(UsageError, match="another person"):
            acting.approve(connection, 1, *of(made, "model-theft/revoke"), ANN)
        with made.database.writing() as connection, pytest.raises(UsageError, match="may not approve"):
            acting.approve(connection, 1, *of(made, "model-theft/revoke"), PROGRAM)
        assert made.hands.revoked == []
        with made.database.writing() as connection:
            assert acting.approve(connection, 1, *of(made, "model-theft/revoke"), BOB)[1] == "ordered"
        await made.until(settled(made, "model-theft/revoke", "done"))
        await made.desk.stop()

    asyncio.run(live())
    assert made.hands.revoked == ["client:eve"]
    assert read(made.database).steps["model-theft/revoke"].approved == ("user:ann", "user:bob")


def test_a_program_or_a_stale_factor_contains_nothing(bench: Make) -> None:
    made = bench()
    with made.database.writing() as connection:
        timeline.take(connection, finding())
    with pytest.raises(UsageError, match="may not order"):
        order(made, "model-theft/suspend", PROGRAM)


def test_a_principal_is_a_person_with_a_fresh_factor_or_approves_nothing() -> None:
    from redan.service.identity.principal import Principal

    def of_kind(kind: Any, mfa_s: float | None, action: str = "incidents.contain") -> Person:
        principal = Principal(
            id="user:ann",
            kind=kind,
            roles=frozenset(),
            grants=frozenset({(action, "*")}),
            credential="s",
            expires_s=1e12,
            mfa_s=mfa_s,
        )
        return Person.of(principal, now_s=1000.0, step_up_s=300.0)

    assert of_kind("person", 900.0).may_contain
    assert not of_kind("program", 900.0).may_contain
    assert not of_kind("person", 600.0).may_contain
    assert not of_kind("person", 2000.0).may_contain
    assert not of_kind("person", None).may_contain
    assert not of_kind("person", 900.0, "incidents.read").may_contain


def test_whom_a_person_names_no_playbook_stops_by_itself(bench: Make) -> None:
    made = bench("model-theft")

    def written(title: str, client: str, threat: str) -> None:
        named = by_hand(title, severity="critical", threat=threat, subject="credit", client=client)
        with made.database.writing() as connection:
            timeline.take(connection, named, who="user:mallory")

    async def live() -> None:
        written("so that she is shut out", "client:victim", "theft")
        await made.desk.start()
        # another monitor says something harmless about the same client, which joins the incident
        made.desk.notice(finding("client:victim", rule="RDN-EVA-201", threat="evasion"))
        await made.until(lambda: len(read(made.database).findings) == 2)
        # and one incident of a client and a victim, both named by hand, in which the gateway then sees the client steal
        written("they work together", "client:eve", "theft")
        written("they work together", "client:friend", "theft")
        made.desk.notice(finding("client:eve"))
        await made.until(settled(made, "model-theft/slow", "done", number=2))
        assert read(made.database, 2).clients == ("client:eve", "client:friend")
        made.desk.hurry()
        await made.until(lambda: len(made.acts) >= len(read(made.database).entries))
        await made.desk.stop()

    asyncio.run(live())
    assert made.hands.rates == {"client:eve": 0.01}
    assert read(made.database).steps == {}


def test_what_was_done_is_undone_and_other_steps_go_on_holding(bench: Make) -> None:
    made = bench()

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding())
        await made.until(lambda: len(made.acts) == 1)
        for name in ("model-theft/slow", "model-theft/suspend"):
            order(made, name, ANN)
            await made.until(settled(made, name, "done"))
        assert made.hands.rates == {"client:eve": 0.0}
        for name, left in (("model-theft/suspend", {"client:eve": 0.01}), ("model-theft/slow", {})):
            with made.database.writing() as connection:
                acting.order_undo(connection, 1, *of(made, name), BOB)
            made.desk.hurry()
            await made.until(settled(made, name, "undone"))
            assert made.hands.rates == left
        await made.desk.stop()

    asyncio.run(live())
    assert read(made.database).state == "open"


def test_models_go_back_and_come_again(bench: Make) -> None:
    made = bench()

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding("", rule="RDN-POI-201", threat="poisoning"))
        await made.until(lambda: len(made.acts) == 1)
        for name, holds in (
            ("poisoned-model/go-back", lambda: made.hands.live["credit"] == ["credit@1"]),
            ("poisoned-model/quarantine", lambda: made.hands.out == {"credit"}),
        ):
            assert order(made, name, ANN) == "ordered"
            await made.until(settled(made, name, "done"))
            assert holds()
        assert read(made.database).state == "contained"
        with made.database.writing() as connection:
            acting.order_undo(connection, 1, *of(made, "poisoned-model/go-back"), BOB)
        made.desk.hurry()
        await made.until(settled(made, "poisoned-model/go-back", "undone"))
        assert made.hands.live["credit"][0] == "credit@2"
        await made.desk.stop()

    asyncio.run(live())


def test_a_step_that_cannot_be_done_fails_with_its_reason_and_may_be_ordered_again(bench: Make) -> None:
    made = bench()
    made.hands.live["credit"] = ["credit@1"]

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding("", rule="RDN-POI-201", threat="poisoning"))
        await made.until(lambda: len(made.acts) == 1)
        order(made, "poisoned-model/go-back", ANN)
        await made.until(settled(made, "poisoned-model/go-back", "failed"))
        assert "no version to go back to" in read(made.database).entries[-1].text
        made.hands.live["credit"].append("credit@0")
        order(made, "poisoned-model/go-back", ANN)
        await made.until(settled(made, "poisoned-model/go-back", "done"))
        await made.desk.stop()

    asyncio.run(live())


def test_a_step_is_done_once_however_often_it_is_ordered_and_by_whichever_replica(
    bench: Make, new_service: Callable[..., Database], new_url: Callable[[str], str], kind: str
) -> None:
    url = new_url(kind)
    two = [bench("model-theft", database=new_service(url=url), name=name) for name in ("one", "two")]

    async def live() -> None:
        for made in two:
            await made.desk.start()
        for made in two:
            made.desk.notice(finding())
        for made in two:
            # each replica has a limiter of its own
            await made.until(lambda made=made: made.hands.rates == {"client:eve": 0.01})
        for name in ("slow", "tell", "evidence"):
            await two[0].until(settled(two[0], f"model-theft/{name}", "done"))
        for made in two:
            await made.desk.stop()

    asyncio.run(live())
    incident = read(two[0].database)
    assert sum(len(made.bundles) for made in two) == 1
    assert sum(len(made.hands.told) for made in two) == 1
    begun = [entry for entry in incident.entries if entry.body.get("status") == "started"]
    assert len(begun) == 3
    with two[0].database.reading() as connection, pytest.raises(Exception, match="no incident 2"):
        timeline.read(connection, 2)


def test_who_is_held_back_is_held_back_again_after_a_restart(bench: Make) -> None:
    first = bench("model-theft")

    async def live(made: Bench) -> None:
        await made.desk.start()
        made.desk.notice(finding())
        await made.until(lambda: made.hands.rates == {"client:eve": 0.01})
        await made.until(settled(made, "model-theft/slow", "done"))
        await made.desk.stop()

    asyncio.run(live(first))

    async def again() -> None:
        second = bench("model-theft", database=first.database, name="two")
        await second.desk.start()
        await second.until(lambda: second.hands.rates == {"client:eve": 0.01})
        await second.desk.stop()

    asyncio.run(again())


def test_findings_wait_while_the_database_is_away(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench("model-theft")
    away, real = threading.Event(), timeline.take

    def take(*args: Any, **kwargs: Any) -> Any:
        if away.is_set():
            raise EvidenceError("the database is away")
        return real(*args, **kwargs)

    monkeypatch.setattr(timeline, "take", take)
    away.set()

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding())
        await asyncio.sleep(0.05)
        away.clear()
        made.desk.hurry()
        await made.until(settled(made, "model-theft/slow", "done"))
        await made.desk.stop()

    asyncio.run(live())
    assert made.hands.rates == {"client:eve": 0.01}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_does_not_end_containment_for_ever(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench("model-theft")
    told: list[type[BaseException] | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))
    real = timeline.take

    def take(connection: Any, found: Any, **kwargs: Any) -> Any:
        if found.subject == "odd":
            raise ValueError("a finding that nobody thought of")
        return real(connection, found, **kwargs)

    monkeypatch.setattr(timeline, "take", take)

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding("client:mallory", subject="odd"))
        await made.until(lambda: bool(told))
        made.desk.notice(finding())
        await made.until(settled(made, "model-theft/slow", "done"))
        await made.desk.stop()

    asyncio.run(live())
    assert told == [ValueError]
    assert made.hands.rates == {"client:eve": 0.01}


def test_repeated_and_surplus_findings_are_counted_and_keep_no_memory(bench: Make) -> None:
    made = bench()
    for _ in range(5):
        made.desk.notice(finding())
    assert made.desk.n_repeated == 4
    for i in range(1100):
        made.desk.notice(finding(f"client:{i}"))
    assert made.desk.n_dropped == 101


def test_an_observed_incident_says_what_was_found_again(bench: Make) -> None:
    made = bench()

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding())
        await made.until(lambda: len(made.acts) == 1)
        order(made, "model-theft/watch", ANN)
        await made.until(settled(made, "model-theft/watch", "observing"))
        made.desk.notice(finding("client:mallory"))
        await made.until(lambda: len(read(made.database).clients) == 2)
        with made.database.writing() as connection:
            from sqlalchemy import update

            from redan.service.incidents import tables

            connection.execute(update(tables.due).values(after_us=0))
        await made.until(settled(made, "model-theft/watch", "failed"))
        await made.desk.stop()

    asyncio.run(live())
    assert "found again" in read(made.database).entries[-1].text


def test_who_made_another_incident_first_is_contained_all_the_same_and_its_victim_is_not(bench: Make) -> None:
    made = bench("model-theft", level=Severity.MEDIUM)
    access = {"rule": "RDN-OPE-204", "threat": "operation", "subject": "gateway"}

    async def live() -> None:
        await made.desk.start()
        made.desk.notice(finding("client:victim", **access))
        made.desk.notice(finding("client:eve", **access))
        made.desk.notice(finding("client:eve"))
        await made.until(settled(made, "model-theft/slow", "done"))
        await made.desk.stop()

    asyncio.run(live())
    assert made.hands.rates == {"client:eve": 0.01}
    assert read(made.database).clients == ("client:victim", "client:eve")


def test_a_flood_of_findings_is_worked_off_within_the_bound(bench: Make) -> None:
    made = bench("model-theft", most_clients=1000, most_share=1.0)
    clients = [f"client:{i}" for i in range(100)]

    async def live() -> float:
        await made.desk.start()
        began = asyncio.get_running_loop().time()
        for client in clients:
            made.desk.notice(finding(client))
        await made.until(lambda: set(made.hands.rates) == set(clients))
        took_s = asyncio.get_running_loop().time() - began
        await made.until(settled(made, "model-theft/slow", "done"))
        await made.desk.stop()
        return took_s

    assert asyncio.run(live()) < CONTAIN_WITHIN_S
    incident = read(made.database)
    assert incident.clients == tuple(clients)
    # whole portions are ordered together
    assert sum(entry.body.get("status") == "ordered" for entry in incident.entries) < 20
