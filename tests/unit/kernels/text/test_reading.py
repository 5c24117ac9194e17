"""Text files: told from binary ones, decoded, and read within a limit."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

import pytest

from redan.core.errors import Unreadable
from redan.kernels.text import decode, read_text


@pytest.mark.parametrize(
    ("encoding", "reported"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_any_unicode_encoding_is_read(tmp_path: Path, encoding: str, reported: str) -> None:
    text = "token = 'abc'\nzweite Zeile\r\n" * 400
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    found = read_text(tmp_path / "a.txt")
    assert found is not None
    assert (found.text, found.encoding) == (text, reported)


def test_one_wrong_byte_does_not_make_a_text_binary() -> None:
    found = decode(b"caf\xe9 token=1\n")
    assert found is not None
    assert (found.text, found.encoding) == ("caf\xe9 token=1\n", "latin-1")


@pytest.mark.parametrize("data", [pickle.dumps(list(range(300))), random.Random(0).randbytes(500), b"PK\x03\x04\0\0"])
def test_binary_files_are_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert read_text(tmp_path / "a") is None


def test_an_empty_file_is_a_text() -> None:
    found = decode(b"")
    assert found is not None
    assert found.lines() == [""]


def test_a_large_file_is_refused_and_one_at_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 20_000)
    assert read_text(path, 20_000) is not None
    with pytest.raises(Unreadable, match="larger than the 19,999 bytes"):
        read_text(path, 19_999)
    with pytest.raises(Unreadable, match="larger than the 10 bytes"):
        read_text(path, 10)


def test_what_is_no_regular_file_is_refused_and_nothing_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "gone", "."):
        with pytest.raises(Unreadable, match="no regular file"):
            read_text(tmp_path / name)


def test_offsets_become_line_numbers() -> None:
    found = decode(b"ab\ncd\r\n\nlast")
    assert found is not None
    assert [found.line_at(offset) for offset in (0, 2, 3, 6, 7, 8, 11)] == [1, 1, 2, 2, 3, 4, 4]
    assert found.lines() == ["ab", "cd", "", "last"]
