"""Statements out of reports: bound to the model's bytes, and never cleaner than the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from redan.core.codec import encode
from redan.core.errors import SignatureRefused, UsageError
from redan.core.report import Artifact, Ran, Report, Unexamined
from redan.core.subject import Component, SubjectRef
from redan.evidence.statements import Resource, parse, statement, type_of
from redan.evidence.statements.from_report import Sourced, results_of
from redan.evidence.statements.predicates.result import Result, read_result
from redan.evidence.statements.resource import Model
from redan.testing.reports import report, sample_reports

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NET = "ab" * 32
FILE = Model(name="net.pt", digest={"sha256": NET}, files={"net.pt": NET})
SCANNED = Ran(probe="RDN-SUP-001", name="artifacts", threat="supply_chain", outcome="ran")
ATTACKED = Ran(probe="RDN-EVA-001", name="cascade", threat="evasion", outcome="ran")


def stated(*reports: Report, model: Model = FILE) -> dict[str, Result]:
    found = results_of([Sourced.of(each) for each in reports], model, sealed=NOW)
    for kind, result in found.results.items():
        payload = statement([Resource(name=model.name, digest=model.digest)], type_of(kind), result.predicate())
        assert read_result(parse(payload).predicate).predicate() == result.predicate()
    return dict(found.results)


def about(*components: Component, **more: Any) -> Report:
    return replace(report(ATTACKED), subject=SubjectRef(name="net", kind="torch", components=components), **more)


def part(digest: str, role: str = "weights", uri: str = "net.pt") -> Component:
    return Component(role=role, uri=uri, sha256=digest)


def test_each_threat_becomes_a_statement_of_its_kind() -> None:
    both = replace(report(SCANNED, ATTACKED), findings=sample_reports()["findings"].findings)
    found = stated(both)
    assert set(found) == {"scan", "robustness"}
    numbers = {(c.name, c.value, c.low, c.high, c.n, c.params["eps"]) for c in found["robustness"].claims}
    assert ("robust_accuracy", 0.4, 0.28, 0.54, 50, 0.1) in numbers
    assert found["robustness"].counts["open"] == {"high": 1, "info": 1}
    assert found["robustness"].set_aside[0].reason == "reason-of-suppressed"
    assert {c.name for c in found["scan"].claims} == {"unsafe_files", "unknown_files", "unexamined_files"}
    assert found["scan"].finished == "2026-01-01T00:00:01+00:00"
    source = found["scan"].sources[0]
    assert (source.sha256, source.gate) == (sha256(both.to_json()).hexdigest(), encode(both.gate))


@pytest.mark.parametrize("name", ["findings", "incomplete", "no numbers"])
def test_what_a_report_says_survives_as_canonical_json(name: str) -> None:
    assert stated(sample_reports()[name])["robustness"].probes


def test_hostile_text_is_stated_as_it_is() -> None:
    hostile = replace(sample_reports()["hostile"], probes=(ATTACKED,))
    odd = tuple(replace(f, threat="evasion") for f in hostile.findings)
    subject = replace(hostile.subject, components=(part(NET),))
    assert len(stated(replace(hostile, findings=odd, subject=subject))["robustness"].claims) >= len(odd)


@pytest.mark.parametrize(
    "threat", ["revocation", "approval", "bom", "provenance", "scan", "robustness", "a/b", "É", ""]
)
def test_a_threat_cannot_pass_for_another_kind_of_statement(threat: str) -> None:
    found = results_of([Sourced.of(report(ATTACKED, replace(ATTACKED, threat=threat)))], FILE, sealed=NOW)
    assert set(found.results) == {"robustness"}
    assert len(found.results["robustness"].probes) == 1
    assert "cannot be told from another kind" in found.left_out[0]


def test_what_failed_or_was_cut_short_is_stated_and_what_was_skipped_is_left_out() -> None:
    incomplete = sample_reports()["incomplete"]
    found = results_of([Sourced.of(incomplete)], FILE, sealed=NOW)
    assert {p.outcome: p.why for p in found.results["robustness"].probes} == {"ran": "", "partial": "reason-of-partial"}
    assert [p.outcome for p in found.results["scan"].probes] == ["failed"]
    assert found.left_out == ("privacy is not stated: every probe was skipped",)


def test_several_reports_of_a_threat_become_one_as_old_as_the_oldest() -> None:
    first = report(ATTACKED)
    later = replace(first, run=replace(first.run, started="2026-03-01T01:00:00+02:00"))
    found = stated(later, first)["robustness"]
    assert found.finished == "2026-01-01T00:00:01+00:00"
    assert [s.finished for s in found.sources] == ["2026-02-28T23:00:01+00:00", "2026-01-01T00:00:01+00:00"]


@pytest.mark.parametrize("started", ["", "2026-01-01T00:00:00", "long ago"])
def test_a_report_without_a_time_is_refused(started: str) -> None:
    bad = report(ATTACKED)
    with pytest.raises(UsageError, match="for when it was made"):
        stated(replace(bad, run=replace(bad.run, started=started)))


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (about(part("cd" * 32)), "about another model"),
        (about(part(NET), part("cd" * 32, "artifact", "other.pt")), "'other.pt'"),
        (about(part("")), "without its digest"),
        (about(), "not bound to any file"),
        (about(part("cd" * 32, "code", "net.py")), "not bound to any file"),
    ],
)
def test_a_report_about_other_bytes_is_refused(report: Report, words: str) -> None:
    with pytest.raises(SignatureRefused, match=words):
        stated(report)


def test_code_beside_the_model_is_named_in_the_statement() -> None:
    code = part("cd" * 32, "code", "net.py")
    assert encode(code) in stated(about(part(NET), code))["robustness"].measured


def test_weights_in_several_files_are_recognised() -> None:
    shards = {"a.safetensors": "01" * 32, "b.safetensors": "02" * 32, "config.json": "03" * 32}
    folder = Model(name="m", digest={"dirHash": "ff" * 32}, files=shards)
    joined = sha256("\n".join(["01" * 32, "02" * 32]).encode()).hexdigest()
    assert stated(about(part(joined)), model=folder)
    with pytest.raises(SignatureRefused):
        stated(about(part(joined)), model=replace(folder, files={**shards, "c.safetensors": "04" * 32}))


def test_a_scan_that_did_not_see_every_file_is_not_stated() -> None:
    folder = Model(name="m", digest={"dirHash": "ff" * 32}, files={"net.pt": NET, "x.py": "05" * 32, "y.py": "06" * 32})
    scan = replace(report(SCANNED, ATTACKED), subject=about(part(NET)).subject)
    found = results_of([Sourced.of(scan)], folder, sealed=NOW)
    assert set(found.results) == {"robustness"}
    assert found.left_out[0].startswith("scan is not stated: the scan did not look at 'x.py' and 1 more")
    seen = Artifact(path="x.py", verdict="safe", reasons=(), sha256="05" * 32)
    whole = replace(scan, artifacts=(seen, replace(seen, path="y.py", sha256="06" * 32)))
    assert "scan" in stated(whole, model=folder)


def test_files_that_nobody_examined_are_counted_and_named() -> None:
    many = tuple(Unexamined(path=f"{i}.xyz", why="no reader") for i in range(150))
    found = stated(replace(report(SCANNED), unexamined=many))["scan"]
    assert len(found.unexamined) == 100
    assert next(c.value for c in found.claims if c.name == "unexamined_files") == 150


def test_reports_with_nothing_to_state_are_refused() -> None:
    skipped = Ran(probe="RDN-EVA-001", name="cascade", threat="evasion", outcome="skipped", why="-")
    with pytest.raises(UsageError, match="every probe was skipped"):
        stated(report(skipped))
    with pytest.raises(UsageError, match="nothing was measured"):
        stated(report())
