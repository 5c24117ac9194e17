"""Callers whom nobody knows: their denials are recorded or summed, none is lost, and they cannot fill the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.served import settings_for

from redan.core.settings_service import Audit
from redan.evidence.log import LogReader
from redan.service.audit.act import Act, decode
from redan.service.audit.places import log_folder
from redan.service.audit.recorder import open_auditor
from redan.service.audit.strangers import BURST_S, MOST_NAMED, MOST_NETWORKS, SUM_EVERY_S, Strangers


def denial(addr: str, who: str = "-") -> Act:
    return Act(t_us=1, who=who, act="predict", ok=False, why="unauthenticated", addr=addr)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def counted(strangers: Strangers) -> int:
    total = 0
    for act in strangers.sums(now=True):
        assert act.more is not None
        total += int(str(act.more["denials"]))
    return total


def test_a_flood_is_bounded_and_every_denial_is_in_a_record_or_in_a_sum() -> None:
    clock = Clock()
    strangers = Strangers(2.0, clock)
    kept = sum(len(strangers.sorted_out([denial("192.0.2.1")])) for _ in range(10_000))
    assert 2 * BURST_S <= kept <= 2 * BURST_S + 2
    assert kept + counted(strangers) == 10_000
    clock.now_s += 10
    assert len(strangers.sorted_out([denial("192.0.2.1")] * 100)) in (20, 21)


def test_another_network_keeps_its_own_allowance() -> None:
    strangers = Strangers(2.0, Clock())
    strangers.sorted_out([denial("2001:db8::1")] * 5000)
    assert len(strangers.sorted_out([denial("2001:db8::2")])) == 0  # the same /64
    assert len(strangers.sorted_out([denial("2001:db8:1::1")])) == 1


def test_many_networks_together_are_bounded_too() -> None:
    strangers = Strangers(2.0, Clock())
    acts = [denial(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}") for i in range(3 * MOST_NETWORKS)]
    kept = len(strangers.sorted_out(acts))
    assert kept <= 20 * BURST_S + 2
    sums = list(strangers.sums(now=True))
    assert len(sums) <= MOST_NAMED + 1
    assert kept + sum(int(str((act.more or {})["denials"])) for act in sums) == len(acts)


def test_whoever_is_known_and_whatever_is_allowed_is_never_summed() -> None:
    strangers = Strangers(1.0, Clock())
    known = [denial("192.0.2.1", who="client:shop")] * 500
    assert list(strangers.sorted_out(known)) == known
    allowed = [Act(t_us=1, who="-", act="login", addr="192.0.2.1")] * 500
    assert list(strangers.sorted_out(allowed)) == allowed
    assert len(Strangers(0.0).sorted_out([denial("192.0.2.1")] * 500)) == 500


def test_sums_come_every_ten_seconds() -> None:
    clock = Clock()
    strangers = Strangers(1.0, clock)
    strangers.sorted_out([denial("192.0.2.1")] * 100)
    assert len(list(strangers.sums())) == 1
    strangers.sorted_out([denial("192.0.2.1")] * 100)
    assert not list(strangers.sums())
    clock.now_s += SUM_EVERY_S
    assert len(list(strangers.sums())) == 1


def test_the_log_holds_the_sum_after_the_end(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, audit=Audit(key="audit.key", strangers_per_s=1.0))

    async def main() -> None:
        auditor = open_auditor(settings, tmp_path, "r1")
        await auditor.start()
        for _ in range(200):
            waiting = auditor.commit([denial("192.0.2.1")])
            if waiting is not None:
                await waiting
        await auditor.stop()

    asyncio.run(main())
    acts = [decode(entry) for entry in LogReader(log_folder(settings, tmp_path, "r1")).entries()]
    single = [act for act in acts if act.why == "unauthenticated"]
    sums = [act for act in acts if act.why == "many"]
    assert len(single) <= BURST_S + 5
    assert len(single) + sum(int(str((act.more or {})["denials"])) for act in sums) == 200
    assert {act.addr for act in sums} == {"192.0.2.1"}
