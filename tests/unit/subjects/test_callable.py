"""Any function can be measured."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.errors import ShapeMismatch, SubjectFailed, UsageError
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options

X = np.random.default_rng(0).normal(size=(9, 3))


def logits(x):
    return x * 2


def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def test_scores_are_learned_from_a_sample():
    subject = CallableSubject(softmax, sample=X)
    assert subject.capabilities == {"labels", "scores"}
    assert subject.score_kind == "probabilities"
    np.testing.assert_allclose(subject.scores(X), softmax(X))
    assert CallableSubject(logits, sample=X).score_kind == "logits"


def test_without_a_sample_only_labels_are_offered():
    subject = CallableSubject(logits)
    assert subject.capabilities == {"labels"}
    np.testing.assert_array_equal(subject.labels(X), X.argmax(axis=1))


def test_the_owner_may_say_what_is_answered():
    assert CallableSubject(logits, options=Options(answers="scores")).capabilities == {"labels", "scores"}
    whole = CallableSubject(lambda x: np.array([[3, 1]] * len(x)), options=Options(answers="scores"))
    np.testing.assert_array_equal(whole.labels(X), np.zeros(9))


@pytest.mark.parametrize("answer", [[0, 2, 1], ["a", "c", "b"], [[0], [2], [1]], [0.0, 2.0, 1.0]])
def test_labels_of_every_form(answer):
    options = Options(classes=("a", "b", "c"), answers="labels")
    subject = CallableSubject(lambda x: answer, options=options)
    np.testing.assert_array_equal(subject.labels(X[:3]), [0, 2, 1])


def test_labels_that_are_no_indices_are_looked_up():
    subject = CallableSubject(lambda x: np.where(x[:, 0] > 0, 1, -1), options=Options(classes=("-1", "1")))
    np.testing.assert_array_equal(subject.labels(X), (X[:, 0] > 0).astype(int))
    with pytest.raises(SubjectFailed, match="neither a class index nor"):
        CallableSubject(lambda x: np.full(len(x), -1)).labels(X)


@pytest.mark.parametrize(
    ("function", "kind"),
    [(lambda x: 1 / (1 + np.exp(-x[:, 0])), "probabilities"), (lambda x: x[:, :1], "logits")],
)
def test_one_score_a_row_becomes_two_columns(function, kind):
    subject = CallableSubject(function, sample=X)
    assert subject.score_kind == kind
    assert subject.scores(X).shape == (9, 2)
    np.testing.assert_array_equal(subject.labels(X), (X[:, 0] > 0).astype(int))
    np.testing.assert_array_equal(CallableSubject(function).labels(X), (X[:, 0] > 0).astype(int))


def test_tensors_of_other_libraries_are_converted():
    class Tensor:
        def __init__(self, value):
            self.value = value

        def numpy(self):
            return self.value

    np.testing.assert_array_equal(CallableSubject(Tensor, sample=X).scores(X), X)


def test_a_torch_function_with_gradients_is_converted():
    import torch

    weight = torch.eye(3, dtype=torch.float64, requires_grad=True)
    np.testing.assert_allclose(CallableSubject(lambda x: torch.from_numpy(x) @ weight, sample=X).scores(X), X)


def test_the_function_cannot_change_our_data():
    def careless(x):
        x += 1
        return x

    before = X.copy()
    CallableSubject(careless).labels(X)
    np.testing.assert_array_equal(X, before)


def test_batches_are_bounded_and_joined():
    seen = []

    def watched(x):
        seen.append(len(x))
        return x

    np.testing.assert_array_equal(CallableSubject(watched, options=Options(batch=4)).labels(X), X.argmax(axis=1))
    assert seen == [4, 4, 1]


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda x: None, SubjectFailed, "expected"),
        (lambda x: x[:2], SubjectFailed, "answered 9 inputs"),
        (lambda x: np.zeros((9, 2, 2)), SubjectFailed, "expected"),
        (lambda x: np.zeros((9, 0)), SubjectFailed, "expected"),
        (lambda x: x * np.nan, SubjectFailed, "NaN"),
        (lambda x: 1 / 0, SubjectFailed, "ZeroDivisionError"),
        (lambda x: x @ np.zeros((4, 2)), ShapeMismatch, r"shape \(9, 3\)"),
    ],
)
def test_nonsense_is_named(function, error, words):
    with pytest.raises(error, match=words):
        CallableSubject(function).labels(X)


def test_labels_are_never_taken_for_scores():
    with pytest.raises(SubjectFailed):
        CallableSubject(lambda x: np.zeros(len(x), int)).scores(X)
    with pytest.raises(UsageError):
        _ = CallableSubject(logits).score_kind


def test_the_source_is_the_digest():
    assert CallableSubject(logits).ref.digest == CallableSubject(logits, sample=X).ref.digest
    assert CallableSubject(logits).ref.digest != CallableSubject(softmax).ref.digest
    assert CallableSubject(np.asarray).ref.components == ()


def test_a_wrong_guess_about_a_single_score_is_never_silent():
    subject = CallableSubject(lambda x: x[:, 0], sample=np.array([[0.2], [0.7]]))
    assert subject.score_kind == "probabilities"
    with pytest.raises(SubjectFailed) as caught:
        subject.labels(np.array([[0.5], [1.5]]))
    assert "score_kind='logits'" in caught.value.hint
