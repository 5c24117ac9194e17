from __future__ import annotations

import math
from dataclasses import replace

import pytest

from redan.core.finding import Finding, Quantity, Severity
from redan.core.report import Ran, Report
from redan.reports.summary import counting, gaps, headline, set_aside, tally, threats, why_set_aside


def rate(name: str, value: float, n: int, better: str) -> Quantity:
    return Quantity(name=name, value=value, unit="fraction", n=n, low=value, high=value, better=better)  # type: ignore[arg-type]


def finding(*quantities: Quantity, **more: object) -> Finding:
    base = {
        "rule": "R",
        "threat": "t",
        "subject": "s",
        "title": "x",
        "severity": Severity.LOW,
        "quantities": quantities,
    }
    return Finding(**{**base, **more})  # type: ignore[arg-type]


def evasion(clean: float, robust: float, n: int = 1000) -> Finding:
    success = 1 - robust / clean if clean else 0.0
    return finding(
        rate("robust_accuracy", robust, n, "higher"),
        rate("clean_accuracy", clean, n, "higher"),
        rate("attack_success_rate", success, round(clean * n), "lower"),
    )


@pytest.mark.parametrize(("clean", "robust"), [(0.844, 0.693), (1.0, 0.0), (1.0, 1.0), (0.9, 0.0), (0.5, 0.5)])
def test_the_headline_of_an_attack_is_robust_accuracy(clean: float, robust: float) -> None:
    found = headline((evasion(clean, robust),))
    assert found is not None
    assert found.name == "robust_accuracy"


def test_the_headline_is_the_worst_rate_of_all_findings() -> None:
    found = headline((evasion(0.9, 0.8), evasion(0.9, 0.1)))
    assert found is not None
    assert found.value == pytest.approx(0.1)


def test_a_finding_leads_with_its_first_quantity_even_where_another_looks_worse() -> None:
    lead, other = rate("lead", 0.9, 10, "higher"), rate("other", 0.1, 10, "higher")
    assert headline((finding(lead, other),)) == lead


def test_only_rates_with_a_better_side_can_be_a_headline() -> None:
    count = Quantity(name="calls", value=7, unit="count", n=1, low=7, high=7)
    share = rate("share", 0.5, 10, "neither")
    assert headline((finding(count, share),)) is None
    none = rate("broken", math.nan, 10, "higher")
    best = rate("fine", 0.99, 10, "higher")
    assert headline((finding(none), finding(best, count))) == best


def test_what_was_not_tested_is_never_called_measured(report: Report) -> None:
    found = {t.threat: (t.measured, t.worst) for t in threats(report)}
    assert found == {
        "evasion": ("partly measured", Severity.MEDIUM),
        "supply_chain": ("measured", Severity.CRITICAL),
        "privacy": ("partly measured", None),
        "bias": ("not tested", None),
        "theft": ("not tested", None),
    }


def test_a_finding_without_a_recorded_probe_was_measured(report: Report) -> None:
    bare = replace(report, probes=())
    assert {t.measured for t in threats(bare)} == {"measured"}


def test_every_gap_is_told_with_its_reason(report: Report) -> None:
    broken = replace(report, run=replace(report.run, stopped="interrupted"))
    found = [(g.outcome, g.why) for g in gaps(broken)]
    assert found[0] == ("stopped", "interrupted")
    assert ("failed", "ValueError: the model answered NaN for 3 of 64 inputs") in found
    assert ("not examined", "permission denied") in found
    assert len(found) == 6


def test_a_gap_without_a_reason_says_that(report: Report) -> None:
    silent = Ran(probe="P", name="p", threat="t", outcome="skipped")
    assert gaps(replace(report, probes=(silent,), unexamined=()))[0].why == "no reason was recorded"


def test_findings_come_worst_first_and_none_is_lost(report: Report) -> None:
    assert [f.severity.word for f in counting(report)] == ["critical", "medium", "medium", "low"]
    assert [f.status for f in set_aside(report)] == ["suppressed", "baseline"]
    assert len(counting(report)) + len(set_aside(report)) == len(report.findings)


def test_files_are_counted_by_verdict(report: Report) -> None:
    assert tally(report.artifacts) == {"unsafe": 1, "unknown": 2, "safe": 2}
    assert tally(()) == {}


def test_every_status_has_a_reason(report: Report) -> None:
    told = why_set_aside(set_aside(report)[0])
    assert "trained by us in 2024" in told
    assert "2027-03-31" in told
    assert "baseline" in why_set_aside(finding(status="baseline"))
    assert "mitigation" in why_set_aside(finding(status="mitigated"))
    assert why_set_aside(finding(status="suppressed")) == "no reason was recorded"
