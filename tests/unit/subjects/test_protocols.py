"""Every capability that an adapter declares is really there, as the Protocols say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from redan.core.subject import CAPABILITIES, PROTOCOLS
from redan.subjects.callable import CallableSubject
from redan.subjects.files import FilesSubject
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
Y = np.arange(12) % 3


def subjects():
    torch_module = torch.nn.Linear(4, 3)
    return [
        TorchSubject(torch_module, sample=X),
        TorchSubject(torch.nn.Flatten(), sample=X),
        TorchSubject(torch.jit.trace(torch_module, torch.from_numpy(X)), sample=X),
        CallableSubject(lambda x: x, sample=X),
        CallableSubject(lambda x: np.zeros(len(x), int)),
        SklearnSubject(LogisticRegression().fit(X, Y)),
        FilesSubject(Path(__file__)),
    ]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_declared_capabilities_are_there():
    for subject in subjects():
        assert subject.capabilities <= set(CAPABILITIES)
        for capability in subject.capabilities - {"weights"}:
            assert isinstance(subject, PROTOCOLS[capability]), (subject, capability)
        assert subject.ref.name
        assert isinstance(subject.classes, tuple)
        assert subject.bounds is None


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_labels_and_scores_have_one_form_everywhere():
    for subject in subjects():
        if "scores" in subject.capabilities:
            scores = subject.scores(X)
            assert scores.ndim == 2
            assert len(scores) == 12
            assert np.issubdtype(scores.dtype, np.floating)
            assert subject.score_kind in {"logits", "probabilities"}
            np.testing.assert_array_equal(scores.argmax(axis=1), subject.labels(X))
        if "labels" in subject.capabilities:
            assert subject.labels(X).dtype == np.int64


def test_an_owner_of_bounds_and_classes_is_heard():
    options = Options(bounds=(0.0, 1.0), classes=("a", "b", "c"))
    for subject in (
        TorchSubject(torch.nn.Linear(4, 3), options=options),
        CallableSubject(lambda x: x, options=options),
    ):
        assert subject.bounds == (0.0, 1.0)
        assert subject.classes == ("a", "b", "c")
