"""Rows come back from every format as they went in, and broken files are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.errors import UnknownName, Unreadable
from redan.evidence.datasets.rows import Rows, read_rows, written

CELL = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\x85\u2028\u2029\x1c\x1d\x1e\x0b\x0c"),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5), ending=st.sampled_from([".csv", ".tsv", ".jsonl"])
)
def test_text_comes_back(cells: list[tuple[str, str]], ending: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / f"rows{ending}"
    rows = Rows(columns={"a": [one for one, _ in cells], "b, c": [two for _, two in cells]}, ending=ending)
    path.write_bytes(written(rows))
    assert read_rows(path).columns == rows.columns


def test_json_and_parquet_keep_types_and_gaps(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": null}\n\n{"a": 2.5, "c": [1]}\n')
    assert read_rows(tmp_path / "a.jsonl").columns == {"a": [1, 2.5], "b": [None, None], "c": [None, [1]]}
    rows = Rows(columns={"n": [1, 2], "t": ["x", None]}, ending=".parquet")
    (tmp_path / "a.parquet").write_bytes(written(rows))
    assert read_rows(tmp_path / "a.parquet").columns == rows.columns


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UnknownName):
        Rows(columns={"age": []}, ending=".csv").named("agee")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"a,a\n"),
        ("a.csv", b"a,b\n1,2,3\n"),
        ("a.csv", b"\xff\xfe"),
        ("a.csv", b"a\n" + b"x" * (1 << 20)),
        ("a.jsonl", b"{"),
        ("a.jsonl", b"[" * 200_000),
        ("a.parquet", b"PAR1nothing"),
        ("a.pkl", b"\x80\x04."),
    ],
)
def test_what_is_broken_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Unreadable):
        read_rows(tmp_path / name)
