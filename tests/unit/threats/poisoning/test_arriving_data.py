"""Arriving rows: benign sources are left alone, poisoning ones are named."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from redan.core.errors import EvidenceError, ShapeMismatch, UsageError
from redan.core.inputs import Dataset
from redan.core.monitor import Event
from redan.kernels.poisons.planting import Poisoned, badnets, label_flips
from redan.subjects.detectors.opening import open_detector, save
from redan.subjects.detectors.served import Served
from redan.testing import MonitorCase, monitor_checks
from redan.testing.promise import Check
from redan.threats.poisoning.monitors.arriving_data import ArrivingData

X, Y = load_digits(return_X_y=True)
X = (X / 16).reshape(-1, 1, 8, 8)


def data(part: slice) -> Dataset:
    return Dataset(x=X[part], y=Y[part], name="digits", sha256="", indices=np.arange(len(X))[part])


@cache
def fitted() -> ArrivingData:
    return ArrivingData.fitted(data(slice(0, 600)), data(slice(600, 1200)))


def fresh() -> ArrivingData:
    return ArrivingData(fitted().trusted, fitted().made)


def events(x: Any, y: Any, source: str, hour: int = 0) -> list[Event]:
    return [
        Event(client="c", time_s=3600.0 * hour + i, model="", x=row, label=int(label), source=source)
        for i, (row, label) in enumerate(zip(x, y, strict=True))
    ]


def drawn(seed: int, n: int, classes: Sequence[int] = range(10)) -> tuple[Any, Any]:
    """Rows that neither side of the calibration has seen, some of them repeated."""
    allowed = np.flatnonzero(np.isin(Y[1200:], list(classes))) + 1200
    rows = np.random.default_rng(seed).choice(allowed, n)
    return X[rows], Y[rows]


def last(monitor: ArrivingData, batch: Sequence[Event]) -> dict[tuple[str, Any], float]:
    return {(f.locations[0].uri, f.params["kind"]): f.quantities[0].value for f in monitor.observe(batch)}


def test_a_source_that_flips_labels_is_named_and_no_other() -> None:
    monitor = fresh()
    x, y = drawn(1, 300)
    poisoned = label_flips(x, y, 0.4, 1)
    last(monitor, events(*drawn(2, 300), "good"))
    found = last(monitor, events(poisoned.x, poisoned.y, "bad"))
    assert ("source bad", "label") in found
    assert {source for source, _ in found} == {"source bad"}
    assert found[("source bad", "label")] > 0.2


def test_a_source_that_plants_a_patch_is_named() -> None:
    monitor = fresh()
    x, y = drawn(3, 300)
    poisoned: Poisoned = badnets(x, y, 0.3, 1, side=2)
    assert any(source == "source bad" for source, _ in last(monitor, events(poisoned.x, poisoned.y, "bad")))


def test_a_source_that_turns_bad_after_a_day_is_named() -> None:
    monitor = fresh()
    for hour in range(24):
        assert not last(monitor, events(*drawn(hour, 60), "slow", hour))
    poisoned = label_flips(*drawn(50, 120), 0.5, 1)
    assert ("source slow", "label") in last(monitor, events(poisoned.x, poisoned.y, "slow", 25))


def test_a_source_of_one_class_is_no_finding() -> None:
    monitor = fresh()
    for label in range(10):
        assert not last(monitor, events(*drawn(label, 150, [label]), f"only {label}"))


@pytest.mark.slow
def test_two_hundred_benign_streams_raise_no_finding() -> None:
    alarms = 0
    for seed in range(200):
        monitor = fresh()
        classes = np.random.default_rng(seed).choice(10, 1 + seed % 10, replace=False).tolist()
        found = [last(monitor, events(*drawn(1000 + 10 * seed + h, 100, classes), f"s{h % 2}", h)) for h in range(6)]
        alarms += any(found)
    assert alarms <= 2


def test_what_is_no_row_is_passed_over() -> None:
    x, y = drawn(0, 3)
    whole = events(x, y, "s")
    odd = [
        Event(client="c", time_s=0.0, model="", x=x[0], label=3),
        Event(client="c", time_s=0.0, model="", x=x[0], label=99, source="s"),
        Event(client="c", time_s=0.0, model="", x=x[0] * np.nan, label=3, source="s"),
        Event(client="c", time_s=0.0, model="", x=x[0, 0, :4], label=3, source="s"),
        Event(client="c", time_s=0.0, model="", label=3, source="s"),
    ]
    monitor = fresh()
    list(monitor.observe([*odd, *whole]))
    assert sum(n for n, _, _ in monitor._counts.counts.values()) == 3


def test_too_few_trusted_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="rarest class"):
        ArrivingData.fitted(data(slice(0, 50)), data(slice(50, 100)))


def test_nan_among_trusted_rows_is_refused() -> None:
    broken = data(slice(0, 600))
    broken.x[0] = np.nan
    try:
        with pytest.raises(ShapeMismatch):
            ArrivingData.fitted(broken, data(slice(600, 1200)))
    finally:
        broken.x[0] = 0


def poisoned_events() -> list[Event]:
    made = label_flips(*drawn(1, 90), 0.6, 1)
    return [*events(made.x, made.y, "bad"), *events(*drawn(2, 60), "good")]


class Monitored:
    """Makes the fitted monitor without arguments, and shows what the kit reads from the class."""

    __name__ = "ArrivingData"
    __doc__ = ArrivingData.__doc__
    spec = ArrivingData.spec

    def __call__(self) -> ArrivingData:
        return fresh()


@pytest.mark.parametrize("check", monitor_checks(), ids=str)
def test_it_keeps_the_promises_of_a_monitor(check: Check) -> None:
    check(MonitorCase(thing=Monitored(), make_events=poisoned_events))


def test_a_monitor_survives_its_file_and_stands_before_one_model(tmp_path: Path) -> None:
    ready = ArrivingData.fitted(data(slice(0, 600)), data(slice(600, 1200)), "net", "a" * 64)
    path = save(ready, tmp_path / "arriving.npz")
    again = open_detector(path, Served(name="net", digest="a" * 64))
    x, y = drawn(1, 300)
    batch = events(x, label_flips(x, y, 0.4, 1).y, "bad")
    assert last(again, batch) == last(ready, batch)
    with pytest.raises(EvidenceError, match="made for model"):
        open_detector(path, Served(name="other", digest="b" * 64))
