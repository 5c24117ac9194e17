"""Reading data sets: every format becomes the same kind of table, and hostile files end with a sentence."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from redan.core.errors import Unreadable
from redan.evidence.datasets import text
from redan.evidence.datasets.reading import kind_of, read_table


def test_csv_parquet_and_npz_of_the_same_rows_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age,score,city\n30,1.5,Bern\n,2,Basel\n41,,Bern\n")
    table = pyarrow.table({"age": [30, None, 41], "score": [1.5, 2.0, None], "city": ["Bern", "Basel", "Bern"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    one, two = read_table(tmp_path / "a.csv"), read_table(tmp_path / "a.parquet")
    rows = [
        {"age": 30, "score": 1.5, "city": "Bern"},
        {"age": None, "score": 2.0, "city": "Basel"},
        {"age": 41, "score": None, "city": "Bern"},
    ]
    assert [one.row(i) for i in range(3)] == rows == [two.row(i) for i in range(3)]
    assert [c.kind for c in one.columns] == ["integer", "number", "text"] == [c.kind for c in two.columns]


def test_a_column_whose_text_comes_late_is_text_from_its_first_row(tmp_path: Path) -> None:
    n_rows = text._CHUNK_ROWS + 10
    lines = ["code,x", *(f"{i:05d},{i}" for i in range(n_rows)), "A12,1"]
    (tmp_path / "late.csv").write_text("\n".join(lines))
    table = read_table(tmp_path / "late.csv")
    assert table.row(0) == {"code": "00000", "x": 0}
    assert table.row(n_rows) == {"code": "A12", "x": 1}


def test_images_of_an_array_are_described_by_their_statistics(tmp_path: Path) -> None:
    x = np.arange(3 * 20 * 20, dtype=np.uint8).reshape(3, 20, 20)
    np.savez(tmp_path / "a.npz", x=x, y=np.array([1, 2, 3]))
    table = read_table(tmp_path / "a.npz")
    assert [c.name for c in table.columns] == ["x.min", "x.max", "x.mean", "x.std", "y"]
    assert table.arrays[0].shape == (3, 20, 20)
    assert table.row(0)["x.mean"] == pytest.approx(x[0].mean())
    assert table.arrays[0].rows is not None
    assert table.arrays[0].rows.mean() == pytest.approx(x.mean(), rel=0.02)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read(tmp_path: Path, packed: bool) -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 4, 6), dtype=np.uint8)
    data = b"\0\0\x08\x03" + struct.pack(">3I", 5, 4, 6) + x.tobytes()
    path = tmp_path / ("t-images-idx3-ubyte" + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(data) if packed else data)
    table = read_table(path)
    assert table.arrays[0].shape == (5, 4, 6)
    assert table.row(2)["t-images-idx3-ubyte.max"] == x[2].max()


def test_a_folder_of_images_is_a_table_of_images(tmp_path: Path) -> None:
    for name, shade in (("cat/1.png", 10), ("dog/2.png", 200)):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (30, 20), (shade, shade, shade)).save(tmp_path / name)
    table = read_table(tmp_path)
    assert table.row(0) == {
        "class": "cat",
        "height": 20,
        "width": 30,
        "channels": 3,
        "mode": "RGB",
        "image.min": 10.0,
        "image.max": 10.0,
        "image.mean": 10.0,
        "image.std": 0.0,
    }
    assert table.arrays[0].shape == (2, 20, 30, 3)


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    return stream.getvalue()


def lying_npz() -> bytes:
    stream = io.BytesIO()
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,)}"
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"12345678"
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.npy", body)
    return stream.getvalue()


HOSTILE = {
    "pickled.npy": pickled(),
    "lying.npz": lying_npz(),
    "cut.npz": lying_npz()[:60],
    "cut.parquet": b"PAR1" + bytes(40),
    "cut-ubyte": b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    "cut-ubyte.gz": gzip.compress(bytes(100))[:30],
    "empty.csv": b"",
    "ragged.csv": b"a,b\n1,2\n3\n",
    "twice.csv": b"a,a\n1,2\n",
    "latin.csv": b"a\n\xff\n",
    "quote.csv": b'a\n"never closed\n',
    "long.csv": b"a\n" + b"1" * (2 << 20),
    "wide.csv": b"a," * 20_000 + b"b\n",
    "what.bin": b"\0\1\2",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_with_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HOSTILE[name])
    with pytest.raises(Unreadable):
        read_table(tmp_path / name)


def test_more_cells_than_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MOST_CELLS", 10)
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 6)
    with pytest.raises(Unreadable, match="more than 10 cells"):
        read_table(tmp_path / "a.csv")


def test_a_picture_among_other_files_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "picture.csv", format="PNG")
    assert kind_of(tmp_path / "picture.csv") == "image"


def test_a_header_without_rows_is_an_empty_table_even_where_text_is_expected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age,city\n")
    assert read_table(tmp_path / "a.csv", words=frozenset({"city"})).n_rows == 0
