"""Data from files: numpy, CSV, Parquet, images, IDX."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from redan.core.errors import ShapeMismatch, UnknownName, Unreadable, UsageError
from redan.subjects.data import load_dataset

X = np.random.default_rng(0).random((6, 3))
Y = np.array([0, 1, 2, 0, 1, 2])


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def idx_folder(tmp_path):
    pixels = np.arange(4 * 2 * 3).reshape(4, 2, 3)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels)))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(np.array([0, 1, 0, 1]))))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(pixels[:2] + 1))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([1, 1])))
    return tmp_path


def test_npz(tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    data = load_dataset(tmp_path / "d.npz", offset=1, limit=2)
    np.testing.assert_array_equal(data.x, X[1:3])
    np.testing.assert_array_equal(data.indices, [1, 2])
    assert data.name == "d.npz"


def test_npz_splits_and_other_names(tmp_path):
    np.savez(tmp_path / "d.npz", x_train=X[:4], y_train=Y[:4], x_test=X[4:], y_test=Y[4:])
    path = str(tmp_path / "d.npz")
    assert len(load_dataset(path)) == len(load_dataset(path + ":test")) == 2
    assert len(load_dataset(path + ":train")) == 4
    np.savez(tmp_path / "e.npz", images=X, wanted=Y)
    assert len(load_dataset(tmp_path / "e.npz", label="wanted")) == 6
    with pytest.raises(UnknownName) as caught:
        load_dataset(tmp_path / "e.npz")
    assert "wanted" in caught.value.hint
    with pytest.raises(UnknownName) as caught:
        load_dataset(tmp_path / "e.npz", label="wantd")
    assert "did you mean 'wanted'" in caught.value.hint


def test_pickled_arrays_are_refused(tmp_path):
    objects = np.array([{"a": 1}] * 6, dtype=object)
    np.savez(tmp_path / "d.npz", x=objects, y=Y)
    np.save(tmp_path / "x.npy", objects)
    np.save(tmp_path / "y.npy", Y)
    for name in ("d.npz", "x.npy"):
        with pytest.raises(Unreadable, match="pickled objects"):
            load_dataset(tmp_path / name)


def test_npy_pairs(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    spec = f"{tmp_path / 'x.npy'},{tmp_path / 'y.npy'}"
    for given in (tmp_path / "x.npy", spec, (tmp_path / "x.npy", tmp_path / "y.npy"), tmp_path):
        np.testing.assert_array_equal(load_dataset(given).x, X)
    np.save(tmp_path / "alone.npy", X)
    with pytest.raises(Unreadable, match="no label file"):
        load_dataset(tmp_path / "alone.npy")


def test_csv_with_a_header(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("age,kind,pay\n30,b,1.5\n40,a,2.5\n50,b,3.5\n")
    data = load_dataset(path, label="kind")
    assert data.columns == ("age", "pay")
    assert data.classes == ("a", "b")
    np.testing.assert_array_equal(data.x, [[30, 1.5], [40, 2.5], [50, 3.5]])
    np.testing.assert_array_equal(data.y, [1, 0, 1])


@pytest.mark.parametrize("text", ["1.0,2.0,0\n3.0,4.0,1\n", "\ufeff1,2,0\r\n3,4,1\r\n", '"1","2","0"\n3,4,1\n\n'])
def test_csv_without_a_header_takes_the_last_column(tmp_path, text):
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    data = load_dataset(tmp_path / "d.csv")
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.y, [0, 1])


def test_csv_with_text_labels_and_no_header_loses_no_row(tmp_path):
    (tmp_path / "d.csv").write_text("1,2,cat\n3,4,dog\n")
    assert load_dataset(tmp_path / "d.csv").classes == ("cat", "dog")
    assert len(load_dataset(tmp_path / "d.csv")) == 2


def test_tsv(tmp_path):
    (tmp_path / "d.tsv").write_text("a\tb\n1\t0\n2\t1\n")
    np.testing.assert_array_equal(load_dataset(tmp_path / "d.tsv").x, [[1], [2]])


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("a,b,y\n1,,0\n2,NA,1\n", Unreadable, "2 values .*row 0, column 'b'"),
        ("a,b,y\n1,x,0\n2,3,1\n", ShapeMismatch, "'b'.*'x' in row 0"),
        ("a,b,y\n1,2,0\n3,1\n", ShapeMismatch, "row 1 .*2 cells"),
        ("a,y\n1,0.5\n2,0.25\n", ShapeMismatch, "0.5"),
        ("y\n1\n0\n", ShapeMismatch, "no features"),
        ("", Unreadable, "empty"),
        ("\n\n", Unreadable, "no lines"),
        ('a,b\n"1,2\n', Unreadable, "text table"),
    ],
)
def test_broken_csv(tmp_path, text, error, words):
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(error, match=words):
        load_dataset(tmp_path / "d.csv")


def test_csv_that_is_no_text_and_unknown_columns(tmp_path):
    (tmp_path / "d.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(Unreadable, match="UTF-8"):
        load_dataset(tmp_path / "d.csv")
    (tmp_path / "e.csv").write_text("age,kind\n1,0\n2,1\n")
    with pytest.raises(UnknownName) as caught:
        load_dataset(tmp_path / "e.csv", label="kid")
    assert "kind" in caught.value.hint


def test_parquet(tmp_path):
    path = tmp_path / "d.parquet"
    table = {"age": [30, 40], "ok": [True, False], "pay": [1.5, 2.5], "kind": ["b", "a"]}
    pq.write_table(pa.table(table), path)
    data = load_dataset(path)
    assert data.columns == ("age", "ok", "pay")
    np.testing.assert_array_equal(data.x, [[30, 1, 1.5], [40, 0, 2.5]])
    np.testing.assert_array_equal(data.y, [1, 0])
    with pytest.raises(ShapeMismatch, match=r"'kind'.*string"):
        load_dataset(path, label="ok")
    pq.write_table(pa.table({"a": [1.0, None], "y": [0, 1]}), path)
    with pytest.raises(Unreadable, match=r"1 values .*row 1, column 'a'"):
        load_dataset(path)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(Unreadable, match="Parquet"):
        load_dataset(path)


def test_images(tmp_path):
    for name, value in (("dog/b.png", 200), ("cat/a.png", 100), ("cat/sub/c.bmp", 50)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (value, 0, 255)).save(path)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    data = load_dataset(tmp_path)
    assert data.x.shape == (3, 3, 3, 4)
    assert data.x.dtype == np.float32
    np.testing.assert_allclose(data.x[:, 0, 0, 0], np.array([100, 50, 200]) / 255, rtol=1e-6)
    np.testing.assert_array_equal(data.y, [0, 0, 1])
    assert data.classes == ("cat", "dog")
    assert data.bounds == (0.0, 1.0)
    assert load_dataset(tmp_path, offset=2).sha256 != data.sha256


def test_grey_images_have_one_channel_and_mixed_ones_three(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        Image.new("L", (2, 2), 51).save(tmp_path / folder / "1.png")
    assert load_dataset(tmp_path).x.shape == (2, 1, 2, 2)
    Image.new("RGB", (2, 2), (51, 51, 51)).save(tmp_path / "b" / "2.png")
    np.testing.assert_allclose(load_dataset(tmp_path).x, 0.2, rtol=1e-6)
    Image.new("RGB", (3, 2)).save(tmp_path / "b" / "3.png")
    with pytest.raises(ShapeMismatch, match=r"3\.png.* 3×2 .*2×2"):
        load_dataset(tmp_path)
    (tmp_path / "b" / "3.png").write_bytes(b"no image")
    with pytest.raises(Unreadable, match=r"3\.png"):
        load_dataset(tmp_path)


def test_idx_folder(idx_folder):
    data = load_dataset(idx_folder)
    assert data.x.shape == (4, 1, 2, 3)
    np.testing.assert_allclose(data.x[1].ravel(), np.arange(6, 12) / 255, rtol=1e-6)
    assert data.bounds == (0.0, 1.0)
    train = load_dataset(f"{idx_folder}:train")
    assert train.name.endswith(":train")
    np.testing.assert_array_equal(train.y, [1, 1])
    np.testing.assert_array_equal(load_dataset(idx_folder / "train-images-idx3-ubyte").x, train.x)


def test_broken_idx(idx_folder):
    path = idx_folder / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole + b"x", whole[:9], b"no idx at all", gzip.compress(whole)[:-9]):
        path.write_bytes(damaged)
        with pytest.raises(Unreadable):
            load_dataset(f"{idx_folder}:train")
    path.unlink()
    with pytest.raises(Unreadable, match="train-images"):
        load_dataset(f"{idx_folder}:train")


def test_folders_of_splits(tmp_path):
    (tmp_path / "train.csv").write_text("1,0\n2,1\n3,1\n")
    (tmp_path / "test.csv").write_text("4,0\n")
    assert len(load_dataset(f"{tmp_path}:train")) == 3
    assert len(load_dataset(tmp_path)) == 1
    (tmp_path / "train.csv").unlink()
    with pytest.raises(UsageError, match="no split 'train'"):
        load_dataset(f"{tmp_path}:train")
    with pytest.raises(UsageError, match="no splits"):
        load_dataset(f"{tmp_path / 'test.csv'}:test")


def test_what_is_not_there(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "nothing.npz").write_bytes(b"")
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    for name, words in (
        ("empty", "is empty"),
        ("notes.txt", "no format"),
        ("nothing.npz", "is empty"),
        ("bad.npz", "no numpy file"),
        ("gone.csv", "no data at"),
    ):
        with pytest.raises(Unreadable, match=words):
            load_dataset(tmp_path / name)
