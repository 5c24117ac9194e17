"""The predicate of a measurement: scan, robustness, privacy and every other threat.

It carries the numbers with their intervals, and everything that keeps an absent finding from being read as a clean one:
what was skipped, failed or cut short, what was set aside and until when, what was not examined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, Unreadable
from redan.core.finding import Better, Scalar, Severity, Status
from redan.core.report import Outcome, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A report that a statement was made from.

    What it says of run and gate is for readers and decides nothing, so its fields may grow without a new version.

    Attributes:
        sha256: digest of the report's bytes.
        run: how it was measured, as the report says it.
        gate: what it decided, over all its threats.
        finished: UTC time at which the run ended, ISO 8601.
    """

    sha256: str
    run: Mapping[str, Any]
    gate: Mapping[str, Any]
    finished: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A quantity with what it was measured by and with.

    Attributes:
        rule: rule whose finding it stands in; empty for counts over a whole report.
        name: of the quantity.
        params: of the probe.
        value: point estimate, in ``unit``.
        unit: as in ``Quantity``.
        n: how many samples it rests on.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        better: which way is better for the defender.
        partial: a budget cut the measurement short.
        status: of the finding; ``inconclusive`` means that the number decides nothing.
    """

    rule: str
    name: str
    params: Mapping[str, Scalar] = field(default_factory=dict)
    value: float
    unit: str
    n: int
    low: float
    high: float
    better: Better = "neither"
    partial: bool = False
    status: Status = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of one probe."""

    probe: str
    name: str
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A finding that somebody set aside until a date."""

    rule: str
    fingerprint: str
    severity: Severity
    reason: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured for one threat.

    Attributes:
        tool: who measured.
        finished: UTC time at which the oldest of the measurements ended; age and order are judged by it.
        sealed: UTC time at which the statement was made.
        sources: the reports.
        measured: the parts of what was measured, as the report describes them, with their digests.
        probes: what ran, was skipped, failed or was cut short.
        counts: status → severity → number of findings.
        claims: the numbers.
        set_aside: findings with status ``suppressed``.
        unexamined: files that nobody read, the first hundred of them; the claim ``unexamined_files`` counts all.
    """

    tool: Tool
    finished: str
    sealed: str
    sources: tuple[Source, ...]
    measured: tuple[Mapping[str, Any], ...]
    probes: tuple[Ended, ...]
    counts: Mapping[str, Mapping[str, int]]
    claims: tuple[Claim, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    unexamined: tuple[str, ...] = ()

    def predicate(self) -> dict[str, Any]:
        """Return it as JSON values."""
        document: dict[str, Any] = encode(self)
        return document

    def summary(self) -> str:
        """Return one line: how many numbers and open findings, and what must not be taken for clean."""
        words = [f"{len(self.claims)} number{'' if len(self.claims) == 1 else 's'}"]
        words += [f"{n} {severity} {status}" for status, by in self.counts.items() for severity, n in by.items()]
        words += [f"{p.name} {p.outcome}" for p in self.probes if p.outcome != "ran"]
        words += [f"gate {s.gate.get('verdict')}" for s in self.sources]
        return ", ".join(dict.fromkeys(words))


def read_result(predicate: Mapping[str, Any]) -> Result:
    """Read the predicate of a measurement.

    Raises:
        Unreadable: a field is unknown, missing or of another kind.
    """
    try:
        return decode(Result, predicate)
    except (ConfigError, RecursionError) as err:
        raise Unreadable(f"the predicate is none of this version: {err}") from err
