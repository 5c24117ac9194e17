"""One statement against one requirement: numbers, findings, and what did not run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.evidence.statements.conftest import LINF, ROBUST, claim, judged, result, robust, stated, trusting

from redan.core.finding import Severity
from redan.core.settings import Requirement
from redan.evidence.statements.predicates.result import Ended, SetAside

SCAN = Requirement(statement="scan")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"low": 0.39, "high": 0.6}, "0.5 (0.39 to 0.6, n=100)"),
        ({"partial": True}, "cut short"),
        ({"status": "inconclusive"}, "cut short or could not be decided"),
        ({"n": 0}, "fewer than 1 samples"),
        ({"low": 0.6}, "no number in an interval"),
        ({"value": float("nan")}, "no number in an interval"),
        ({"low": float("nan")}, "no number in an interval"),
        ({"low": 0.5, "high": float("nan")}, "no number in an interval"),
        ({"rule": "RDN-EVA-002"}, "no such number; there is robust_accuracy (RDN-EVA-002"),
        ({"params": {"norm": "linf", "eps": 0.05}}, "eps=0.05"),
        ({"params": {"norm": "linf"}}, "no such number"),
        ({"params": {"norm": "linf", "eps": "0.1"}}, "no such number"),
        ({"name": "clean_accuracy"}, "no such number; there is clean_accuracy"),
    ],
)
def test_a_number_that_does_not_prove_the_claim_is_refused(given: dict[str, object], words: str) -> None:
    basis = {"value": 0.5}
    found = judged(stated(result(claim(**{**basis, **given}))))  # type: ignore[arg-type]
    assert found.exit_code == 1
    assert words in found.failures[0].found


def test_the_worse_end_of_the_interval_decides_unless_the_policy_says_value() -> None:
    wide = robust(0.5, low=0.3, high=0.7)
    assert not judged(wide).admitted
    assert judged(wide, policy=trusting(replace(ROBUST, use="value"))).admitted
    at_most = replace(ROBUST, at_least=None, at_most=0.6)
    # what the statement says about which way is better changes nothing
    assert not judged(robust(0.5, low=0.3, high=0.7, better="higher"), policy=trusting(at_most)).admitted
    assert judged(robust(0.5, low=0.3, high=0.6, better="higher"), policy=trusting(at_most)).admitted


def test_an_infinite_end_is_a_bound_on_the_other_side_only() -> None:
    unbounded = robust(0.5, low=0.45, high=float("inf"))
    assert judged(unbounded).admitted
    assert not judged(unbounded, policy=trusting(replace(ROBUST, at_least=None, at_most=0.9))).admitted


def test_samples_and_parameters_are_compared_as_numbers() -> None:
    assert judged(robust(0.5), policy=trusting(replace(ROBUST, n_at_least=100))).admitted
    assert not judged(robust(0.5), policy=trusting(replace(ROBUST, n_at_least=101))).admitted
    exact = replace(ROBUST, params={"steps": 1})
    assert judged(robust(0.5, params={"steps": 1.0}), policy=trusting(exact)).admitted
    assert not judged(robust(0.5, params={"steps": True}), policy=trusting(exact)).admitted


def test_every_number_that_fits_must_be_enough() -> None:
    assert not judged(stated(result(claim(0.9), claim(0.1)))).admitted
    other = claim(0.1, params={**LINF, "eps": 0.3})
    assert judged(stated(result(claim(0.9), other))).admitted


def test_findings_of_the_policys_own_gate_refuse() -> None:
    policy = trusting(SCAN)
    for status in ("open", "baseline"):
        found = judged(stated(result(counts={status: {"high": 2}}), kind="scan"), policy=policy)
        assert found.failures[0].found == "findings that nobody set aside: 2 high"
    medium = stated(result(counts={"open": {"medium": 1}, "mitigated": {"critical": 1}}), kind="scan")
    assert judged(medium, policy=policy).admitted
    assert not judged(medium, policy=trusting(replace(SCAN, gate=Severity.MEDIUM))).admitted


def test_a_number_that_is_enough_decides_whatever_its_finding_was_rated() -> None:
    rated = stated(result(claim(0.5), counts={"open": {"critical": 1}, "inconclusive": {"low": 1}}))
    assert judged(rated).admitted
    assert not judged(rated, policy=trusting(replace(ROBUST, gate=Severity.HIGH))).admitted
    assert not judged(rated, policy=trusting(Requirement(statement="robustness"))).admitted


@pytest.mark.parametrize("expires", ["2026-06-01", "soon", ""])
def test_a_finding_set_aside_counts_again_from_its_date(expires: str) -> None:
    aside = SetAside(rule="RDN-SUP-001", fingerprint="0" * 16, severity=Severity.HIGH, reason="r", expires="2026-06-02")
    counts = {"suppressed": {"high": 1}}
    assert judged(stated(result(set_aside=(aside,), counts=counts), kind="scan"), policy=trusting(SCAN)).admitted
    expired = result(set_aside=(replace(aside, expires=expires),), counts=counts)
    assert not judged(stated(expired, kind="scan"), policy=trusting(SCAN)).admitted


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"probes": (Ended(probe="A", name="artifacts", outcome="failed", why="no memory"),)}, "failed: no memory"),
        ({"probes": (Ended(probe="A", name="artifacts", outcome="partial", why="budget"),)}, "cut short: budget"),
        ({"probes": (Ended(probe="A", name="artifacts", outcome="skipped", why="-"),)}, "nothing was measured"),
        ({"probes": ()}, "nothing was measured"),
        ({"counts": {"inconclusive": {"low": 1}}}, "1 that could not"),
    ],
)
def test_what_did_not_run_is_never_read_as_clean(more: dict[str, object], words: str) -> None:
    found = judged(stated(result(**more), kind="scan"), policy=trusting(SCAN))  # type: ignore[arg-type]
    assert found.exit_code == 1
    assert words in found.failures[0].found


def test_another_probe_that_failed_does_not_spoil_the_number_of_one_that_ran() -> None:
    probes = (
        Ended(probe="RDN-EVA-001", name="cascade", outcome="ran"),
        Ended(probe="RDN-EVA-003", name="hopskipjump", outcome="failed", why="x"),
    )
    envelope = stated(result(claim(0.5), probes=probes))
    assert judged(envelope).admitted
    assert not judged(envelope, policy=trusting(replace(ROBUST, rule=""))).admitted
