"""Monitors of drift and accuracy: quiet on streams like the reference, loud on planted changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from redan.core.errors import EvidenceError, ShapeMismatch, Unreadable, UsageError
from redan.core.finding import Finding, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.monitor import Event
from redan.evidence.datasets.schema import infer
from redan.evidence.datasets.table import Column, Table
from redan.subjects.detectors.opening import open_detector, save
from redan.subjects.detectors.served import Asked, Served
from redan.testing.monitors import check_monitor
from redan.threats.operation.askers import MOST_CLIENTS
from redan.threats.operation.drifting import LEAST_INDEX
from redan.threats.operation.monitors.accuracy_drop import Accuracy, AccuracyDrop
from redan.threats.operation.monitors.answer_drift import AnswerDrift
from redan.threats.operation.monitors.input_drift import InputDrift
from redan.threats.operation.watching import Operation

MODEL = "ab" * 32
D = 5


def rows(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(n, D))
    drawn[:, 2] += shift
    drawn[:, 4] = np.round(np.abs(drawn[:, 4]))
    return drawn


REFERENCE = rows(3000, 0)


class Inputs_(InputDrift):  # the kit makes monitors without arguments
    __doc__ = InputDrift.__doc__

    def __init__(self) -> None:
        made = InputDrift.fitted(REFERENCE, "net", MODEL)
        super().__init__(made.made, made.shape)


class Answers_(AnswerDrift):  # as above
    __doc__ = AnswerDrift.__doc__

    def __init__(self) -> None:
        labels = np.random.default_rng(0).integers(0, 3, 2000)
        super().__init__(AnswerDrift.fitted(labels, None, "net", MODEL).made)


class Accuracy_(AccuracyDrop):  # as above
    __doc__ = AccuracyDrop.__doc__

    def __init__(self, made: Any = None, counted: Any = None) -> None:
        super().__init__(made or Accuracy(subject="net", model=MODEL, right=950, n=1000), counted)


def events(x: np.ndarray, start_s: float = 1e9, step_s: float = 1.0, **more: Any) -> list[Event]:
    return [Event(client="c", time_s=start_s + i * step_s, model=MODEL, x=row, **more) for i, row in enumerate(x)]


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (Inputs_, lambda: events(rows(3000, 1, 2.0))),
        (Answers_, lambda: events(rows(1500, 1), label=2)),
        (Accuracy_, lambda: events(rows(900, 1), label=1, truth=0)),
    ],
)
def test_each_keeps_what_every_monitor_promises(kind: Any, make: Any) -> None:
    check_monitor(kind, make)


def told(monitor: Any, stream: Sequence[Event], batch: int = 256) -> list[Finding]:
    found: list[Finding] = []
    for i in range(0, len(stream), batch):
        found += list(monitor.observe(stream[i : i + batch]))
    return found


def test_a_stream_like_the_reference_raises_nothing_over_many_looks() -> None:
    false = 0
    for seed in range(20):
        made = InputDrift.fitted(rows(1000, 1000 + seed), "net", MODEL)
        stream = rows(6000, 2000 + seed)
        for i in range(0, len(stream), 500):
            made.count_rows(stream[i : i + 500], 1e9 + i)
            false += bool(list(made.findings()))
    assert false == 0


def test_a_moved_column_is_found_after_a_quiet_time_and_named() -> None:
    made = InputDrift.fitted(REFERENCE, "net", MODEL, columns=("a", "b", "c", "d", "e"))
    assert told(made, events(rows(4000, 1))) == []
    found = told(made, events(rows(2000, 2, 0.7), start_s=1e9 + 4000))
    assert found
    last = found[-1]
    assert "c most" in last.title
    assert last.quantities[0].low > LEAST_INDEX
    assert last.severity >= Severity.MEDIUM
    assert [row[0] for row in last.tables[0].rows] == ["c"]
    assert len({each.fingerprint for each in found}) == 1


def test_a_change_too_small_to_matter_is_not_told_however_certain() -> None:
    made = InputDrift.fitted(REFERENCE, "net", MODEL)
    for i in range(40):
        made.count_rows(rows(2000, 10 + i, 0.1), 1e9 + 300 * i)
    assert list(made.findings()) == []


def test_missing_values_and_tables_by_name_are_counted() -> None:
    made = InputDrift.fitted(REFERENCE, "net", MODEL, columns=("a", "b", "c", "d", "e"))
    cells = [dict(zip("abcde", row, strict=True)) | {"b": None} for row in rows(800, 3).tolist()]
    stream = [Event(client="c", time_s=1e9 + i, model=MODEL, x=row) for i, row in enumerate(cells)]
    assert "b most" in told(made, stream)[-1].title
    odd = [Event(client="c", time_s=1e9, model=MODEL, x=x) for x in ({"a": "text"}, np.zeros(3), np.array(["q"]), None)]
    assert told(InputDrift.fitted(REFERENCE, "net", MODEL), odd) == []


def test_pictures_are_looked_at_along_few_directions() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(10, 12 * 12))
    usual = (rng.normal(size=(600, 10)) @ base).reshape(-1, 12, 12).astype(np.float32)
    made = InputDrift.fitted(usual[:300], "net", MODEL)
    assert len(made.made.profile.names) == 8
    made.count_rows(usual[300:], 1e9)
    assert list(made.findings()) == []
    made.count_rows(usual + 5, 1e9 + 600)
    assert list(made.findings())


def test_answers_that_change_are_found_with_and_without_scores() -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([2, 2, 2], 4000)
    made = AnswerDrift.fitted(scores[:2000].argmax(axis=1), scores[:2000], "net", MODEL)
    made.count_answers(scores[2000:].argmax(axis=1), scores[2000:], 1e9)
    assert list(made.findings()) == []
    sure = scores[:1500] ** 3
    sure /= sure.sum(axis=1, keepdims=True)
    made.count_answers(sure.argmax(axis=1), sure, 1e9 + 600)
    (found,) = made.findings()
    assert "highest score most" in found.title


def test_accuracy_that_falls_is_found_and_one_that_stays_or_rises_is_not() -> None:
    base = Accuracy(subject="net", model=MODEL, right=920, n=1000)
    for rate, expected in ((0.92, False), (0.97, False), (0.8, True)):
        made = AccuracyDrop(base)
        right = np.random.default_rng(1).random(1500) < rate
        found = told(
            made, [e for i, ok in enumerate(right) for e in events(rows(1, 1), 1e9 + i, label=1, truth=int(ok))]
        )
        assert bool(found) == expected, rate
        if found:
            assert found[-1].quantities[0].name == "accuracy_drop"
            assert found[-1].severity >= Severity.MEDIUM
    assert made.counted == (int(right.sum()), 1500)


def test_files_open_for_their_model_alone_and_hold_what_was_kept(tmp_path: Path) -> None:
    served = Served(
        name="net", digest=MODEL, probabilities=lambda x: np.stack([1 - (x[:, 0] > 0), x[:, 0] > 0], 1) * 1.0
    )
    test = Dataset(x=REFERENCE, y=(REFERENCE[:, 0] > 0) * 1, name="t", sha256="", indices=np.arange(3000))
    inputs = Inputs(test=test)
    for kind in (InputDrift, AnswerDrift, AccuracyDrop):
        made = kind.prepared(served, inputs, Asked(rate=0.01))
        again = open_detector(save(made, tmp_path / "m.npz"), served)
        assert again.kept()[1] == made.kept()[1]
        with pytest.raises(EvidenceError):
            open_detector(tmp_path / "m.npz", Served(name="net", digest="cd" * 32))
    with pytest.raises(UsageError):
        InputDrift.fitted(REFERENCE[:50], "net", MODEL)
    arrays, about = InputDrift.fitted(REFERENCE, "net", MODEL).kept()
    with pytest.raises(Unreadable):
        InputDrift.opened({**arrays, "edges": arrays["edges"][:2]}, about, served)
    assert issubclass(ShapeMismatch, Exception)


def test_what_a_schema_counted_is_the_same_reference_as_its_rows() -> None:
    names = tuple("abcde")
    columns = tuple(
        Column(name=name, kind="number", dtype="f8", values=REFERENCE[:, j], missing=np.zeros(len(REFERENCE), bool))
        for j, name in enumerate(names)
    )
    schema = infer(Table(name="t", columns=columns, n_rows=len(REFERENCE)))
    made = InputDrift.of_rules(schema.rules, "net", MODEL)
    fitted = InputDrift.fitted(REFERENCE, "net", MODEL, columns=names)
    assert made is not None
    told = []
    for each in (made, fitted):
        each.count_rows(rows(2000, 1, shift=0.8), 0.0)
        told.append(list(each.findings()))
    assert told[0] == told[1]
    assert "c most" in told[0][0].title
    without = [replace(rule, counts=(), edges=()) for rule in schema.rules]
    assert InputDrift.of_rules([*schema.rules[:-1], without[-1]], "net", MODEL) is None
    assert InputDrift.of_rules(schema.rules * 13, "net", MODEL) is None, "65 columns"
    assert InputDrift.of_rules((), "net", MODEL) is None


def test_answers_are_learnt_while_inputs_are_judged_already() -> None:
    known = InputDrift.fitted(REFERENCE, "net", MODEL)
    work = Operation("net", MODEL, (known,), drift=True, performance=False)
    work.see(rows(1500, 3, shift=2.0), np.zeros(1500, np.int64), None, 0.0)
    assert [each.rule for each in work.look()] == ["RDN-OPE-201"]
    assert known.n == 1500
    work.see(rows(1000, 4), np.zeros(1000, np.int64), None, 10.0)
    assert known.n == 2500
    assert work.judging == ("input-drift", "answer-drift")


def test_answers_about_texts_are_watched() -> None:
    work = Operation("net", MODEL, drift=True, performance=False)
    texts = np.array([["word"]] * 2000, object)
    for time_s, label in ((0.0, 0), (600.0, 0), (1200.0, 1)):
        work.see(texts, np.full(2000, label), None, time_s)
    assert [each.rule for each in work.look()] == ["RDN-OPE-202"]


@pytest.mark.parametrize("known", ["reference", "stream"])
def test_scores_that_one_side_does_not_know_are_no_drift(known: str) -> None:
    rng = np.random.default_rng(0)

    def answers(n: int, *, scored: bool) -> tuple[Any, Any]:
        scores = rng.dirichlet(np.ones(3), n)
        return scores.argmax(axis=1), scores if scored else None

    made = AnswerDrift.fitted(*answers(2000, scored=known == "reference"), "net", MODEL)
    made.count_answers(*answers(2000, scored=known == "stream"), 0.0)
    assert list(made.findings()) == []
    assert made.index() < LEAST_INDEX
    made.count_answers(np.zeros(2000, np.int64), None, 600.0)
    (found,) = made.findings()
    assert "label most" in found.title, "what both know is still watched"


def test_drift_says_who_asked_most_in_bounded_memory() -> None:
    work = Operation("net", MODEL, (InputDrift.fitted(REFERENCE, "net", MODEL),), drift=True, performance=False)
    for hour in range(3):
        crowd = {f"client:{hour}-{i}": 1 for i in range(5000)}
        work.see(rows(5000, 5 + hour), np.zeros(5000, np.int64), None, 3600.0 * hour, asked=crowd)
    assert list(work.look()) == []
    work.see(np.repeat(rows(1, 6), 3000, axis=0), np.zeros(3000, np.int64), None, 7800.0, asked={"client:probe": 3000})
    found = [each for each in work.look() if each.rule == "RDN-OPE-201"]
    assert "Of 8,000 rows in the last hour came from: client:probe 38%, client:2-0 0%" in found[0].detail
    assert sum(map(len, work._askers._rows.values())) <= MOST_CLIENTS + 2
    for interval in range(100):
        work.see(rows(1, 1), np.zeros(1, np.int64), None, 20_000.0 + 300 * interval, asked={"client:a": 1})
    assert len(work._askers._rows) == 12
