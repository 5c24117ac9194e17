"""Data sets by name."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.errors import UnknownName, Unreadable
from redan.subjects.data import builtin, load_dataset


@pytest.mark.parametrize(
    ("name", "shape", "n_classes"),
    [
        ("digits", (1797, 1, 8, 8), 10),
        ("breast_cancer", (569, 30), 2),
        ("iris", (150, 4), 3),
        ("wine", (178, 13), 3),
    ],
)
def test_bundled(name, shape, n_classes):
    data = load_dataset(name)
    assert data.x.shape == shape
    assert len(data.classes) == n_classes == data.y.max() + 1
    assert len(data.columns) == (0 if len(shape) > 2 else shape[1])
    assert data.bounds == ((0.0, 1.0) if name == "digits" else None)
    if data.bounds:
        assert data.x.min() == 0
        assert data.x.max() == 1


def test_splits_are_fixed_disjoint_and_complete():
    test, train, every = (load_dataset(spec) for spec in ("digits:test", "digits:train", "digits"))
    assert sorted([*test.indices, *train.indices]) == every.indices.tolist()
    np.testing.assert_array_equal(test.x, every.x[test.indices])
    np.testing.assert_array_equal(test.y, every.y[test.indices])
    windowed = load_dataset("digits:test", offset=3, limit=2)
    np.testing.assert_array_equal(windowed.indices, test.indices[3:5])


def test_fashion_mnist(fashion_mnist):
    data = load_dataset("fashion-mnist", limit=10, offset=100)
    assert data.x.shape == (10, 1, 28, 28)
    assert data.name == "fashion-mnist:test"
    assert data.classes[9] == "Ankle boot"
    by_folder = load_dataset(fashion_mnist, limit=10, offset=100)
    np.testing.assert_array_equal(by_folder.x, data.x)
    assert by_folder.sha256 == data.sha256


def test_fashion_mnist_that_is_not_installed_names_the_package(monkeypatch):
    monkeypatch.setattr(builtin, "FASHION_FOLDERS", ())
    with pytest.raises(Unreadable) as caught:
        load_dataset("fashion-mnist:train")
    assert "apt-get install dataset-fashion-mnist" in caught.value.hint


def test_unknown_names():
    with pytest.raises(UnknownName) as caught:
        load_dataset("digit")
    assert "'digits'" in caught.value.hint
