"""Misfits between model and data are told early and in words."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.errors import CapabilityMissing, ShapeMismatch, SubjectFailed
from redan.subjects.callable import CallableSubject
from redan.subjects.data import load_dataset
from redan.subjects.files import FilesSubject
from redan.subjects.fit import check_fit
from redan.subjects.options import Options

X = np.random.default_rng(0).random((20, 3))


def data(y=None, **more):
    return load_dataset((X, np.arange(20) % 3 if y is None else y), **more)


def subject(function=lambda x: x, **options):
    return CallableSubject(function, options=Options(**options), sample=X[:2] if not options.get("answers") else None)


def test_what_fits_passes():
    check_fit(subject(), data())
    check_fit(subject(lambda x: x[:, 0] > 0.5), data(np.arange(20) % 2))
    check_fit(subject(bounds=(0.0, 1.0), classes=("a", "b", "c")), data())


def test_the_model_is_asked_about_a_few_rows_only():
    seen = []
    check_fit(CallableSubject(lambda x: seen.append(len(x)) or x), data())
    assert max(seen) <= 8


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda x: x @ np.zeros((5, 2)), ShapeMismatch, "does not accept inputs of shape"),
        (lambda x: 1 / 0, SubjectFailed, "ZeroDivisionError"),
        (lambda x: x * np.inf, SubjectFailed, "NaN or infinity"),
        (lambda x: x[:1], SubjectFailed, "answered 8 inputs"),
        (lambda x: x[:, :2], ShapeMismatch, "label 2 .*row 2.* 2 classes"),
    ],
)
def test_misfits(function, error, words):
    with pytest.raises(error, match=words):
        check_fit(subject(function, answers="scores"), data())


def test_names_bounds_and_counts():
    with pytest.raises(ShapeMismatch, match="another order"):
        check_fit(
            subject(classes=("a", "b", "c")), data(np.array(list("cba"))[np.arange(20) % 3], classes=("c", "b", "a"))
        )
    with pytest.raises(ShapeMismatch, match="outside of the model's bounds"):
        check_fit(subject(bounds=(0.0, 0.5)), data())
    with pytest.raises(ShapeMismatch, match="3 outputs and 2 class names"):
        check_fit(subject(classes=("a", "b"), answers="scores"), data(np.arange(20) % 2))


def test_labels_beyond_named_classes_are_found_without_scores():
    only_labels = subject(lambda x: np.zeros(len(x), int), answers="labels", classes=("a", "b"))
    with pytest.raises(ShapeMismatch, match="label 2"):
        check_fit(only_labels, data())


def test_files_predict_nothing(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(CapabilityMissing):
        check_fit(FilesSubject(tmp_path), data())
