"""Who is told of a finding, when, how often; and that nobody's silence silences another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.service.monitoring.standins import finding

from redan.core.finding import Severity
from redan.core.settings_service import Alerts
from redan.service.findings import Findings
from redan.service.monitoring import alerts
from redan.service.monitoring.alerts import BURST, MOST_KNOWN, MOST_WAITING, TRIES, Alerting
from redan.service.monitoring.channel import Later, Undeliverable
from redan.service.monitoring.notice import Notice
from redan.service.monitoring.recorder import Counting


class Told:
    """A channel that remembers, fails as it is told, and says when it was called."""

    def __init__(self, name: str = "told", errors: list[Exception] | None = None) -> None:
        self.name = name
        self.errors = errors or []
        self.notices: list[Notice] = []
        self.tries = 0
        self.free = threading.Event()
        self.free.set()

    def send(self, notice: Notice) -> None:
        self.free.wait(10)
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        self.notices.append(notice)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def run(
    act: Callable[[Alerting, Findings, Clock], Coroutine[Any, Any, None]], *channels: Told, **changes: Any
) -> Counting:
    """Let alerts run while something is done, and return what was counted."""
    counting, clock, findings = Counting(), Clock(), Findings()
    settings = replace(Alerts(), **changes)
    alerting = Alerting(settings, channels, counting, "here", clock=clock, first_wait_s=0.001)
    findings.listen(alerting.notice)

    async def whole() -> None:
        await alerting.start()
        await act(alerting, findings, clock)
        await alerting.stop()

    asyncio.run(whole())
    return counting


def outcomes(counting: Counting) -> dict[tuple[str, ...], float]:
    return {labels: value for name, labels, value in counting.own() if name == "redan_alerts" and value}


def test_a_finding_that_lasts_is_sent_once_and_again_after_the_repeat_interval() -> None:
    told = Told()

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        for _ in range(5):
            findings.publish(finding())
        clock.now_s += 4 * 3600
        findings.publish(finding())

    counting = run(act, told)
    assert [(n.state, n.times) for n in told.notices] == [("open", 1), ("open", 6)]
    assert outcomes(counting) == {("told", "sent"): 2}


def test_what_is_below_the_level_or_set_aside_is_not_sent_and_what_got_worse_is_at_once() -> None:
    told = Told()

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        findings.publish(finding(Severity.MEDIUM))
        findings.publish(finding(Severity.HIGH, status="suppressed", subject="other"))
        findings.publish(finding(Severity.HIGH))
        findings.publish(finding(Severity.CRITICAL))
        findings.publish(finding(Severity.CRITICAL))

    run(act, told)
    assert [n.severity.word for n in told.notices] == ["high", "critical"]


def test_a_finding_that_is_not_seen_again_or_was_mitigated_is_called_resolved() -> None:
    told = Told()

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        findings.publish(finding())
        findings.publish(finding(subject="second"))
        findings.publish(finding(subject="second", status="mitigated"))
        findings.publish(finding(subject="third", status="mitigated"))
        clock.now_s += 1799
        alerting.sweep()
        assert len(told.notices) <= 3
        clock.now_s += 1
        alerting.sweep()
        alerting.sweep()
        findings.publish(finding())

    run(act, told)
    assert [(n.subject, n.state) for n in told.notices] == [
        ("credit", "open"), ("second", "open"), ("second", "resolved"), ("credit", "resolved"), ("credit", "open"),
    ]  # fmt: skip


def test_one_channel_that_hangs_or_fails_does_not_keep_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    hangs, fails, works = Told("hangs"), Told("fails", [Undeliverable("answered 404")]), Told("works")
    hangs.free.clear()
    done = asyncio.Event()

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        works.send = lambda notice: (Told.send(works, notice), loop.call_soon_threadsafe(done.set))  # type: ignore[method-assign]
        loop = asyncio.get_running_loop()
        findings.publish(finding())
        await asyncio.wait_for(done.wait(), 5)
        hangs.free.set()

    counting = run(act, hangs, fails, works)
    assert outcomes(counting) == {("hangs", "sent"): 1, ("fails", "failed"): 1, ("works", "sent"): 1}
    assert "alerts by fails: answered 404" in capsys.readouterr().err


def test_a_receiver_that_is_away_is_tried_again_and_in_the_end_given_up() -> None:
    back, away = Told("back", [Later("no answer"), Later("answered 503")]), Told("away", [Later("no")] * 99)

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        findings.publish(finding())

    counting = run(act, back, away)
    assert (back.tries, away.tries) == (3, TRIES)
    assert outcomes(counting)["back", "sent"] == 1
    assert outcomes(counting)["away", "failed"] == 1


def test_a_mistake_in_a_channel_is_counted_and_the_next_notice_is_sent() -> None:
    told = Told("told", [ZeroDivisionError()])

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        findings.publish(finding())
        findings.publish(finding(subject="second"))

    assert outcomes(run(act, told)) == {("told", "failed"): 1, ("told", "sent"): 1}
    assert [n.subject for n in told.notices] == ["second"]


def test_a_flood_of_one_severity_is_limited_counted_and_hides_no_other() -> None:
    told = Told()

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        for n in range(3 * BURST):
            findings.publish(finding(subject=f"client {n}"))
        findings.publish(finding(Severity.CRITICAL, subject="great"))

    counting = run(act, told)
    assert len(told.notices) == BURST + 1
    assert told.notices[-1].subject == "great"
    assert outcomes(counting)["all", "limited"] == 2 * BURST


def test_queue_and_memory_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "BURST", 10**6)
    monkeypatch.setattr(alerts, "STOP_S", 0.05)
    told = Told()
    told.free.clear()

    async def act(alerting: Alerting, findings: Findings, clock: Clock) -> None:
        for n in range(MOST_KNOWN + 10):
            findings.publish(finding(subject=f"client {n}"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = [value for _, _, value in alerting.readings()]
        assert waiting[0] <= MOST_WAITING
        asyncio.get_running_loop().call_later(0.1, told.free.set)

    counted = outcomes(run(act, told))
    assert counted["all", "forgotten"] == 10
    assert counted["told", "dropped"] >= MOST_KNOWN - MOST_WAITING


def test_what_is_found_before_alerts_run_is_sent_when_they_do() -> None:
    told, counting = Told(), Counting()
    alerting = Alerting(Alerts(), [told], counting, "here")
    alerting.notice(finding())

    async def whole() -> None:
        await alerting.start()
        await alerting.stop()

    asyncio.run(whole())
    assert [n.subject for n in told.notices] == ["credit"]
