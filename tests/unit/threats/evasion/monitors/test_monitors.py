"""Monitors keep the kit's promises, decide and find on a real model, and come back from files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from redan.core import catalogue
from redan.core.errors import CapabilityMissing, EvidenceError, RedanError, ShapeMismatch, Unreadable, UsageError
from redan.core.finding import Severity
from redan.core.inputs import Dataset
from redan.core.monitor import Event
from redan.evidence.datasets.schema import ArrayRule, Rule, Schema
from redan.kernels.detectors import kept
from redan.subjects.detectors.opening import open_detector, save
from redan.subjects.detectors.served import Asked, Served, served
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.testing import MonitorCase, monitor_checks
from redan.testing.promise import Check
from redan.threats.evasion.monitors.feature_distance import FeatureDistance
from redan.threats.evasion.monitors.feature_squeezing import FeatureSqueezing
from redan.threats.evasion.monitors.nearest_rows import NearestRows
from redan.threats.evasion.monitors.query_sequence import QuerySequence
from redan.threats.evasion.monitors.tally import INTERVAL_S, MOST_INTERVALS, Tally
from redan.threats.evasion.monitors.validity import Validity, broken_rules

ASKED = Asked(rate=0.05)


def dataset(x: np.ndarray, y: np.ndarray) -> Dataset:
    return Dataset(x=x, y=y, name="digits", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))


@cache
def digits() -> tuple[Dataset, Dataset, Dataset]:
    """Training rows, rows to calibrate on, and rows for traffic."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return dataset(x[:800], y[:800]), dataset(x[800:1400], y[800:1400]), dataset(x[1400:], y[1400:])


@cache
def model() -> Served:
    """A small net that learnt digits."""
    train = digits()[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(torch.from_numpy(train.x)), torch.from_numpy(train.y)).backward()
        optimiser.step()
    subject = TorchSubject(net, options=Options(name="digits-net", bounds=(0.0, 1.0)), sample=train.x[:2])
    return served(subject, train.x[:2])


SCHEMA = Schema(rules=(), arrays=(ArrayRule(name="x", dtype="<f4", shape=(1, 8, 8)),))


@cache
def detector(kind: type) -> Any:
    """One of each, calibrated."""
    train, benign, _ = digits()
    if kind in (FeatureDistance, NearestRows):
        return kind.fitted(train, benign, model(), ASKED)
    if kind is Validity:
        return Validity.fitted(SCHEMA, benign, model(), ASKED)
    return kind.fitted(benign, model(), ASKED)


KINDS = (Validity, FeatureDistance, NearestRows, FeatureSqueezing, QuerySequence)


@cache
def disturbed() -> np.ndarray:
    """The images about which the model changes its mind most when they are squeezed."""
    everything = np.concatenate([part.x for part in digits()])
    told = detector(FeatureSqueezing).detector.scores(everything, model().answers)
    return everything[np.argsort(-told)[:30]]


def traffic(n: int = 120, *, odd: bool = True) -> list[Event]:
    """Requests of a client: benign images, and in turn a search, noise out of bounds, and what squeezing disturbs."""
    rows, noise = digits()[2].x, np.random.default_rng(0).random((n, 1, 8, 8)).astype(np.float32)
    torn = disturbed()
    found = []
    for i in range(n):
        near, far = rows[0] + noise[i] * 0.02, noise[i] * 9
        x = (rows[i], near, far, torn[i % 30])[i % 4 if odd else 0]
        found.append(Event(client="a", time_s=10.0 * i, model=model().digest, x=x))
    return found


def case(kind: type) -> MonitorCase:
    ready = detector(kind)

    def thing() -> Any:
        arrays, about = ready.kept()
        return kind.opened(arrays, about, model())  # type: ignore[attr-defined]  # all kinds have it

    thing.spec, thing.__doc__ = ready.spec, kind.__doc__
    return MonitorCase(thing=thing, make_events=traffic)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
@pytest.mark.parametrize("check", monitor_checks(), ids=str)
def test_every_monitor_keeps_the_kits_promises(check: Check, kind: type) -> None:
    check(case(kind))


def test_every_monitor_of_this_threat_is_tried() -> None:
    assert {e.id for e in catalogue.entries("monitor") if e.threat == "evasion"} == {k.spec.id for k in KINDS}  # type: ignore[attr-defined]  # set by the decorator


def fresh(kind: type) -> Any:
    return case(kind).thing()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_odd_traffic_is_found_and_benign_traffic_is_not(kind: type) -> None:
    assert [f.rule for f in fresh(kind).observe(traffic())] == [detector(kind).spec.id]
    rows = digits()[2].x[:300]
    benign = [Event(client=f"c{i % 7}", time_s=float(i), model=model().digest, x=x) for i, x in enumerate(rows)]
    assert list(fresh(kind).observe(benign)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_a_guard_allows_benign_requests_and_denies_what_is_no_input(kind: type) -> None:
    guard = fresh(kind)
    x = digits()[2].x[1]
    event = Event(client="a", time_s=0.0, model=model().digest, x=x)
    assert guard.decide(event).verdict == "allow"
    for odd in (None, np.zeros(3), np.full((1, 8, 8), np.nan), np.full((1, 8, 8), 1e300), {"a": 1}, np.array(["a"])):
        decision = guard.decide(replace(event, x=odd))
        assert decision.verdict == "deny"
        assert detector(kind).spec.name in decision.reason


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_a_detector_comes_back_from_its_file_and_refuses_another_model(kind: type, tmp_path: Path) -> None:
    path = save(detector(kind), tmp_path / "d.npz")
    back = open_detector(path, model())
    assert back.made == detector(kind).made
    assert save(back, tmp_path / "again.npz").read_bytes() == path.read_bytes()
    for event in traffic():
        assert back.decide(event) == fresh(kind).decide(event)
    with pytest.raises(EvidenceError, match="was calibrated for model"):
        open_detector(path, replace(model(), digest="0" * 64, parts=""))


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_a_dear_detector_and_a_rate_that_rows_cannot_promise_are_refused(kind: type) -> None:
    train, benign, _ = digits()
    first = {Validity: (SCHEMA,), FeatureDistance: (train,), NearestRows: (train,)}.get(kind, ())
    make: Callable[..., Any] = kind.fitted  # type: ignore[attr-defined]  # all kinds have it
    with pytest.raises(UsageError, match=r"costs [\d.]+ us of CPU a request on this machine; 0.01 us are allowed"):
        make(*first, benign, model(), Asked(rate=0.05, budget_us=0.01))
    with pytest.raises(UsageError, match="needs 36887 benign rows"):
        make(*first, benign, model(), Asked(rate=0.0001))


def test_events_of_other_models_are_passed_over_and_what_a_guard_measured_is_believed() -> None:
    monitor = fresh(FeatureDistance)
    assert list(monitor.observe([replace(e, model="other") for e in traffic()])) == []
    measured = [replace(e, x=None, suspicion={"RDN-EVA-202": 1e9}) for e in traffic()]
    (finding,) = monitor.observe(measured)
    assert finding.quantities[0].value == 1.0
    assert finding.severity is Severity.HIGH
    assert finding.quantity("calibrated_rate").high <= 0.05


def test_the_search_of_one_client_does_not_deny_another() -> None:
    guard = fresh(QuerySequence)
    list(guard.observe(traffic(odd=False)))
    near = [replace(traffic()[0], time_s=1000.0 + i, client="b", x=digits()[2].x[3] + 0.001 * i) for i in range(40)]
    (finding,) = guard.observe(near)
    assert finding.locations[0].address == "b"
    assert guard.decide(near[0]).verdict == "deny"
    assert guard.decide(replace(near[0], client="a")).verdict == "allow"
    repeated = [replace(near[0], client="c", time_s=float(i)) for i in range(500)]
    assert list(guard.observe(repeated)) == [], "the same input again is no search"


def test_a_file_of_another_kind_or_with_odd_numbers_is_refused(tmp_path: Path) -> None:
    arrays, about = detector(FeatureDistance).kept()
    path = tmp_path / "d.npz"
    for change in ({"rule": "RDN-EVA-999"}, {"calibration": {}}, {"shape": "x"}):
        path.write_bytes(kept.write(arrays, {**about, **change}))
        with pytest.raises(Unreadable, match="is no"):
            open_detector(path, model())
    path.write_bytes(kept.write({}, about))
    with pytest.raises(Unreadable, match="whitening"):
        open_detector(path, model())
    path.write_bytes(kept.write(arrays, about))
    with pytest.raises(ShapeMismatch, match="reads penultimate, and this model shows inputs"):
        open_detector(path, replace(model(), features=None))


def test_what_a_detector_needs_of_the_model_is_asked_for() -> None:
    benign = digits()[1]
    with pytest.raises(CapabilityMissing, match="answers no scores"):
        FeatureSqueezing.fitted(benign, replace(model(), probabilities=None), ASKED)
    with pytest.raises(UsageError, match="bounds"):
        FeatureSqueezing.fitted(benign, replace(model(), bounds=None), ASKED)
    assert FeatureDistance.fitted(digits()[0], benign, replace(model(), features=None), ASKED).made.reads == "inputs"


def test_tables_are_judged_by_the_schema_of_their_training_data() -> None:
    rules = (Rule(name="age", kind="integer", low=0, high=120), Rule(name="pay", kind="number", nullable=True))
    schema = Schema(rules=rules)
    assert broken_rules(schema, None, {"age": 30, "pay": None}) == 0
    assert broken_rules(schema, None, np.array([30.0, np.nan])) == 0
    assert broken_rules(schema, None, np.array([130.5, np.inf])) == 2
    assert broken_rules(schema, None, {"age": 130, "pay": "x", "more": 1}) == 3
    assert broken_rules(schema, None, {str(i): i for i in range(1000)}) == 1000
    assert broken_rules(schema, None, np.zeros(3)) == broken_rules(schema, None, object()) == 1


def test_arrays_are_judged_by_shape_and_bounds() -> None:
    good = np.full((1, 8, 8), 0.5)
    assert broken_rules(SCHEMA, (0.0, 1.0), good) == 0
    assert broken_rules(SCHEMA, (0.0, 1.0), good * 3) == 1
    assert broken_rules(SCHEMA, None, good * 3) == 0
    assert broken_rules(SCHEMA, (0.0, 1.0), good * np.nan) == 2
    assert broken_rules(SCHEMA, None, good * np.inf) == 1
    assert broken_rules(SCHEMA, (0.0, 1.0), good[0]) == 1


@pytest.mark.parametrize(
    ("client", "time_s"), [("x" * 257, 0.0), (None, 0.0), ("a", float("nan")), ("a", float("inf"))]
)
def test_an_event_that_could_not_be_kept_is_refused(client: Any, time_s: float) -> None:
    with pytest.raises(RedanError):
        Event(client=client, time_s=time_s, model="m")


def test_a_tally_forgets_old_intervals_and_adds_up() -> None:
    one = Tally().plus((i * INTERVAL_S, True) for i in range(MOST_INTERVALS + 5))
    assert len(one.counts) == MOST_INTERVALS
    assert min(one.counts) == 5
    both = one.merged(Tally().plus([(6.0 * INTERVAL_S, False)]))
    assert both.counts[6] == (1, 2)
