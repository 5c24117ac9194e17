"""What is no model artifact at all, and that no ordinary text of this repository or of Python is called unsafe."""

from __future__ import annotations

import email
import gzip
import io
import json
import struct
from pathlib import Path

import pytest

from redan.kernels.artifacts import inspect, inspect_bytes, is_artifact

REPOSITORY = Path(__file__).resolve().parents[4]
STDLIB_FOLDERS = [Path(module.__file__).parent for module in (email, json)]

PROSE = """The model was trained on a small set (see the paper). It has two layers; each is dense.

cos(x) and import taxes are words here. os.system is named, and so is eval("1 + 1").
"""
SOURCE = '''"""A module."""

import os


def run(command):
    return os.system(command)
'''
TABLE = "x,y,label\n" + "".join(f"{i},{i * i},{i % 2}\n" for i in range(30))


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "empty"),
        (PROSE.encode(), "text"),
        (b"\xef\xbb\xbf" + PROSE.encode(), "text"),
        (PROSE.encode("utf-16"), "text"),
        (SOURCE.encode(), "python"),
        (TABLE.encode(), "csv"),
        (TABLE.replace(",", "\t").encode(), "csv"),
        (b"\0\0\x08\x03" + struct.pack(">III", 2, 3, 3) + bytes(range(18)), "idx"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "image"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "image"),
        (b"GIF89a" + bytes(40), "image"),
        (b"PAR1" + bytes(40) + b"PAR1", "parquet"),
        (b"%PDF-1.7\n" + bytes(40), "pdf"),
        (json.dumps({"cells": [], "nbformat": 4}).encode(), "notebook"),
    ],
)
def test_ordinary_files_are_no_artifacts(data, slug):
    reading = inspect_bytes(data, "file.pkl")
    assert (reading.format, reading.verdict, reading.reasons) == (slug, "safe", ())
    assert not is_artifact(reading)


def test_real_images_and_tables_are_no_artifacts(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pandas = pytest.importorskip("pandas")
    for extension in ("png", "jpeg", "bmp", "gif", "tiff", "webp"):
        path = tmp_path / f"picture.{extension}"
        image.new("RGB", (8, 8), (10, 200, 30)).save(path)
        assert (inspect(path).format, is_artifact(inspect(path))) == ("image", False)
    frame = pandas.DataFrame({"a": range(5), "b": list("vwxyz")})
    frame.to_parquet(tmp_path / "t.parquet")
    assert inspect(tmp_path / "t.parquet").format == "parquet"
    frame.to_csv(tmp_path / "t.csv")
    assert inspect(tmp_path / "t.csv").format == "csv"


def test_payload_makes_an_artifact_of_any_file():
    for disguise in (b"", b"\x89PNG\r\n\x1a\n"):
        reading = inspect_bytes(disguise + b"cos\nsystem\n(S'true'\ntR.", "picture.png")
        if reading.reasons:
            assert is_artifact(reading)
    assert is_artifact(inspect_bytes(b"cos\nsystem\n(S'true'\ntR.", "notes.txt"))
    assert inspect_bytes(b"cos\nsystem\n(S'true'\ntR.", "notes.txt").verdict == "unsafe"


def test_compressed_data_set_is_not_unsafe():
    data = b"\0\0\x08\x01" + struct.pack(">I", 60) + bytes(range(60))
    reading = inspect_bytes(gzip.compress(data), "labels-idx1-ubyte.gz")
    assert reading.verdict == "safe"


def test_unread_formats_are_unknown_and_named():
    for data, name in [(b"FEA1" + bytes(30), "Feather"), (b"ORC" + bytes(30), "ORC")]:
        reading = inspect_bytes(data, "file")
        (reason,) = reading.reasons
        assert (reading.verdict, reason.kind) == ("unknown", "unread-format")
        assert name in reason.message


def test_bytes_of_no_known_format_are_unknown():
    reading = inspect_bytes(bytes(range(128, 256)) * 3, "file")
    assert reading.verdict == "unknown"
    assert is_artifact(reading)


@pytest.mark.parametrize("head", [b"\x7fELF\x02\x01\x01", b"\xcf\xfa\xed\xfe"])
def test_native_code_is_unsafe(head):
    reading = inspect_bytes(head + bytes(100), "model.bin")
    assert (reading.format, reading.verdict) == ("executable", "unsafe")


def texts() -> list[Path]:
    folders = [REPOSITORY / name for name in ("src", "docs", "tests", "scripts", "examples")] + STDLIB_FOLDERS
    kinds = {".py", ".md", ".toml", ".json", ".txt", ".yml", ".yaml", ".cfg", ".html", ".css", ".js"}
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix in kinds]
    return sorted([*found, *(path for path in REPOSITORY.iterdir() if path.is_file() and path.suffix in kinds)])


def test_no_text_of_this_repository_or_of_the_standard_library_is_unsafe():
    files = texts()
    assert len(files) > 150
    unsafe = {str(path): inspect(path).reasons for path in files if inspect(path).verdict == "unsafe"}
    assert unsafe == {}


def test_no_part_of_a_text_reads_as_an_unsafe_pickle():
    for path in texts()[::7]:
        text = path.read_bytes()
        for start in range(0, min(len(text), 4_000), 400):
            reading = inspect_bytes(text[start:], "part")
            kinds = {reason.kind for reason in reading.reasons}
            assert not kinds & {"denied-import", "dynamic-call", "dotted-import", "computed-import"}, (path, start)


def test_every_first_byte_of_prose_is_no_pickle():
    for first in range(32, 127):
        data = chr(first).encode() + b" is how this line of prose begins, and it ends with a full stop.\n"
        reading = inspect_bytes(data, "notes.txt")
        assert reading.verdict != "unsafe", chr(first)
        assert reading.format not in ("pickle", "joblib"), chr(first)


def test_stream_of_text_is_read_from_memory_too():
    buffer = io.BytesIO(SOURCE.encode())
    assert inspect_bytes(buffer.getvalue(), "x").format == "python"
