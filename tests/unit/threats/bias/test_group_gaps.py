"""The monitor of groups: no false findings on fair streams, few events until an unfair one is told, replicas add up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.core.finding import Severity
from redan.core.monitor import Event
from redan.kernels.detectors import kept
from redan.kernels.detectors.log import to_line
from redan.kernels.fairness.stream import log_evidence
from redan.runner.watch import watch
from redan.testing import MonitorCase, monitor_checks
from redan.testing.promise import Check
from redan.threats.bias.monitors.group_gaps import GroupGaps
from redan.threats.bias.monitors.watched import Watched

GROUPS = {"sex": ("f", "m")}
FAIR_STREAMS, LOOKS = 300, 40


def made(**more: Any) -> Watched:
    return Watched(**{"subject": "loans", "model": "d1", "columns": GROUPS, **more})


def stream(seed: int, n: int, *, tpr: tuple[float, float]) -> Iterator[list[Event]]:
    """Events of two groups in batches of 50; every third request comes with its truth, half of them at once."""
    rng = np.random.default_rng(seed)
    late: list[Event] = []
    for start in range(0, n, 50):
        batch, late = late, []
        for i in range(50):
            group = int(rng.random() < 0.4)
            truth = int(rng.random() < 0.5)
            label = int(rng.random() < (tpr[group] if truth else 0.2))
            told = rng.random() < 0.7
            event = {"client": "c", "time_s": float(start + i), "model": "d1", "label": label}
            groups = {"sex": GROUPS["sex"][group]}
            batch.append(Event(**event, groups=groups))
            if told:
                late.append(Event(**event, groups=groups, truth=truth))
        yield batch


def first_finding(monitor: GroupGaps, batches: Iterator[list[Event]]) -> int | None:
    for number, batch in enumerate(batches, start=1):
        if list(monitor.observe(batch)):
            return number * 50
    return None


def test_fair_streams_raise_at_most_one_finding_in_twenty() -> None:
    # counts as the monitor keeps them, nothing allowed, which is the hardest case; whole monitors: benchmarks
    rng = np.random.default_rng(0)
    asked = np.log(made().n_tests / made().level)
    alarms = 0
    for _ in range(FAIR_STREAMS):
        seen = rng.binomial(20, 0.7, size=(3, 2, LOOKS)).cumsum(axis=2)
        alarms += any(
            log_evidence((int(one), 20 * look), (int(two), 20 * look), 0.0) >= asked
            for rate in seen
            for look, (one, two) in enumerate(rate.T, start=1)
        )
    assert alarms <= 0.05 * FAIR_STREAMS


def test_an_unfair_stream_is_told_soon_and_a_fair_one_is_not() -> None:
    assert first_finding(GroupGaps(made(allowed=0.0)), stream(1, 1500, tpr=(0.7, 0.7))) is None
    delays = [first_finding(GroupGaps(made()), stream(i, 2500, tpr=(0.8, 0.5))) for i in range(9)]
    assert None not in delays
    assert np.median([delay for delay in delays if delay]) <= 1000


def test_evidence_is_the_ratio_that_it_says() -> None:
    for first, second, allowed in (((40, 50), (20, 60), 0.1), ((3, 40), (30, 40), 0.05), ((0, 30), (30, 30), 0.2)):
        a, b = (second, first) if first[0] / first[1] < second[0] / second[1] else (first, second)

        def loss(q: float, a: tuple[int, int] = a, b: tuple[int, int] = b, allowed: float = allowed) -> float:
            terms = ((a, min(q + allowed, 1 - 1e-12)), (b, max(q, 1e-12)))
            return -sum(h * np.log(r) + (n - h) * np.log(1 - r) for (h, n), r in terms)

        best = -optimize.minimize_scalar(loss, bounds=(0, 1 - allowed), method="bounded", options={"xatol": 1e-12}).fun
        mixed = sum(float(np.log(optimize_integral(h, n))) for h, n in (first, second))
        assert log_evidence(first, second, allowed) == pytest.approx(mixed - best, abs=1e-5)
    assert log_evidence((50, 100), (52, 100), 0.05) < 0
    assert log_evidence((0, 0), (5, 10), 0.0) == 0


def optimize_integral(cases: int, n: int) -> float:
    from scipy.special import beta

    return float(beta(cases + 0.5, n - cases + 0.5) / np.pi)


def test_evidence_is_on_average_at_most_one_where_rates_are_the_same() -> None:
    rng = np.random.default_rng(0)
    n = 30
    weights = [np.exp(log_evidence((int(a), n), (int(b), n), 0.0)) for a, b in rng.binomial(n, 0.3, size=(4000, 2))]
    assert np.mean(weights) <= 1.05


def events(n: int) -> list[Event]:
    return [event for batch in stream(7, n, tpr=(0.95, 0.2)) for event in batch]


def thing() -> GroupGaps:
    return GroupGaps(made())


thing.spec, thing.__doc__ = GroupGaps.spec, GroupGaps.__doc__  # type: ignore[attr-defined]  # as the kit reads a class


@pytest.mark.parametrize("check", monitor_checks(), ids=str)
def test_it_keeps_the_kits_promises(check: Check) -> None:
    check(MonitorCase(thing=thing, make_events=lambda: events(600)))


def test_a_finding_names_groups_rate_and_numbers() -> None:
    monitor = thing()
    list(monitor.observe(events(1500)))
    found = {f.locations[0].address: f for f in monitor.observe([])}
    finding = found["sex: tpr"]
    assert "f lies" in finding.title
    assert finding.severity >= Severity.HIGH
    assert finding.quantities[0].low > 0.6
    assert "sex: fpr" not in found


def test_strangers_other_models_and_unknown_groups_count_nothing() -> None:
    monitor = thing()
    odd = [
        Event(client="c", time_s=0.0, model="other", label=1, groups={"sex": "f"}),
        Event(client="c", time_s=0.0, model="d1", label=1, groups={"sex": "x"}),
        Event(client="c", time_s=0.0, model="d1", groups={"sex": "f"}),
        Event(client="c", time_s=0.0, model="d1", label=1),
    ]
    assert list(monitor.observe(odd * 500)) == []


def test_it_goes_through_a_file_and_redan_watch(tmp_path: Path) -> None:
    (tmp_path / "gaps.detector").write_bytes(kept.write(*thing().kept()))
    (tmp_path / "log.jsonl").write_bytes(b"".join(to_line(event) for event in events(1500)))
    report = watch(tmp_path / "log.jsonl", [tmp_path / "gaps.detector"])
    assert {f.rule for f in report.findings} == {"RDN-BIA-201"}
    assert report.gate.exit_code == 1


def test_a_broken_file_and_another_model_are_refused() -> None:
    spec = GroupGaps.spec
    about = made().about(spec)
    with pytest.raises(EvidenceError):
        Watched.restored(about, spec, "d2")
    for broken in ({**about, "rule": "RDN-EVA-201"}, {**about, "columns": 3}, {**about, "level": 7}, {}):
        with pytest.raises(Unreadable):
            Watched.restored(broken, spec, "d1")
    with pytest.raises(UsageError):
        made(columns={"sex": ("f",)})
