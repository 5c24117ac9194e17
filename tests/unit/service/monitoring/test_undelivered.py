"""What is not delivered yet outlives the process, and comes at least once, under one identifier."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.service.monitoring.standins import finding
from tests.unit.service.monitoring.test_alerts import Told, outcomes

from redan.core.settings_service import Alerts
from redan.service.monitoring import alerts, undelivered
from redan.service.monitoring.alerts import TRIES, Alerting
from redan.service.monitoring.channel import Later, Undeliverable
from redan.service.monitoring.notice import Notice
from redan.service.monitoring.recorder import Counting
from redan.service.monitoring.undelivered import Undelivered


async def alerting_of(folder: Path, *channels: Told, again_s: float = 300.0) -> tuple[Alerting, Counting]:
    counting, files = Counting(), Undelivered(folder)
    made = Alerting(Alerts(), channels, counting, "here", first_wait_s=0.001, undelivered=files, again_s=again_s)
    await made.start()
    return made, counting


async def sent(told: Told, count: int) -> None:
    async with asyncio.timeout(10):
        while len(told.notices) < count:
            await asyncio.sleep(0.005)


def test_what_waits_at_a_stop_is_sent_after_the_next_start_to_those_who_lack_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "STOP_S", 0.2)
    hangs, works, again = Told("hangs"), Told("works"), Told("hangs")
    hangs.free.clear()

    async def first() -> Counting:
        alerting, counting = await alerting_of(tmp_path, hangs, works)
        for n in range(3):
            alerting.notice(finding(subject=f"model {n}"))
        await sent(works, 3)
        await alerting.stop()
        return counting

    async def second() -> None:
        alerting, _ = await alerting_of(tmp_path, again, works)
        await sent(again, 3)
        await alerting.stop()

    counted = outcomes(asyncio.run(first()))
    assert counted == {("works", "sent"): 3, ("hangs", "kept"): 2}, "one is under way, two wait"
    wanted = list(works.notices)
    asyncio.run(second())
    hangs.free.set()
    assert again.notices == wanted
    assert [n.id for n in again.notices] == [n.id for n in wanted]
    assert works.notices == wanted, "who has it is not told twice"
    assert list(tmp_path.iterdir()) == []


def test_a_receiver_that_is_away_for_longer_than_all_tries_gets_it_when_it_is_back(tmp_path: Path) -> None:
    away, never = Told("away", [Later("no answer")] * 2 * TRIES), Told("never", [Undeliverable("answered 404")])

    async def whole() -> Counting:
        alerting, counting = await alerting_of(tmp_path, away, never, again_s=0.01)
        alerting.notice(finding())
        await sent(away, 1)
        await alerting.stop()
        return counting

    counted = outcomes(asyncio.run(whole()))
    assert away.tries == 2 * TRIES + 1
    assert (counted["away", "failed"], counted["away", "sent"], counted["never", "failed"]) == (2, 1, 1)
    assert never.tries == 1
    assert list(tmp_path.iterdir()) == []


def test_an_old_alert_is_given_up_when_its_receiver_is_away(tmp_path: Path) -> None:
    away = Told("away", [Later("no answer")] * 99)

    async def whole() -> None:
        alerting, _ = await alerting_of(tmp_path, away, again_s=0.001)
        alerting.send(notice())
        async with asyncio.timeout(10):
            while away.tries < TRIES:
                await asyncio.sleep(0.005)
        await alerting.stop()

    asyncio.run(whole())
    assert away.tries == TRIES
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_holds_no_alert_and_a_channel_that_is_gone_stop_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1.alert").write_bytes(b"{")
    (tmp_path / "2.alert").write_bytes(b"x" * (1 << 20))
    (tmp_path / "3.alert").mkdir()
    told = Told()

    async def whole() -> None:
        files = Undelivered(tmp_path)
        files.put(undelivered.Kept(channel="pigeon", shared=False, notice=notice()))
        files.put(undelivered.Kept(channel="told", shared=False, notice=notice()))
        files.settle()
        files.end()
        alerting, _ = await alerting_of(tmp_path, told)
        await sent(told, 1)
        await alerting.stop()

    asyncio.run(whole())
    assert told.notices == [notice()]
    assert {path.name for path in tmp_path.iterdir()} <= {"3.alert"}
    assert "holds no alert and is removed" in capsys.readouterr().err


def test_files_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undelivered, "MOST_FILES", 5)
    files = Undelivered(tmp_path)
    for n in range(9):
        files.put(undelivered.Kept(channel=f"c{n}", shared=False, notice=notice()))
    files.settle()
    assert len(files.all()) == 5
    files.end()


def test_a_disk_that_takes_nothing_keeps_no_alert_from_being_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    told = Told()

    async def whole() -> Counting:
        alerting, counting = await alerting_of(tmp_path / "file" / "alerts", told)
        alerting.notice(finding())
        await alerting.stop()
        return counting

    assert outcomes(asyncio.run(whole())) == {("told", "sent"): 1}
    assert "alerts are not kept over a crash now" in capsys.readouterr().err


def notice() -> Notice:
    return alerts.notice_of(finding(), state="open", at_s=1.5, times=1, replica="here")
