"""A number becomes a severity at the pessimistic end of its interval, in one place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redan.core import catalogue
from redan.core.finding import Better, Quantity, Severity
from redan.core.threat import Scale, Threat

STEPS = ((0.1, Severity.CRITICAL), (0.5, Severity.HIGH))
LEAKS = ((0.8, Severity.HIGH), (0.6, Severity.LOW))


def measured(value: float, *, better: Better, name: str = "share", width: float = 0.05) -> Quantity:
    """A share with an interval of twice the width."""
    return Quantity(name=name, value=value, unit="fraction", n=50, low=value - width, high=value + width, better=better)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.05, Severity.CRITICAL),
        (0.14, Severity.CRITICAL),  # 0.14 alone would be high; its low end is not
        (0.15, Severity.HIGH),
        (0.54, Severity.HIGH),
        (0.55, Severity.INFO),
        (0.9, Severity.INFO),
    ],
)
def test_higher_is_better(value: float, expected: Severity) -> None:
    scale = Scale(quantity="share", steps=STEPS)
    # the low end of 0.15 is 0.1 and that of 0.55 is 0.5: a threshold is not below itself
    found = measured(value, better="higher")
    assert scale.severity(replace(found, low=round(found.low, 9))) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.9, Severity.HIGH), (0.76, Severity.HIGH), (0.74, Severity.LOW), (0.54, Severity.INFO)],
)
def test_lower_is_better(value: float, expected: Severity) -> None:
    assert Scale(quantity="share", steps=LEAKS).severity(measured(value, better="lower")) is expected


def test_a_wide_interval_is_never_milder_than_a_narrow_one() -> None:
    scale = Scale(quantity="share", steps=STEPS)
    widths = [scale.severity(measured(0.56, better="higher", width=w)) for w in (0.01, 0.1, 0.5)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_a_threat_picks_the_scale_by_name() -> None:
    threat = Threat(
        id="t",
        question="?",
        applies_when="always",
        scales=(Scale(quantity="share", steps=STEPS), Scale(quantity="leak", steps=LEAKS, otherwise=Severity.LOW)),
    )
    assert threat.severity(measured(0.01, better="higher")) is Severity.CRITICAL
    assert threat.severity(measured(0.01, better="lower", name="leak")) is Severity.LOW
    assert threat.severity(measured(0.01, better="higher", name="unknown")) is Severity.INFO


@pytest.mark.parametrize("entry", catalogue.entries("threat"), ids=lambda e: e.id)
def test_scales_of_the_catalogue_run_from_worst_to_mildest(entry: catalogue.Entry) -> None:
    for scale in catalogue.load(entry).scales:
        severities = [severity for _, severity in scale.steps]
        thresholds = [threshold for threshold, _ in scale.steps]
        assert severities == sorted(severities, reverse=True)
        assert thresholds in (sorted(thresholds), sorted(thresholds, reverse=True))
        assert len(set(thresholds)) == len(thresholds)
