"""Policy: what fails a run. Gate, ignores with reason and expiry, and a baseline for teams that start undefended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace
from datetime import date

from redan.core.errors import ConfigError
from redan.core.finding import Finding, Severity, Suppression
from redan.core.record import dataclass
from redan.core.report import Gate, Report

PASS, FAIL, UNDECIDED, INTERRUPTED = 0, 1, 3, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """Set findings aside: which, why, and until when; the last two are mandatory.

    Attributes:
        reason: why this is acceptable; shown in every report.
        expires: ISO date from which the finding gates again.
        rule: identifier of the rule, or empty for any.
        fingerprint: one exact finding, or empty for any.
        path: glob over the locations' paths, or empty for any.
    """

    reason: str
    expires: str
    rule: str = ""
    fingerprint: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ConfigError("an [[ignore]] has no reason", hint='say why: reason = "vendored test fixture"')
        if not (self.rule or self.fingerprint or self.path):
            raise ConfigError("an [[ignore]] names no rule, fingerprint or path, so it would hide everything")
        self.until()

    def until(self) -> date:
        """Return the expiry date.

        Raises:
            ConfigError: it is no ISO date.
        """
        try:
            return date.fromisoformat(self.expires)
        except ValueError:
            raise ConfigError(
                f"an [[ignore]] expires on {self.expires!r}, which is no date", hint='write expires = "2027-03-31"'
            ) from None

    def covers(self, finding: Finding) -> bool:
        """Tell whether the finding is meant."""
        from fnmatch import fnmatchcase

        return (
            self.rule in ("", finding.rule)
            and self.fingerprint in ("", finding.fingerprint)
            and (not self.path or any(fnmatchcase(place.uri, self.path) for place in finding.locations))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What decides.

    Attributes:
        gate: severity from which an open finding fails the run.
        ignores: findings set aside.
        baseline: an earlier report; what it already had does not gate unless it got worse beyond noise.
        today: date against which expiry is judged.
        required: threats that somebody asked for by name; one that was not measured makes the run undecided.
    """

    gate: Severity = Severity.HIGH
    ignores: tuple[Ignore, ...] = ()
    baseline: Report | None = None
    today: date = field(default_factory=lambda: date.max)
    required: tuple[str, ...] = ()

    def judged(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings with their status under this policy; none is dropped."""
        # what was set aside until a date, mended or undecided then is no debt that a team started with
        earlier = self.baseline.findings if self.baseline else ()
        known = {f.fingerprint: f for f in earlier if f.status in ("open", "baseline")}
        return tuple(self._judge(f, known) for f in findings)

    def _judge(self, finding: Finding, known: dict[str, Finding]) -> Finding:
        if finding.status not in ("open", "inconclusive"):
            return finding
        for ignore in self.ignores:
            if ignore.covers(finding) and self.today < ignore.until():
                why = Suppression(reason=ignore.reason, expires=ignore.expires, source="redan.toml [[ignore]]")
                return replace(finding, status="suppressed", suppression=why)
        if known and finding.status == "open" and self._no_worse(finding, known.get(finding.fingerprint)):
            return replace(finding, status="baseline")
        return finding

    @staticmethod
    def _no_worse(finding: Finding, earlier: Finding | None) -> bool:
        from redan.core.compare import judge

        return earlier is not None and judge(earlier, finding)[0] != "worse"

    def expired(self) -> tuple[Ignore, ...]:
        """Return the ignores whose date has come."""
        return tuple(i for i in self.ignores if self.today >= i.until())

    def decide(self, report: Report) -> Gate:
        """Decide about a report whose findings were judged. Found is found: a failing finding wins over doubt."""
        failing = [f for f in report.findings if f.gates(self.gate)]
        doubts = _doubts(report, self.required)
        if failing:
            worst = max(f.severity for f in failing)
            count = f"{len(failing)} finding{'s' if len(failing) > 1 else ''}"
            reason = f"{count} at or above {self.gate.word} (worst: {worst.word})"
            code = INTERRUPTED if report.run.stopped == "interrupted" else FAIL
            return Gate(level=self.gate, verdict="fail", exit_code=code, reasons=(reason, *doubts))
        if doubts:
            code = INTERRUPTED if report.run.stopped == "interrupted" else UNDECIDED
            return Gate(level=self.gate, verdict="undecided", exit_code=code, reasons=doubts)
        return Gate(
            level=self.gate, verdict="pass", exit_code=PASS, reasons=(f"no open finding at or above {self.gate.word}",)
        )


def _doubts(report: Report, required: tuple[str, ...]) -> tuple[str, ...]:
    """Return every reason why this report cannot be called clean."""
    doubts = []
    done = [p for p in report.probes if p.outcome in ("ran", "partial")]
    if not done:
        doubts.append("nothing was measured")
    elif not (report.findings or report.artifacts or report.examined):
        doubts.append("nothing was examined: no file that Redan reads was found")
    doubts += [f"{p.name} failed: {p.why}" for p in report.probes if p.outcome == "failed"]
    doubts += [f"{p.name} was cut short: {p.why}" for p in report.probes if p.outcome == "partial"]
    tested = {p.threat for p in done}
    doubts += [f"{threat} was asked for and not measured" for threat in required if threat not in tested]
    unsure = [f for f in report.findings if f.status == "inconclusive"]
    if unsure:
        doubts.append(f"{len(unsure)} finding{'s' if len(unsure) > 1 else ''} could not be decided")
    if report.run.stopped and not any("cut short" in d for d in doubts):
        doubts.append(f"the run stopped early: {report.run.stopped}")
    return tuple(dict.fromkeys(doubts))
