"""Of several replicas one tells people, unless it cannot; a restart tells nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.service.monitoring.standins import finding
from tests.unit.service.monitoring.test_alerts import Clock, Told, outcomes

from redan.core.finding import Severity
from redan.core.settings_service import Alerts
from redan.evidence.store.database import Database
from redan.service.database import open_database
from redan.service.monitoring.alerts import Alerting
from redan.service.monitoring.channel import Undeliverable
from redan.service.monitoring.claims import KEPT_S, RELIEF_S, Claims, open_claims
from redan.service.monitoring.notice import Notice, notice_of
from redan.service.monitoring.recorder import Counting

NewUrl = Callable[[str], str]
WINDOW_S = 3600.0


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, new_url: NewUrl, tmp_path: Path) -> Iterator[Database]:
    made = open_database(new_url(request.param), root=tmp_path)
    yield made
    made.close()


def notice(severity: Severity = Severity.HIGH, **changes: Any) -> Notice:
    return replace(notice_of(finding(severity), state="open", at_s=0, times=1, replica="r"), **changes)


def test_one_replica_claims_and_another_relieves_it(database: Database) -> None:
    clock = Clock()
    one, two = (Claims(database, name, WINDOW_S, clock) for name in ("one", "two"))
    assert (one.take("mail", notice()), two.take("mail", notice())) == ("mine", "taken")
    assert two.take("webhook", notice()) == "mine"
    assert two.take("mail", notice(Severity.CRITICAL)) == "mine", "worse is another alert"
    assert one.take("mail", notice()) == "mine", "it was ours and was not sent: we died between"
    clock.now_s += RELIEF_S + 1
    assert two.take("mail", notice()) == "mine"
    one.done("mail", notice())
    assert one.take("mail", notice()) == "taken", "whoever was relieved says nothing about the other's"
    two.done("mail", notice())
    assert one.take("mail", notice()) == two.take("mail", notice()) == "sent"
    clock.now_s += WINDOW_S + 1
    assert (one.take("mail", notice()), two.take("mail", notice())) == ("mine", "taken")
    one.release("mail", notice())
    assert two.take("mail", notice()) == "mine", "what one could not send another tries at once"


def test_what_was_resolved_may_open_again_and_a_clock_that_jumps_silences_nobody(database: Database) -> None:
    clock = Clock()
    claims = Claims(database, "one", WINDOW_S, clock)
    for state in ("open", "resolved", "open", "resolved"):
        assert claims.take("mail", notice(state=state)) == "mine"
        claims.done("mail", notice(state=state))
        assert claims.take("mail", notice(state=state)) == "sent"
    clock.now_s -= 2 * WINDOW_S
    assert claims.take("mail", notice(state="resolved")) == "mine"
    clock.now_s += KEPT_S + 3 * WINDOW_S
    assert claims.take("mail", notice(fingerprint="other")) == "mine"


def replicas(
    database: Database, *channels: Told, severities: tuple[Severity, ...] = (Severity.HIGH,)
) -> list[Counting]:
    """Let each channel be that of a replica of its own, and all find the same; return what each counted."""
    countings = [Counting() for _ in channels]

    async def whole() -> None:
        alertings = [
            Alerting(
                Alerts(), [channel], counting, f"r{i}",
                claims=open_claims(Alerts(), database, f"r{i}"), first_wait_s=0.001, relief_s=0.05,
            )
            for i, (channel, counting) in enumerate(zip(channels, countings, strict=True))
        ]  # fmt: skip
        for alerting in alertings:
            await alerting.start()
        for severity in severities:
            for alerting in alertings:
                alerting.notice(finding(severity))
        await asyncio.sleep(0)  # what was noticed comes into the queues
        async with asyncio.timeout(20):
            while any(alerting._later or any(q._unfinished_tasks for q in alerting._queues) for alerting in alertings):
                await asyncio.sleep(0.01)
        for alerting in alertings:
            await alerting.stop()

    asyncio.run(whole())
    return countings


def test_replicas_that_find_the_same_send_it_once_and_a_restart_sends_nothing_again(database: Database) -> None:
    one, two = Told(), Told()
    counted = replicas(database, one, two, severities=(Severity.HIGH, Severity.CRITICAL))
    assert sorted(n.severity.word for n in [*one.notices, *two.notices]) == ["critical", "high"]
    total = [outcomes(each) for each in counted]
    assert sum(each.get(("told", "sent"), 0) for each in total) == 2
    assert sum(each.get(("told", "shared"), 0) for each in total) == 2
    again = Told()
    (counting,) = replicas(database, again)
    assert again.notices == []
    assert outcomes(counting) == {("told", "shared"): 1}


def test_a_replica_that_cannot_send_is_relieved_by_one_that_can(database: Database) -> None:
    deaf, well = Told(errors=[Undeliverable("no such address")] * 10), Told()
    replicas(database, deaf, well)
    assert [n.severity.word for n in well.notices] == ["high"]


def test_while_the_database_is_away_everybody_sends(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE alert_claims")
    one, two = Told(), Told()
    replicas(database, one, two)
    assert len(one.notices) == len(two.notices) == 1
    assert "other replicas may send the same" in capsys.readouterr().err


def test_what_a_playbook_says_is_never_taken_for_the_same(database: Database) -> None:
    told, counting = Told(), Counting()

    async def whole() -> None:
        alerting = Alerting(Alerts(), [told], counting, "r0", claims=open_claims(Alerts(), database, "r0"))
        await alerting.start()
        for text in ("contained", "collected"):
            alerting.send(notice(fingerprint="incident-1", detail=text))
        await alerting.stop()

    asyncio.run(whole())
    assert [n.detail for n in told.notices] == ["contained", "collected"]
