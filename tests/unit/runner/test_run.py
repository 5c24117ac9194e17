"""A run: findings kept as they are found, errors and interruptions that lose nothing, the same report again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from redan.core.budget import Budget, Limits
from redan.core.codec import decode
from redan.core.finding import Finding, Severity
from redan.core.policy import Policy
from redan.core.report import Ran, Report
from redan.evidence.blobs import FolderBlobs, MemoryBlobs
from redan.runner.plan import Choice, plan
from redan.runner.run import FileJournal, Session, run

ROWS = 40


def measured(subject: Any, inputs: Any, *names: str, session: Session | None = None, **params: Any) -> Report:
    """Run probes by name."""
    steps = plan([subject], inputs, Choice(probes=names, params=params))
    return run(steps, inputs, subject.ref, session or Session(), asked={"probes": names})


def same(report: Report) -> Report:
    """The report without its times and its store."""
    still = replace(report.run, started="", wall_s=0.0, cpu_s=0.0)
    probes = tuple(replace(p, wall_s=0.0, cpu_s=0.0) for p in report.probes)
    return replace(report, run=still, probes=probes, blobs=None)


def test_a_run_that_ends_well(register: Any, noise: type, subject: Any, inputs: Any) -> None:
    register(noise, "noise", 1)
    report = measured(subject, inputs, "noise")
    (ran,) = report.probes
    assert (ran.probe, ran.outcome, ran.n_findings, ran.queries) == ("TST-RUN-001", "ran", 4, ROWS)
    assert report.run.complete
    assert report.run.stopped == ""
    assert (report.gate.verdict, report.gate.exit_code) == ("pass", 0)
    assert report.subject == subject.ref
    assert report.asked == {"probes": ("noise",)}
    assert {"redan", "python", "numpy"} <= set(report.run.versions)


def test_findings_are_on_disk_as_they_are_found(
    register: Any, noise: type, failing: type, subject: Any, inputs: Any, tmp_path: Path
) -> None:
    register(noise, "noise", 1)
    register(failing, "failing", 2)
    journal = tmp_path / "findings.jsonl"
    report = measured(subject, inputs, "noise", "failing", session=Session(journal=FileJournal(journal)))
    rows = [decode(Finding, json.loads(line)) for line in journal.read_text().splitlines()]
    assert rows == list(report.findings)
    assert [row.rule for row in rows] == ["TST-RUN-001"] * 4 + ["TST-RUN-002"]


def test_each_finding_is_journaled_before_the_next_is_looked_for(
    register: Any, noise: type, subject: Any, inputs: Any
) -> None:
    register(noise, "noise", 1)
    told: list[str] = []

    @dataclass(frozen=True)
    class Telling:
        """Writes down what a run does and when."""

        def append(self, finding: Finding) -> None:
            told.append("kept")

        def advanced(self, what: str, done: int, total: int | None = None, note: str = "") -> None:
            told.append("asked")

    measured(subject, inputs, "noise", session=Session(journal=Telling(), observe=Telling()))  # type: ignore[arg-type]
    assert told == ["asked", "kept"] * 4


def test_bytes_go_to_the_store_and_not_into_the_report(
    register: Any, noise: type, subject: Any, inputs: Any, tmp_path: Path
) -> None:
    register(noise, "noise", 1)
    for blobs in (MemoryBlobs(), FolderBlobs(tmp_path)):
        report = measured(subject, inputs, "noise", session=Session(blobs=blobs))
        assert all(e.payload is None for f in report.findings for e in f.evidence)
        assert len(report.evidence("kept")) == 10
    back = replace(Report.from_json(report.to_json()), blobs=FolderBlobs(tmp_path))
    assert back.evidence("kept") == report.evidence("kept")


def test_an_error_fails_one_probe_and_the_rest_still_run(
    register: Any, noise: type, failing: type, subject: Any, inputs: Any
) -> None:
    register(failing, "failing", 1)
    register(noise, "noise", 2)
    report = measured(subject, inputs, "failing", "noise")
    assert [(p.name, p.outcome, p.n_findings) for p in report.probes] == [("failing", "failed", 1), ("noise", "ran", 4)]
    assert report.probes[0].why == "the model stopped answering (start it again)"
    assert len(report.findings) == 5
    assert not report.run.complete
    assert (report.gate.verdict, report.gate.exit_code) == ("undecided", 3)


@pytest.mark.parametrize(("queries", "findings"), [(0, 0), (1, 1), (10, 1), (11, 2), (39, 4)])
def test_a_budget_ends_a_run_with_what_it_has(
    register: Any, noise: type, subject: Any, inputs: Any, queries: int, findings: int
) -> None:
    register(noise, "noise", 1)
    register(noise, "again", 2)
    session = Session(budget=Budget(limits=Limits(queries=queries)))
    report = measured(subject, inputs, "noise", "again", session=session)
    reason = f"the budget of {queries} queries is spent"
    assert len(report.findings) == findings
    assert [p.outcome for p in report.probes] == ["partial", "partial"]
    assert report.probes[1].why == f"not started: {reason}"
    assert report.run.stopped == reason
    assert not report.run.complete
    assert report.gate.exit_code == 3


def test_a_probe_gets_a_part_of_the_budget_and_its_queries_are_its_own(
    register: Any, noise: type, subject: Any, inputs: Any
) -> None:
    register(noise, "noise", 1)
    register(noise, "again", 2)
    session = Session(budget=Budget(limits=Limits(queries=1000)))
    report = measured(subject, inputs, "noise", "again", session=session)
    assert [p.queries for p in report.probes] == [ROWS, ROWS]
    assert session.budget.queries == 2 * ROWS


def test_an_interruption_keeps_what_was_found_and_starts_nothing_more(
    register: Any, noise: type, interrupted: type, subject: Any, inputs: Any
) -> None:
    register(noise, "before", 1)
    register(interrupted, "interrupted", 2)
    register(noise, "after", 3)
    report = measured(subject, inputs, "before", "interrupted", "after")
    assert [(p.name, p.outcome, p.n_findings) for p in report.probes] == [
        ("before", "ran", 4),
        ("interrupted", "partial", 1),
        ("after", "partial", 0),
    ]
    assert report.probes[2].why == "not started: interrupted"
    assert report.run.stopped == "interrupted"
    assert (report.gate.verdict, report.gate.exit_code) == ("undecided", 130)
    assert Report.from_json(report.to_json()).gate.exit_code == 130


def test_an_interruption_before_the_start_measures_nothing(
    register: Any, noise: type, subject: Any, inputs: Any
) -> None:
    register(noise, "noise", 1)
    report = measured(subject, inputs, "noise", session=Session(budget=Budget(interrupted=True)))
    assert report.findings == ()
    assert report.gate.exit_code == 130


def test_the_same_seed_gives_the_same_report_and_another_one_another(
    register: Any, noise: type, subject: Any, inputs: Any
) -> None:
    register(noise, "noise", 1)
    first, again = (measured(subject, inputs, "noise", session=Session(seed=5), eps=0.9) for _ in range(2))
    assert same(first) == same(again)
    assert same(first).to_json() == same(again).to_json()
    other = measured(subject, inputs, "noise", session=Session(seed=6), eps=0.9)
    assert other.findings != first.findings
    assert [f.fingerprint for f in other.findings] == [f.fingerprint for f in first.findings]


def test_skipped_probes_and_outcomes_from_before_are_in_the_report(
    register: Any, noise: type, subject: Any, inputs: Any
) -> None:
    register(noise, "needy", 1, needs=("gradients",))
    before = Ran(probe="", name="model", threat="model", outcome="failed", why="not loaded")
    steps = plan([subject], inputs, Choice(probes=("needy",)))
    report = run(steps, inputs, subject.ref, Session(), before=(before,), notes=("read this",))
    assert [(p.name, p.outcome) for p in report.probes] == [("model", "failed"), ("needy", "skipped")]
    assert report.notes == ("read this",)
    assert report.gate.exit_code == 3


def test_the_policy_judges_what_was_found(register: Any, noise: type, subject: Any, inputs: Any) -> None:
    register(noise, "noise", 1)
    assert measured(subject, inputs, "noise", session=Session(policy=Policy(gate=Severity.LOW))).gate.exit_code == 1
    baseline = measured(subject, inputs, "noise")
    policy = Policy(gate=Severity.LOW, baseline=baseline)
    again = measured(subject, inputs, "noise", session=Session(policy=policy))
    assert {f.status for f in again.findings} == {"baseline"}
    assert again.gate.exit_code == 0


def test_a_required_threat_that_was_skipped_is_undecided(register: Any, noise: type, subject: Any, inputs: Any) -> None:
    register(noise, "noise", 1)
    report = measured(subject, inputs, "noise", session=Session(policy=Policy(required=("privacy",))))
    assert report.gate.exit_code == 3
    assert report.gate.reasons == ("privacy was asked for and not measured",)


@dataclass(slots=True)
class Telling:
    """An observer that keeps what it was told."""

    told: list[tuple[str, int]] = field(default_factory=list)

    def advanced(self, what: str, done: int, total: int | None = None, note: str = "") -> None:
        """Keep it."""
        self.told.append((what, done))


def test_the_observer_is_told(register: Any, noise: type, subject: Any, inputs: Any) -> None:
    register(noise, "noise", 1)
    observe = Telling()
    measured(subject, inputs, "noise", session=Session(observe=observe))  # type: ignore[arg-type]  # noise only advances
    assert observe.told == [("noise", 10), ("noise", 20), ("noise", 30), ("noise", 40)]
