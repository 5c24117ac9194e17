"""Monitors of theft: the kit's promises, thefts found, ordinary clients left alone, files, and budgets."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import redan
from redan.core import catalogue
from redan.core.errors import CapabilityMissing, EvidenceError, ShapeMismatch, Unreadable, UsageError
from redan.core.finding import Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.monitor import Event
from redan.kernels.attacks.watch import Watch
from redan.kernels.detectors import kept
from redan.kernels.detectors.log import to_line
from redan.kernels.extraction.clone import Pace
from redan.kernels.extraction.stealing import augmented
from redan.kernels.statistics import wilson
from redan.runner.watch import watch
from redan.subjects.detectors.opening import open_detector, save
from redan.subjects.detectors.served import Asked, Served
from redan.testing import MonitorCase, monitor_checks
from redan.testing.promise import Check
from redan.threats.theft.monitors.allowance import Allowance, Point, best_of, budget_for, worth
from redan.threats.theft.monitors.extraction_stream import MOST_QUERIES, ExtractionStream
from redan.threats.theft.monitors.query_budget import QueryBudget

CURVE = (
    Point(queries=100.0, fidelity=0.6, low=0.5, high=0.7, n=100),
    Point(queries=1000.0, fidelity=0.9, low=0.85, high=0.95, n=100),
)


def dataset(x: np.ndarray, y: np.ndarray) -> Dataset:
    return Dataset(x=x, y=y, name="digits", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))


@cache
def digits() -> tuple[Dataset, Dataset, Dataset]:
    """Training rows, rows to calibrate on, and rows for traffic."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return dataset(x[:700], y[:700]), dataset(x[700:1200], y[700:1200]), dataset(x[1200:], y[1200:])


@cache
def model() -> Served:
    """A linear classifier of digits, as a monitor sees it."""
    train = digits()[0]
    net = LogisticRegression(max_iter=200).fit(train.x.reshape(len(train), -1), train.y)

    def answer(x: np.ndarray) -> Any:
        return net.predict_proba(x.reshape(len(x), -1))

    return Served(name="digits-lr", digest="d1" * 32, bounds=(0.0, 1.0), probabilities=answer)


@cache
def detector(kind: type) -> Any:
    if kind is ExtractionStream:
        return ExtractionStream.fitted(digits()[0], digits()[1], model(), Asked(rate=0.02))
    return QueryBudget(
        Allowance(subject=model().name, model=model().digest, distinct=60, queries=200, period_s=1e6, curve=CURVE)
    )


KINDS = (ExtractionStream, QueryBudget)


@cache
def grown(step: float = 0.1) -> np.ndarray:
    """Queries of a theft that grows forty inputs."""
    first = digits()[2].x[:40].reshape(40, -1)

    def ask(x: np.ndarray) -> np.ndarray:
        return model().answers(x.reshape(-1, 1, 8, 8))

    theft = augmented(ask, first, 320, step=step, bounds=(0, 1), pace=Pace(epochs=2), seed=0, watch=Watch())
    return theft.x.reshape(-1, 1, 8, 8)


def events(rows: np.ndarray, client: str = "a", start: float = 0.0, gap: float = 1.0) -> list[Event]:
    return [Event(client=client, time_s=start + gap * i, model=model().digest, x=x) for i, x in enumerate(rows)]


def traffic() -> list[Event]:
    return events(grown()[:240])


def case(kind: type) -> MonitorCase:
    ready = detector(kind)

    def thing() -> Any:
        arrays, about = ready.kept()
        return kind.opened(arrays, about, model())  # type: ignore[attr-defined]  # all kinds have it

    thing.spec, thing.__doc__ = ready.spec, kind.__doc__
    return MonitorCase(thing=thing, make_events=traffic)


def fresh(kind: type) -> Any:
    return case(kind).thing()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
@pytest.mark.parametrize("check", monitor_checks(), ids=str)
def test_every_monitor_keeps_the_kits_promises(check: Check, kind: type) -> None:
    check(case(kind))


def test_every_monitor_of_this_threat_is_tried() -> None:
    assert {e.id for e in catalogue.entries("monitor") if e.threat == "theft"} == {k.spec.id for k in KINDS}  # type: ignore[attr-defined]  # set by the decorator


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_a_theft_is_found_and_ordinary_clients_are_not(kind: type) -> None:
    (finding,) = fresh(kind).observe(traffic())
    assert finding.rule == detector(kind).spec.id
    assert finding.locations[0].address == "a"
    rows, ordinary = digits()[2].x, []
    for i in range(12):
        ordinary += events(rows[45 * i : 45 * i + 55], client=f"c{i}")
    assert list(fresh(kind).observe(ordinary)) == []


def denied(guard: Any, event: Event) -> bool:
    if guard.decide(event).verdict == "deny":
        return True
    list(guard.observe([event]))
    return False


@pytest.mark.parametrize(
    ("name", "most"), [("noise", 50), ("textures", 60), ("growth", 260), ("small growth", 260), ("random signs", 260)]
)
def test_thefts_of_many_kinds_are_denied_soon(name: str, most: int) -> None:
    rng = np.random.default_rng(0)
    signs = [digits()[2].x[:40]]
    for _ in range(3):
        have = np.concatenate(signs)
        signs.append(np.clip(have + 0.08 * rng.choice([-1.0, 1.0], have.shape), 0, 1).astype(np.float32))
    rows = {
        "noise": lambda: rng.random((80, 1, 8, 8)).astype(np.float32),
        "textures": lambda: np.cumsum(rng.random((80, 1, 8, 8)), axis=3).astype(np.float32) / 8,
        "growth": grown,
        "small growth": lambda: grown(0.03),
        "random signs": lambda: np.concatenate(signs),
    }[name]()
    guard = fresh(ExtractionStream)
    at = next((n for n, event in enumerate(events(rows), start=1) if denied(guard, event)), None)
    assert at is not None
    assert 49 <= at <= most


def test_a_thief_with_inputs_of_the_models_kind_is_left_to_the_budget() -> None:
    rows = events(digits()[2].x[:400])
    assert list(fresh(ExtractionStream).observe(rows)) == []
    (finding,) = fresh(QueryBudget).observe(rows)
    assert "different inputs, 60 are allowed" in finding.title


def test_equal_inputs_count_once_and_retries_are_no_growth() -> None:
    same = events(np.repeat(digits()[2].x[:20], 20, axis=0))
    assert list(fresh(ExtractionStream).observe(same)) == []
    (finding,) = fresh(QueryBudget).observe(same)
    assert "400 queries, 200 are allowed" in finding.title
    rng = np.random.default_rng(1)
    pairs = np.repeat(digits()[2].x[:150], 2, axis=0) + rng.normal(0, 0.01, (300, 1, 8, 8))
    assert list(fresh(ExtractionStream).observe(events(pairs.astype(np.float32)))) == []


def test_one_clients_theft_does_not_deny_another_and_old_queries_are_forgotten() -> None:
    guard = fresh(ExtractionStream)
    list(guard.observe(traffic()))
    later = events(digits()[2].x[:1], client="b", start=1e4)[0]
    assert guard.decide(later).verdict == "allow"
    assert guard.decide(replace(later, client="a")).verdict == "deny"
    many = np.concatenate([part.x for part in digits()])[: MOST_QUERIES + 1]
    list(guard.observe(events(many, start=2e4)))
    assert guard.decide(replace(later, client="a", time_s=3e4)).verdict == "allow"


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_a_monitor_comes_back_from_its_file_and_refuses_another_model(kind: type, tmp_path: Path) -> None:
    path = save(detector(kind), tmp_path / "m.npz")
    back = open_detector(path, model())
    assert back.made == detector(kind).made
    assert save(back, tmp_path / "again.npz").read_bytes() == path.read_bytes()
    with pytest.raises(EvidenceError, match="for model"):
        open_detector(path, replace(model(), digest="0" * 64))
    arrays, about = detector(kind).kept()
    for change in ({"rule": "RDN-THE-999"}, {"model": None, "distinct": "x", "limits": 3}):
        path.write_bytes(kept.write(arrays, {**about, **change}))
        with pytest.raises((Unreadable, EvidenceError)):
            open_detector(path, model())


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    arrays, about = detector(ExtractionStream).kept()
    with pytest.raises(Unreadable, match="do not fit"):
        ExtractionStream.opened({**arrays, "usual": arrays["usual"][:3]}, about, model())


def test_what_is_no_input_is_denied_by_the_stream_and_counted_by_the_budget() -> None:
    event = events(digits()[2].x[:1])[0]
    odd: list[Any] = [None, np.zeros(3), np.full((1, 8, 8), np.nan), np.full((1, 8, 8), 1e300), {"a": 1}]
    for x in odd:
        assert "no input" in fresh(ExtractionStream).decide(replace(event, x=x)).reason
        assert fresh(QueryBudget).decide(replace(event, x=x)).verdict == "allow"
    assert list(fresh(ExtractionStream).observe([replace(event, x=x) for x in odd])) == []
    (finding,) = fresh(QueryBudget).observe([replace(event, x=None, time_s=float(i)) for i in range(201)])
    assert finding.quantity("distinct").value == 0


def test_a_log_without_inputs_is_not_called_clean(tmp_path: Path) -> None:
    log, path = tmp_path / "requests.jsonl", save(detector(ExtractionStream), tmp_path / "stream.npz")
    log.write_bytes(b"".join(to_line(replace(event, x=None)) for event in traffic()))
    (ran,) = watch(log, [path]).probes
    assert ran.outcome == "failed"
    assert "kept without theirs" in ran.why


def test_too_few_rows_a_rate_beyond_reach_and_a_dear_monitor_are_refused() -> None:
    train, benign, _ = digits()
    with pytest.raises(UsageError, match="at least 100 rows, got 99"):
        ExtractionStream.fitted(train, benign.rows(np.arange(99)), model(), Asked(rate=0.02))
    with pytest.raises(UsageError, match=r"400 clients together, which can guarantee 0\.00918"):
        ExtractionStream.fitted(train, benign, model(), Asked(rate=0.001))
    with pytest.raises(UsageError, match=r"0\.01 us are allowed"):
        ExtractionStream.fitted(train, benign, model(), Asked(rate=0.02, budget_us=0.01))
    with pytest.raises(ShapeMismatch, match="rows of shape"):
        ExtractionStream.fitted(train, replace(benign, x=benign.x[:, :, :4]), model(), Asked(rate=0.02))


def test_the_guard_says_before_what_the_log_says_after(tmp_path: Path) -> None:
    log, path = tmp_path / "requests.jsonl", save(detector(ExtractionStream), tmp_path / "stream.npz")
    log.write_bytes(b"".join(to_line(event) for event in [*traffic(), *events(digits()[2].x[:60], client="b")]))
    report = watch(log, [path, save(detector(QueryBudget), tmp_path / "budget.npz")])
    assert {(f.rule, f.locations[0].address) for f in report.findings} == {("RDN-THE-201", "a"), ("RDN-THE-202", "a")}


def test_a_budget_comes_from_a_measured_theft_and_says_what_queries_buy() -> None:
    _, benign, whole = digits()
    ready = QueryBudget.prepared(model(), Inputs(test=whole), Asked())
    curve = ready.made.curve
    assert len(curve) == 3
    assert curve[-1].fidelity > 0.7
    assert curve[0].queries <= ready.made.distinct <= curve[-1].queries
    with pytest.raises(UsageError, match="100 test rows"):
        QueryBudget.prepared(model(), Inputs(test=benign.rows(np.arange(50))), Asked())
    with pytest.raises(CapabilityMissing):
        QueryBudget.prepared(replace(model(), probabilities=None), Inputs(test=whole), Asked())


def test_the_knockoff_findings_curve_becomes_a_budget() -> None:
    rest = digits()[2]
    net = LogisticRegression(max_iter=200).fit(digits()[0].x.reshape(700, -1), digits()[0].y)
    subject = redan.subject(net, data=(rest.x.reshape(len(rest), -1), rest.y), bounds=(0, 1))
    report = redan.attack(
        subject, probes=["knockoff"], queries=200, clone_epochs=2, sampling="random", answers="labels"
    )
    made = QueryBudget.fitted(report.findings[0], model(), fidelity=0.9).made
    assert made.distinct <= 200
    assert made.curve[-1].queries == 200
    bare = replace(report.findings[0], series=())
    with pytest.raises(UsageError, match="no curve"):
        QueryBudget.fitted(bare, model())


def test_what_queries_are_worth_lies_between_measured_copies() -> None:
    between = worth(CURVE, 316.2278)
    assert between is not None
    assert between.value == pytest.approx(0.75, abs=1e-4)
    assert not between.partial
    beyond, before = worth(CURVE, 5000), worth(CURVE, 3)
    assert beyond is not None
    assert beyond.partial
    assert beyond.value == 0.9
    assert before is not None
    assert before.value == 0.6
    assert worth((), 10) is None
    assert budget_for(CURVE, 0.825) == 316
    assert budget_for(CURVE, 0.6) == 100
    assert budget_for(CURVE, 0.99) == 1000
    with pytest.raises(UsageError):
        budget_for((), 0.5)
    worse = replace(CURVE[0], queries=2000.0)
    assert [point.fidelity for point in best_of([worse, *CURVE])] == [0.6, 0.9, 0.9]


def test_severity_is_that_of_the_copy_and_a_new_period_starts_anew() -> None:
    monitor = fresh(QueryBudget)
    (finding,) = monitor.observe(events(digits()[2].x[:200], gap=600.0))
    assert finding.severity == Severity.LOW
    assert finding.quantity("fidelity").value == pytest.approx(0.69, abs=0.01)
    assert finding.quantity("distinct").low <= 200 <= finding.quantity("distinct").high
    later = events(digits()[2].x[:30], start=1e6)
    assert list(monitor.observe(later)) == []
    assert monitor.decide(later[0]).verdict == "allow"
    assert list(monitor.observe(events(digits()[2].x[:200], client="a"))) == [], "what comes late is of a past period"


def test_a_whole_budget_within_an_hour_is_a_storm() -> None:
    x = digits()[2].x
    monitor = fresh(QueryBudget)
    (finding,) = monitor.observe(events(x[:61]))
    assert finding.severity == Severity.MEDIUM
    assert finding.title.endswith("61 different inputs, 60 are allowed; 61 within an hour")
    # at two replicas, across the turn of an hour, and whatever came late
    first, other = fresh(QueryBudget), fresh(QueryBudget)
    assert list(first.observe(events(x[:40], start=3560.0))) == []
    assert list(other.observe(events(x[40:55], start=3650.0))) == []
    whole = other.merge(first)
    found = list(whole.observe([*events(x[55:71], start=3700.0), *events(x[200:230], start=100.0)]))
    assert [f.severity for f in found] == [Severity.LOW]
    (finding,) = whole.observe(events(x[71:101], start=3800.0))
    assert finding.severity == Severity.MEDIUM
    assert finding.title.endswith("131 different inputs, 60 are allowed; 61 within an hour")
    (finding,) = whole.observe(events(x[101:102], start=7300.0))
    assert finding.severity == Severity.LOW
    # the same asked again and again is no storm
    monitor = fresh(QueryBudget)
    list(monitor.observe(events(x[:70], gap=600.0)))
    (finding,) = monitor.observe(events(np.concatenate([x[:50]] * 4), start=50_000.0))
    assert finding.severity == Severity.LOW


def test_busy_ordinary_clients_are_beyond_their_budget_and_no_storm() -> None:
    """300 of them for eleven days: by the hour of a working day, or a day's rows at once every night."""
    rng, days, x = np.random.default_rng(0), 11, np.concatenate([part.x for part in digits()])
    storms, beyond = [], 0
    for client in range(300):
        total = int(rng.integers(10, 4 * 60))
        day = np.arange(days) * 86_400.0
        times = np.sort(rng.choice(day, total) + (28_800 * rng.random(total) if client % 2 else rng.random(total)))
        monitor = fresh(QueryBudget)
        asked = events(x[rng.choice(len(x), total, replace=False)], client=str(client))
        found = list(monitor.observe([replace(event, time_s=float(t)) for event, t in zip(asked, times, strict=True)]))
        beyond += bool(found)
        storms += [f for f in found if f.severity > Severity.LOW]
    assert beyond > 150
    low, high = wilson(len(storms), 300)
    assert storms == [], (low, high)
    assert high < 0.013


@pytest.mark.parametrize("change", [{"distinct": 0}, {"queries": 0}, {"period_s": 0.0}, {"curve": CURVE[::-1]}])
def test_an_allowance_that_means_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Allowance(**{"subject": "s", "model": "m", "distinct": 1, **change})
