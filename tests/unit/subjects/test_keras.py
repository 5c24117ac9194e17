"""Keras 3 models on torch are torch modules."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from redan.core.errors import Unreadable, UnsafeArtifact  # noqa: E402
from redan.subjects.keras import is_keras, read_keras  # noqa: E402
from redan.subjects.open import open_subject  # noqa: E402

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras runs on another backend here"),
    # Keras hands its own parameters to numpy while saving
    pytest.mark.filterwarnings("ignore:.*__array__ implementation:DeprecationWarning"),
]
X = np.random.default_rng(0).random((6, 1, 4, 4), dtype=np.float32)


@pytest.fixture(scope="module")
def model():
    start = [keras.initializers.RandomNormal(seed=seed) for seed in (1, 2)]
    return keras.Sequential(
        [
            keras.layers.Input((4, 4, 1)),
            keras.layers.Conv2D(3, 3, activation="relu", kernel_initializer=start[0]),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax", kernel_initializer=start[1]),
        ]
    )


def test_an_object(model):
    learning = [parameter.requires_grad for parameter in model.parameters()]
    subject = open_subject(model, channels="last", sample=X)
    assert is_keras(model)
    assert subject.ref.kind == "torch"
    assert subject.score_kind == "probabilities"
    theirs = model(torch.from_numpy(X.transpose(0, 2, 3, 1).copy())).detach().numpy()
    np.testing.assert_allclose(subject.scores(X), theirs, rtol=1e-4)
    x = torch.from_numpy(X).requires_grad_()
    (gradient,) = torch.autograd.grad(subject.logits(x)[:, 0].sum(), x)
    assert gradient.shape == x.shape
    assert float(gradient.abs().sum()) > 0
    assert [parameter.requires_grad for parameter in model.parameters()] == learning
    assert subject.ref.components[0].size_bytes > 0


def test_a_file(model, tmp_path):
    path = tmp_path / "m.keras"
    model.save(path)
    subject = open_subject(path, channels="last")
    np.testing.assert_allclose(subject.scores(X), open_subject(model, channels="last").scores(X), rtol=1e-5)


def test_a_file_with_code_inside_is_refused(tmp_path):
    path = tmp_path / "m.keras"
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Lambda(lambda x: x * 2)]).save(path)
    with pytest.raises(UnsafeArtifact):
        open_subject(path)
    with pytest.raises(Unreadable):
        read_keras(path)
