"""Two reports: new, fixed, worse, better, noise, same; a partial number proves no change."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, isnan, nan
from typing import Any

import pytest

from redan.core.compare import compare, difference, judge
from redan.core.errors import UnknownName
from redan.core.finding import Better, Finding, Quantity, Severity
from redan.core.report import Gate, Outcome, Ran, Report, Run, Tool
from redan.core.subject import SubjectRef
from redan.kernels import statistics


def rate(k: int, n: int, *, better: Better = "higher", name: str = "robust_accuracy") -> Quantity:
    """A rate with Wilson's interval."""
    low, high = statistics.wilson(k, n)
    return Quantity(name=name, value=k / n, unit="fraction", n=n, low=low, high=high, better=better)


def finding(*quantities: Quantity, **more: Any) -> Finding:
    """A finding of the cascade."""
    base = Finding(
        rule="RDN-EVA-001", threat="evasion", subject="net", title="t", severity=Severity.LOW, quantities=quantities
    )
    return replace(base, **more)


RAN = Ran(probe="RDN-EVA-001", name="cascade", threat="evasion", outcome="ran")


def report(*findings: Finding, name: str = "net", probes: tuple[Ran, ...] = (RAN,)) -> Report:
    """A report of findings."""
    run = Run(
        command="",
        seed=0,
        threads=1,
        machine="",
        versions={},
        config_digest="",
        started="",
        wall_s=0.0,
        cpu_s=0.0,
        complete=True,
    )
    return Report(
        tool=Tool(name="redan", version="0"),
        run=run,
        subject=SubjectRef(name=name, kind="torch"),
        gate=Gate(level=Severity.HIGH, verdict="pass", exit_code=0),
        probes=probes,
        findings=findings,
    )


@pytest.mark.parametrize("first", [(0, 40), (7, 40), (20, 40), (40, 40), (500, 1000)])
@pytest.mark.parametrize("second", [(0, 30), (11, 30), (30, 30), (420, 1000)])
def test_for_wilson_intervals_the_difference_is_newcombes(first: tuple[int, int], second: tuple[int, int]) -> None:
    expected = statistics.difference(first, second)
    assert difference(rate(*first), rate(*second)) == pytest.approx((expected.low, expected.high))


def test_newcombes_published_example() -> None:
    # Newcombe 1998, table II, contrast (a): 56/70 − 48/80, method 10 gives 0.0524 to 0.3339
    assert difference(rate(48, 80), rate(56, 70)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (rate(700, 1000), rate(500, 1000), "worse"),
        (rate(500, 1000), rate(700, 1000), "better"),
        (rate(500, 1000), rate(520, 1000), "noise"),
        (rate(5, 10), rate(8, 10), "noise"),
        (rate(500, 1000), rate(500, 1000), "same"),
        (rate(700, 1000, better="lower"), rate(500, 1000, better="lower"), "better"),
        (rate(500, 1000, better="lower"), rate(700, 1000, better="lower"), "worse"),
        (rate(500, 1000, better="neither"), rate(700, 1000, better="neither"), "same"),
        (rate(700, 1000), replace(rate(500, 1000), partial=True), "noise"),
        (replace(rate(700, 1000), partial=True), rate(500, 1000), "noise"),
    ],
)
def test_a_pair_is_judged_by_its_numbers(before: Quantity, after: Quantity, kind: str) -> None:
    assert judge(finding(before), finding(after))[0] == kind


def test_one_number_worse_outweighs_another_better() -> None:
    before = finding(rate(900, 1000, name="clean_accuracy"), rate(100, 1000))
    after = finding(rate(700, 1000, name="clean_accuracy"), rate(500, 1000))
    kind, detail = judge(before, after)
    assert kind == "worse"
    assert detail.startswith("clean_accuracy 0.9 → 0.7 (difference -0.2")


def test_without_numbers_the_severity_tells() -> None:
    low, high = finding(), finding(severity=Severity.HIGH)
    assert judge(low, high) == ("worse", "severity low → high")
    assert judge(high, low) == ("better", "severity high → low")
    assert judge(low, low) == ("same", "unchanged")


def test_new_and_fixed() -> None:
    changes = compare(report(finding()), report(finding(rule="RDN-EVA-002"))).changes
    assert {(c.kind, c.rule) for c in changes} == {("new", "RDN-EVA-002"), ("fixed", "RDN-EVA-001")}


def test_every_finding_of_either_report_is_there_once() -> None:
    one, two, three = finding(), finding(rule="B"), finding(rule="C")
    changes = compare(report(one, two), report(two, three)).changes
    assert sorted((c.rule, c.kind) for c in changes) == [("B", "same"), ("C", "new"), ("RDN-EVA-001", "fixed")]
    assert {c.fingerprint for c in changes} == {f.fingerprint for f in (one, two, three)}


def test_a_renamed_subject_is_matched_with_what_it_was() -> None:
    before = report(finding(rate(100, 1000), subject="weak"), name="weak")
    after = report(finding(rate(500, 1000), subject="hardened"), name="hardened")
    (change,) = compare(before, after).changes
    assert change.kind == "better"
    assert change.fingerprint == after.findings[0].fingerprint


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ([], [finding()], True),
        ([], [finding(status="inconclusive")], True),
        ([], [finding(status="suppressed")], False),
        ([], [finding(status="baseline")], False),
        ([finding()], [], False),
        ([finding(rate(7, 10))], [finding(rate(5, 10))], False),
        ([finding(rate(700, 1000))], [finding(rate(500, 1000))], True),
    ],
)
def test_what_counts_as_worse(before: list[Finding], after: list[Finding], *, worse: bool) -> None:
    assert compare(report(*before), report(*after)).worse is worse


@pytest.mark.parametrize("outcome", ["skipped", "failed"])
def test_what_the_earlier_report_did_not_measure_is_no_sign_of_getting_worse(outcome: Outcome) -> None:
    unmeasured = report(probes=(replace(RAN, outcome=outcome),))
    found = compare(unmeasured, report(finding()))
    assert [c.kind for c in found.changes] == ["new"]
    assert not found.worse


def distance(value: float, low: float, high: float) -> Quantity:
    """A median distance, which may be infinite."""
    return Quantity(name="median_distance", value=value, unit="linf", n=50, low=low, high=high, better="higher")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (distance(0.1, 0.08, 0.12), distance(inf, 0.3, inf), "better"),
        (distance(inf, 0.3, inf), distance(0.1, 0.08, 0.12), "worse"),
        (distance(0.1, 0.08, 0.12), distance(inf, 0.1, inf), "noise"),
        (distance(0.1, 0.08, 0.12), distance(inf, -inf, inf), "noise"),
        (distance(0.1, -inf, inf), distance(0.5, -inf, inf), "noise"),
        (distance(0.1, 0.08, 0.12), distance(nan, 0.0, 1.0), "noise"),
        (distance(nan, 0.0, 1.0), distance(nan, 0.0, 1.0), "noise"),
        (distance(inf, inf, inf), distance(inf, inf, inf), "same"),
    ],
)
def test_infinite_and_unknown_numbers_claim_nothing_that_their_intervals_do_not_show(
    before: Quantity, after: Quantity, kind: str
) -> None:
    assert judge(finding(before), finding(after))[0] == kind
    assert not any(isnan(end) for end in difference(before, after))


def test_a_comparison_is_one_json_document() -> None:
    document = json.loads(compare(report(finding()), report()).to_json())
    assert document["schema"] == "redan/comparison/1"
    assert document["changes"][0]["kind"] == "fixed"
    assert document["changes"][0]["after"] is None


def test_a_format_without_a_form_for_comparisons_says_so(tmp_path: Any) -> None:
    with pytest.raises(UnknownName, match="has no form for a comparison"):
        compare(report(), report()).save(tmp_path / "diff.sarif")
