from __future__ import annotations

import pytest

from redan.reports.visible import shortened, visible


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb", "a\\x0ab"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udc80", "\\udc80"),
        ("\ufffe", "\\ufffe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\x85", "\\x85"),
    ],
)
def test_hidden_characters_become_escapes(hidden: str, shown: str) -> None:
    assert visible(hidden) == shown


@pytest.mark.parametrize("text", ["plain", "ε ≤ 0.1", "模型🧨", "no\u00a0break", "C:\\temp", "<b>&amp;"])
def test_what_can_be_seen_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_kept_characters_stay() -> None:
    assert visible("a\nb\tc", keep="\n") == "a\nb\\x09c"


def test_a_cut_says_how_much_is_missing() -> None:
    assert shortened("a" * 1310, 10) == "a" * 10 + " [+1,300 characters]"
    assert shortened("a" * 10, 10) == "a" * 10
