from __future__ import annotations

import math

import pytest

from redan.core.finding import Quantity
from redan.reports.figures import GLUE, bounded, figure, interval, plural, spread, words


def quantity(value: float, low: float, high: float, **more: object) -> Quantity:
    base: dict[str, object] = {"name": "q", "unit": "fraction", "n": 10}
    return Quantity(value=value, low=low, high=high, **{**base, **more})  # type: ignore[arg-type]  # chosen per case


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (0.693, "fraction", "69.3 %"),
        (0.0, "fraction", "0.0 %"),
        (1.0, "fraction", "100.0 %"),
        (0.0004, "fraction", "0.04 %"),
        (0.00012, "fraction", "0.012 %"),
        (0.9996, "fraction", "99.96 %"),
        (-0.25, "fraction", "-25.0 %"),
        (math.nan, "fraction", "not a number"),
        (math.inf, "s", "infinite"),
        (-math.inf, "s", "minus infinite"),
        (184220, "count", "184,220"),
        (12.3456, "s", "12.35 s"),
        (1234.56, "s", "1,234.6 s"),
        (0.00001234, "linf", "1.234e-05 linf"),
        (1e15, "count", "1e+15"),
        (3.0, "", "3"),
    ],
)
def test_a_number_keeps_its_meaning(value: float, unit: str, told: str) -> None:
    assert figure(value, unit).replace(GLUE, " ") == told


@pytest.mark.parametrize("tiny", [10.0**-k for k in range(2, 16)])
def test_a_rate_never_rounds_to_nothing_or_everything(tiny: float) -> None:
    assert float(figure(tiny, "fraction").split(GLUE)[0]) > 0
    assert float(figure(1 - tiny, "fraction").split(GLUE)[0]) < 100


def test_an_interval_tells_its_unit_once() -> None:
    assert interval(0.664, 0.721, "fraction").replace(GLUE, " ") == "66.4 to 72.1 %"
    assert interval(0.1311, 0.1428, "linf").replace(GLUE, " ") == "0.1311 to 0.1428 linf"
    assert interval(1, 2) == "1 to 2"
    assert interval(math.nan, 0.5, "fraction").replace(GLUE, " ") == "not a number to 50.0 %"


def test_an_exact_count_says_so() -> None:
    assert spread(quantity(5, 5, 5, unit="count")) == "exact"
    assert spread(quantity(0.5, 0.4, 0.6)).replace(GLUE, " ") == "40.0 to 60.0 %"


def test_a_quantity_cut_short_is_a_bound() -> None:
    told = [bounded(quantity(0.5, 0.4, 0.6, better=b, partial=True)) for b in ("higher", "lower", "neither")]
    assert [t.replace(GLUE, " ") for t in told] == ["at most 50.0 %", "at least 50.0 %", "50.0 % so far"]
    assert bounded(quantity(0.5, 0.4, 0.6, better="higher")).replace(GLUE, " ") == "50.0 %"


def test_words_and_plurals() -> None:
    assert words("robust_accuracy\x1b") == "robust accuracy\\x1b"
    assert [plural(1, "probe"), plural(0, "probe"), plural(1200, "file")] == ["1 probe", "0 probes", "1,200 files"]
