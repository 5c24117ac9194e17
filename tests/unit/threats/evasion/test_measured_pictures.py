"""Confusion, histogram and replay record of an attack's finding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from redan.core.inputs import Dataset
from redan.evidence.replay import Replay, digest_of
from redan.threats.evasion.measured import BINS, Attacked, Setting, confusion, histogram, replay

WHERE = Setting(norm="linf", eps=0.1, bounds=(0.0, 1.0), classes=("cat", "dog", "fox"))
Y = np.array([0, 0, 1, 2, 2])
DISTANCE = np.array([0.05, 0.0, 0.02, np.inf, 0.3])
SUCCESS = np.array([True, True, True, False, False])


def attacked() -> Attacked:
    x = np.zeros((5, 2), np.float32)
    return Attacked(adversarial=x, success=SUCCESS, distance=DISTANCE, stages=(("clean", 1),), forward=1, gradient=1)


def rows() -> Dataset:
    return Dataset(x=np.zeros((5, 2), np.float32), y=Y, name="pets", sha256="ab", indices=np.arange(5))


def test_the_confusion_counts_what_fell_to_the_attack_and_nothing_else() -> None:
    (table,) = confusion(attacked(), Y, np.array([1, 2, 0, 2, 1]), WHERE.classes)
    assert table.draw == "heat"
    assert table.columns == ("true class", "cat", "dog")
    assert table.rows == (("cat", 0, 1), ("dog", 1, 0))


def test_a_confusion_of_very_many_classes_is_left_out() -> None:
    y = np.arange(40)
    found = replace(attacked(), success=np.ones(40, bool), distance=np.full(40, 0.1))
    assert confusion(found, y, (y + 1) % 40, ()) == ()


def test_the_histogram_counts_what_the_model_was_right_about_and_leaves_the_unreached_out() -> None:
    shown = histogram(DISTANCE, WHERE)
    assert len(shown.x) == BINS
    assert shown.n == (4,) * BINS
    assert sum(shown.y) == 2, "0.3 lies beyond nearly all, infinity nowhere"
    assert shown.x[0] == 0


def test_the_replay_record_reads_back_and_knows_other_rows() -> None:
    told = replay(WHERE, rows())
    assert told.payload is not None
    read = Replay.from_json(told.payload)
    assert (read.norm, read.eps, read.bounds, read.data) == ("linf", 0.1, (0.0, 1.0), "pets")
    assert read.rows_sha256 == digest_of(rows())
    other = replace(rows(), y=np.array([1, 0, 1, 2, 2]))
    assert digest_of(other) != read.rows_sha256


def test_numbers_stored_in_another_type_have_the_same_digest() -> None:
    assert digest_of(rows()) == digest_of(replace(rows(), x=rows().x.astype(np.float64), y=Y.astype(np.int32)))
