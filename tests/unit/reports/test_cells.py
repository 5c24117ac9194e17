from __future__ import annotations

import sys
from unicodedata import category

import pytest

from redan.reports.cells import cell_width, pad, wrap
from redan.reports.visible import visible


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("模型", 4),
        ("🧨", 2),
        ("é", 1),
        ("e\u0301", 1),
        ("☺\ufe0f", 2),
        ("", 0),
        ("ｆｕｌｌ", 8),
        ("ｶﾀ", 2),
        ("🇩", 2),
    ],
)
def test_cells_are_counted_as_a_terminal_shows_them(text: str, cells: int) -> None:
    assert cell_width(text) == cells


def test_padding_counts_cells() -> None:
    assert pad("模型", 6) == "模型  "
    assert pad("7", 3, right=True) == "  7"
    assert pad("longer", 3) == "longer"


def test_lines_break_between_words() -> None:
    assert wrap("one two three", 9) == ["one two", "three"]


def test_prefixes_count_and_indent_what_follows() -> None:
    assert wrap("one two three", 9, first="- ") == ["- one two", "  three"]
    assert wrap("one two three", 9, first="- ", rest="") == ["- one two", "three"]


def test_a_word_wider_than_the_line_is_broken_and_loses_nothing() -> None:
    lines = wrap("模" * 7, 6, first="  ")
    assert lines == ["  模模"] * 3 + ["  模"]
    assert wrap("a模模", 4) == ["a模", "模"]


def test_a_number_and_its_unit_stay_together() -> None:
    assert wrap("robust 69.3\u00a0% now", 12) == ["robust", "69.3\u00a0% now"]


def test_no_text_is_one_line() -> None:
    assert wrap("", 10, first="- ") == ["-"]


def test_no_character_is_counted_with_fewer_cells_than_a_terminal_library_does() -> None:
    wcwidth = pytest.importorskip("wcwidth", reason="wcwidth is the independent measure of cells")
    every = map(chr, range(0x20, sys.maxunicode + 1))
    shown = [c for c in every if category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") and visible(c) == c]
    assert len(shown) > 100_000
    assert [hex(ord(c)) for c in shown if wcwidth.wcwidth(c) > cell_width(c)] == []
