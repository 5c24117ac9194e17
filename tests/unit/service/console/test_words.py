"""Times and numbers as pages write them."""

from __future__ import annotations

import math

import pytest

from redan.service.console import words
from redan.service.console.rendering import environment

S = 1_000_000
NOW = 1_795_000_000 * S


@pytest.mark.parametrize(
    ("ago_s", "said"),
    [
        (0, "just now"),
        (-3, "just now"),
        (42, "42 seconds ago"),
        (-42, "in 42 seconds"),
        (61, "1 minute ago"),
        (3 * 3600, "3 hours ago"),
        (-(24 * 3600 - 20), "in 24 hours"),
        (90 * 86400, "90 days ago"),
    ],
)
def test_times_are_told_relatively(ago_s: int, said: str) -> None:
    assert words.relative(NOW - ago_s * S, NOW) == said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0312, "fraction", "3.12 %"),
        (0.00012, "s", "120 µs"),
        (0.0, "s", "0 s"),
        (12.5, "s", "12.5 s"),
        (math.nan, "s", "unknown"),
        (math.inf, "", "unknown"),
        (3.0, "count", "3"),
        (0.25, "linf", "0.25 linf"),
    ],
)
def test_numbers_carry_their_unit(value: float, unit: str, said: str) -> None:
    assert words.number(value, unit) == said


def test_times_are_utc_and_machines_can_read_them() -> None:
    assert words.moment(0) == "1970-01-01 00:00 UTC"
    assert words.machine_time(61 * S) == "1970-01-01T00:01:01Z"
    assert words.short("a" * 64) == "aaaaaaaaaaaa…"
    assert words.count(1234567) == "1\u2009234\u2009567"


def test_an_interval_that_nobody_knows_is_left_out() -> None:
    macro = environment().get_template("console_parts.html").module
    known = {"value": 0.5, "low": 0.25, "high": 0.75, "unit": "fraction", "n": 8}
    said = macro.quantity(known)  # type: ignore[attr-defined]  # a template's macro
    assert said == '50 % <span class="soft">(25 % to 75 %, n = 8)</span>'
    alone = macro.quantity(known | {"low": math.nan, "high": math.nan, "n": 1})  # type: ignore[attr-defined]
    assert alone == '50 % <span class="soft">(n = 1)</span>'
