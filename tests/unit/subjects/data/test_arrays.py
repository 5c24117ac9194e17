"""Arrays, tensors and torch data sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, TensorDataset

from redan.core.errors import ShapeMismatch, Unreadable, UsageError
from redan.subjects.data import load_dataset

X = np.random.default_rng(0).random((10, 4), dtype=np.float32)
Y = np.arange(10) % 3


def test_arrays():
    data = load_dataset((X, Y))
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)
    np.testing.assert_array_equal(data.indices, np.arange(10))
    assert data.y.dtype == data.indices.dtype == np.int64
    assert len(data.sha256) == 64
    assert load_dataset((X, Y)).sha256 == data.sha256 != load_dataset((X + 1, Y)).sha256


def test_a_part_of_a_data_set_keeps_its_positions():
    whole = load_dataset("digits:test", limit=20)
    part = load_dataset(whole, offset=5, limit=3)
    np.testing.assert_array_equal(part.indices, whole.indices[5:8])
    assert (part.classes, part.bounds, part.sha256) == (whole.classes, whole.bounds, whole.sha256)


def test_tensors_lists_and_frames():
    tensors = load_dataset((torch.from_numpy(X).requires_grad_(), torch.from_numpy(Y)))
    np.testing.assert_array_equal(tensors.x, X)
    np.testing.assert_array_equal(load_dataset((X.tolist(), Y.tolist())).y, Y)
    frame = load_dataset((pd.DataFrame(X, columns=list("abcd")), pd.Series(Y)))
    assert frame.columns == ("a", "b", "c", "d")


class Images(TorchDataset):
    classes = ("cat", "dog")

    def __init__(self):
        self.asked = []

    def __len__(self):
        return 10

    def __getitem__(self, i):
        self.asked.append(i)
        return torch.full((1, 2, 2), i / 10), i % 2


def test_torch_data_sets_are_read_only_as_far_as_needed():
    source = Images()
    data = load_dataset(source, offset=3, limit=4)
    assert source.asked == [3, 4, 5, 6]
    assert data.x.shape == (4, 1, 2, 2)
    assert data.classes == ("cat", "dog")
    np.testing.assert_array_equal(data.indices, [3, 4, 5, 6])
    np.testing.assert_array_equal(data.y, [1, 0, 1, 0])
    np.testing.assert_array_equal(load_dataset(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))).x, X)


def test_what_is_no_map_style_data_set_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())

    class Bare(Images):
        def __getitem__(self, i):
            return torch.zeros(2)

    class Ragged(Images):
        def __getitem__(self, i):
            return torch.zeros(i + 1), 0

    with pytest.raises(UsageError, match="its own order"):
        load_dataset(Stream())
    with pytest.raises(ShapeMismatch, match="row 0"):
        load_dataset(Bare())
    with pytest.raises(ShapeMismatch, match="one array"):
        load_dataset(Ragged())


def test_the_window():
    data = load_dataset((X, Y), offset=8, limit=5)
    np.testing.assert_array_equal(data.indices, [8, 9])
    np.testing.assert_array_equal(data.x, X[8:])
    for window in ({"offset": 10}, {"offset": -1}, {"limit": 0}):
        with pytest.raises(UsageError):
            load_dataset((X, Y), **window)


@pytest.mark.parametrize(
    ("labels", "classes", "expected", "names"),
    [
        (["b", "a", "b"], (), [1, 0, 1], ("a", "b")),
        (["b", "a", "b"], ("b", "a"), [0, 1, 0], ("b", "a")),
        ([-1, 1, 1], ("-1", "1"), [0, 1, 1], ("-1", "1")),
        ([3, 7, 7], ("3", "7"), [0, 1, 1], ("3", "7")),
        ([True, False, True], (), [1, 0, 1], ()),
        ([0.0, 2.0, 1.0], (), [0, 2, 1], ()),
        ([[0, 1], [1, 0], [0, 1]], (), [1, 0, 1], ()),
        ([[2], [0], [1]], (), [2, 0, 1], ()),
        ([1, 0, 1], ("no", "yes"), [1, 0, 1], ("no", "yes")),
        (np.array(["x", "y", "x"], dtype=object), (), [0, 1, 0], ("x", "y")),
    ],
)
def test_labels_become_class_indices(labels, classes, expected, names):
    data = load_dataset((X[:3], labels), classes=classes)
    np.testing.assert_array_equal(data.y, expected)
    assert data.y.dtype == np.int64
    assert data.classes == names


def test_named_classes_do_not_depend_on_the_window():
    labels = ["a", "b", "c", "c"]
    np.testing.assert_array_equal(load_dataset((X[:4], labels), offset=2).y, [2, 2])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([-1, 0, 1], "'-1'"),
        ([0.5, 1.0, 2.0], "0.5"),
        ([0.0, float("nan"), 1.0], "row 1"),
        ([[1, 1], [0, 1], [0, 1]], "one class for each row"),
        (np.zeros((3, 2, 2)), "one class for each row"),
    ],
)
def test_labels_that_are_no_classes(labels, words):
    with pytest.raises(ShapeMismatch, match=words):
        load_dataset((X[:3], labels))


def test_broken_inputs_are_counted_and_located():
    x = X.copy()
    x[4, 2] = np.nan
    x[7, 0] = np.inf
    with pytest.raises(Unreadable, match=r"2 values .* at position \(4, 2\)"):
        load_dataset((x, Y))
    assert len(load_dataset((x, Y), limit=4)) == 4
    frame = pd.DataFrame(x, columns=list("abcd"))
    with pytest.raises(Unreadable, match="row 4, column 'c'"):
        load_dataset((frame, Y))


def test_large_finite_numbers_are_not_taken_for_infinity():
    assert len(load_dataset((np.full((4, 2), 1e308), Y[:4]))) == 4


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ((X, Y[:9]), ShapeMismatch),
        ((X[:, 0], Y), ShapeMismatch),
        ((X[:0], Y[:0]), ShapeMismatch),
        ((X[:, :0], Y), ShapeMismatch),
        ((np.array([["a"], ["b"]]), [0, 1]), ShapeMismatch),
        (([[1, 2], [3]], [0, 1]), ShapeMismatch),
        ((3, 4), ShapeMismatch),
        (42, UsageError),
        ("", UsageError),
    ],
)
def test_what_cannot_be_data(spec, error):
    with pytest.raises(error):
        load_dataset(spec)
