"""What fails a run: gate, ignores, baseline, doubts; not tested is never clean."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from redan.core.errors import ConfigError
from redan.core.finding import Finding, Location, Quantity, Severity, Status
from redan.core.policy import FAIL, INTERRUPTED, PASS, UNDECIDED, Ignore, Policy
from redan.core.report import Artifact, Gate, Outcome, Ran, Report, Run, Tool
from redan.core.subject import SubjectRef

TODAY = date(2026, 6, 1)
RAN = Ran(probe="RDN-EVA-001", name="cascade", threat="evasion", outcome="ran")


def robust(value: float, n: int = 100, *, width: float = 0.05, partial: bool = False) -> Quantity:
    """A robust accuracy with an interval of twice the width."""
    return Quantity(
        name="robust_accuracy",
        value=value,
        unit="fraction",
        n=n,
        low=value - width,
        high=value + width,
        better="higher",
        partial=partial,
    )


def finding(severity: Severity = Severity.HIGH, **more: Any) -> Finding:
    """An open finding of the cascade."""
    base = Finding(
        rule="RDN-EVA-001",
        threat="evasion",
        subject="net",
        title="t",
        severity=severity,
        quantities=(robust(0.2),),
        locations=(Location(uri="data/digits.npz"),),
    )
    return replace(base, **more)


def report(*findings: Finding, probes: tuple[Ran, ...] = (RAN,), stopped: str = "", **more: Any) -> Report:
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
        complete=not stopped,
        stopped=stopped,
    )
    return Report(
        tool=Tool(name="redan", version="0"),
        run=run,
        subject=SubjectRef(name="net", kind="torch"),
        gate=Gate(level=Severity.HIGH, verdict="undecided", exit_code=3),
        probes=probes,
        findings=findings,
        **more,
    )


def decided(policy: Policy, found: Report) -> Gate:
    """Judge and decide, as a run does."""
    return policy.decide(replace(found, findings=policy.judged(found.findings)))


@pytest.mark.parametrize("level", list(Severity))
@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("status", ["open", "suppressed", "baseline", "mitigated", "inconclusive"])
def test_the_gate_for_every_severity_and_status(level: Severity, severity: Severity, status: Status) -> None:
    gate = decided(Policy(gate=level, today=TODAY), report(finding(severity, status=status)))
    if status == "open" and severity >= level:
        assert (gate.verdict, gate.exit_code) == ("fail", FAIL)
        assert gate.reasons == (f"1 finding at or above {level.word} (worst: {severity.word})",)
    elif status == "inconclusive":
        assert (gate.verdict, gate.exit_code) == ("undecided", UNDECIDED)
        assert gate.reasons == ("1 finding could not be decided",)
    else:
        assert (gate.verdict, gate.exit_code) == ("pass", PASS)
        assert gate.reasons == (f"no open finding at or above {level.word}",)
    assert gate.level is level


def test_the_gate_is_high_unless_said_otherwise() -> None:
    assert decided(Policy(), report(finding(Severity.HIGH))).verdict == "fail"
    assert decided(Policy(), report(finding(Severity.MEDIUM))).verdict == "pass"


@pytest.mark.parametrize(
    ("outcome", "why", "reason"),
    [
        ("failed", "it raised", "cascade failed: it raised"),
        ("partial", "the budget is spent", "cascade was cut short: the budget is spent"),
        ("skipped", "needs gradients", "nothing was measured"),
    ],
)
def test_failed_partial_and_skipped_never_pass(outcome: Outcome, why: str, reason: str) -> None:
    ran = replace(RAN, outcome=outcome, why=why)
    gate = decided(Policy(), report(finding(Severity.INFO), probes=(ran,)))
    assert (gate.verdict, gate.exit_code) == ("undecided", UNDECIDED)
    assert reason in gate.reasons


def test_nothing_at_all_never_passes() -> None:
    assert decided(Policy(), report(probes=())).exit_code == UNDECIDED
    assert decided(Policy(), report()).exit_code == UNDECIDED
    safe = Artifact(path="a.npy", verdict="safe", reasons=())
    assert decided(Policy(), report(artifacts=(safe,))).exit_code == PASS


@pytest.mark.parametrize("outcome", ["failed", "partial"])
def test_found_wins_over_doubt_and_the_doubt_is_still_told(outcome: Outcome) -> None:
    ran = replace(RAN, outcome=outcome, why="w")
    gate = decided(Policy(), report(finding(), probes=(ran, RAN)))
    assert (gate.verdict, gate.exit_code) == ("fail", FAIL)
    assert len(gate.reasons) == 2
    assert "w" in gate.reasons[1]


def test_an_interruption_is_130_whatever_was_found() -> None:
    ran = replace(RAN, outcome="partial", why="interrupted")
    assert decided(Policy(), report(finding(), probes=(ran,), stopped="interrupted")).exit_code == INTERRUPTED
    gate = decided(Policy(), report(probes=(ran,), stopped="interrupted"))
    assert (gate.verdict, gate.exit_code) == ("undecided", INTERRUPTED)


def test_a_run_that_stopped_after_its_last_probe_is_undecided() -> None:
    gate = decided(Policy(), report(finding(Severity.LOW), stopped="the budget of 1 wall seconds is spent"))
    assert gate.exit_code == UNDECIDED
    assert gate.reasons == ("the run stopped early: the budget of 1 wall seconds is spent",)


def test_a_threat_asked_for_by_name_must_be_measured() -> None:
    low = report(finding(Severity.LOW))
    assert decided(Policy(required=("evasion",)), low).exit_code == PASS
    gate = decided(Policy(required=("evasion", "privacy")), low)
    assert gate.exit_code == UNDECIDED
    assert gate.reasons == ("privacy was asked for and not measured",)
    skipped = Ran(probe="P", name="p", threat="privacy", outcome="skipped", why="no training data")
    assert decided(Policy(required=("privacy",)), replace(low, probes=(RAN, skipped))).exit_code == UNDECIDED


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"reason": "", "expires": "2027-01-01", "rule": "R"}, "has no reason"),
        ({"reason": "  \n", "expires": "2027-01-01", "rule": "R"}, "has no reason"),
        ({"reason": "why", "expires": "2027-01-01"}, "names no rule, fingerprint or path"),
        ({"reason": "why", "expires": "", "rule": "R"}, "expires on '', which is no date"),
        ({"reason": "why", "expires": "never", "rule": "R"}, "expires on 'never', which is no date"),
        ({"reason": "why", "expires": "2027-02-30", "rule": "R"}, "which is no date"),
    ],
)
def test_an_ignore_needs_reason_target_and_expiry(words: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ignore(**words)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("words", "covered"),
    [
        ({"rule": "RDN-EVA-001"}, True),
        ({"rule": "RDN-EVA-002"}, False),
        ({"fingerprint": finding().fingerprint}, True),
        ({"fingerprint": "0" * 16}, False),
        ({"path": "data/*"}, True),
        ({"path": "data/digits.npz"}, True),
        ({"path": "Data/*"}, False),
        ({"path": "other/*"}, False),
        ({"rule": "RDN-EVA-001", "path": "other/*"}, False),
        ({"rule": "RDN-EVA-001", "path": "*.npz"}, True),
    ],
)
def test_what_an_ignore_covers(words: dict[str, str], covered: bool) -> None:
    ignore = Ignore(reason="why", expires="2027-01-01", **words)
    assert ignore.covers(finding()) is covered
    gate = decided(Policy(ignores=(ignore,), today=TODAY), report(finding()))
    assert gate.exit_code == (PASS if covered else FAIL)


def test_a_path_ignore_covers_no_finding_without_a_place() -> None:
    assert not Ignore(reason="why", expires="2027-01-01", path="*").covers(finding(locations=()))


def test_the_suppressed_stays_visible_with_its_reason() -> None:
    ignore = Ignore(reason="a test fixture", expires="2027-01-01", rule="RDN-EVA-001")
    (judged,) = Policy(ignores=(ignore,), today=TODAY).judged([finding()])
    assert judged.status == "suppressed"
    assert judged.suppression is not None
    assert (judged.suppression.reason, judged.suppression.expires) == ("a test fixture", "2027-01-01")
    assert replace(judged, status="open", suppression=None) == finding()


@pytest.mark.parametrize(
    ("today", "exit_code", "expired"),
    [
        (date(2026, 12, 31), PASS, 0),
        (date(2027, 1, 1), FAIL, 1),
        (date(2030, 1, 1), FAIL, 1),
    ],
)
def test_an_expired_ignore_gates_again(today: date, exit_code: int, expired: int) -> None:
    policy = Policy(ignores=(Ignore(reason="why", expires="2027-01-01", rule="RDN-EVA-001"),), today=today)
    assert decided(policy, report(finding())).exit_code == exit_code
    assert len(policy.expired()) == expired


def test_a_policy_without_a_date_trusts_no_ignore() -> None:
    policy = Policy(ignores=(Ignore(reason="why", expires="9999-12-31", rule="RDN-EVA-001"),))
    assert decided(policy, report(finding())).exit_code == FAIL


def test_an_ignore_can_set_aside_what_could_not_be_decided() -> None:
    ignore = Ignore(reason="read by hand", expires="2027-01-01", rule="RDN-EVA-001")
    policy = Policy(ignores=(ignore,), today=TODAY)
    assert decided(policy, report(finding(status="inconclusive"))).exit_code == PASS


BASELINE = report(finding(Severity.HIGH, quantities=(robust(0.2),)))


@pytest.mark.parametrize(
    ("after", "status", "exit_code"),
    [
        (finding(quantities=(robust(0.2),)), "baseline", PASS),
        (finding(quantities=(robust(0.17),)), "baseline", PASS),
        (finding(quantities=(robust(0.6),)), "baseline", PASS),
        (finding(quantities=(robust(0.05),)), "open", FAIL),
        (finding(severity=Severity.CRITICAL), "open", FAIL),
        (finding(params={"eps": 0.2}), "open", FAIL),
        (finding(rule="RDN-EVA-009"), "open", FAIL),
        (finding(locations=(Location(uri="data/other.npz"),)), "open", FAIL),
    ],
    ids=["same", "noise", "better", "worse", "more severe", "other params", "new rule", "new place"],
)
def test_a_baseline_gates_only_what_is_new_or_worse(after: Finding, status: Status, exit_code: int) -> None:
    policy = Policy(baseline=BASELINE, today=TODAY)
    (judged,) = policy.judged([after])
    assert judged.status == status
    assert decided(policy, report(after)).exit_code == exit_code


def test_a_baseline_of_a_baseline_still_holds() -> None:
    carried = replace(BASELINE, findings=Policy(baseline=BASELINE).judged(BASELINE.findings))
    assert carried.findings[0].status == "baseline"
    assert decided(Policy(baseline=carried), report(finding())).exit_code == PASS


@pytest.mark.parametrize("status", ["suppressed", "mitigated", "inconclusive"])
def test_a_baseline_does_not_outlive_an_ignore_nor_excuse_what_was_mended(status: Status) -> None:
    earlier = report(finding(status=status))
    assert decided(Policy(baseline=earlier, today=TODAY), report(finding())).exit_code == FAIL


def test_a_baseline_never_hides_a_doubt() -> None:
    policy = Policy(baseline=report(finding(status="inconclusive")), today=TODAY)
    assert decided(policy, report(finding(status="inconclusive"))).exit_code == UNDECIDED
