"""One versioned result document, `redan/1`: what was measured, how, what ran, what did not, and what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, EvidenceError, Unreadable, UsageError
from redan.core.finding import Evidence, Finding, Quantity, Severity
from redan.core.record import dataclass
from redan.core.subject import SubjectRef

SCHEMA = "redan/1"

Verdict = Literal["safe", "unknown", "unsafe"]
Outcome = Literal["ran", "partial", "skipped", "failed"]


class Blobs(Protocol):
    """Where evidence lies."""

    def get(self, sha256: str) -> bytes:
        """Return the bytes of that digest, checked.

        Raises:
            EvidenceError: missing, or the bytes have another digest.
        """

    def put(self, evidence: Evidence) -> None:
        """Keep the payload of a piece of evidence."""

    def decode(self, evidence: Evidence) -> Any:
        """Return the evidence as the object it stands for: a tensor, an array, text, bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Who wrote the report."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How the measurement was made.

    Attributes:
        command: what to type to repeat it.
        seed: root seed.
        threads: threads that numerical libraries used.
        machine: processor and operating system.
        versions: versions of Redan, Python and the libraries that took part.
        config_digest: SHA-256 of the settings in force.
        started: UTC time, ISO 8601.
        wall_s: wall seconds.
        cpu_s: CPU seconds of all threads of this process.
        complete: everything that was planned ran to its end.
        stopped: why it did not, else empty.
    """

    command: str
    seed: int
    threads: int
    machine: str
    versions: Mapping[str, str]
    config_digest: str
    started: str
    wall_s: float
    cpu_s: float
    complete: bool
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What happened to one probe; skipped and failed are never read as clean."""

    probe: str
    name: str
    threat: str
    outcome: Outcome
    why: str = ""
    n_findings: int = 0
    queries: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The verdict on one file. `safe` only if everything in it was read and every name is allowed."""

    path: str
    verdict: Verdict
    reasons: tuple[str, ...]
    format: str = ""
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexamined:
    """A file that was met and not judged, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A file that is no model artifact and was looked into: notebooks, code, settings, prose.

    It carries no verdict: that nothing was found in a text is no promise about it.

    Attributes:
        path: the file.
        format: slug of what it is.
        by: names of the probes that read it to its end.
    """

    path: str
    format: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The decision: pass, fail or undecided, with its reasons.

    Attributes:
        level: severity from which an open finding fails the run.
        verdict: the decision.
        exit_code: 0 pass, 1 fail, 3 undecided, 130 interrupted.
        reasons: why, one sentence each.
    """

    level: Severity
    verdict: Literal["pass", "fail", "undecided"]
    exit_code: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result document. Writers turn it into bytes; it turns itself into JSON and back."""

    schema: str = SCHEMA
    tool: Tool
    run: Run
    subject: SubjectRef
    gate: Gate
    probes: tuple[Ran, ...] = ()
    findings: tuple[Finding, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    examined: tuple[Examined, ...] = ()
    unexamined: tuple[Unexamined, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    blobs: Blobs | None = field(default=None, repr=False, compare=False, metadata={"serialise": False})

    def quantity(self, name: str, *, rule: str | None = None) -> Quantity:
        """Return the one quantity of that name.

        Args:
            name: for example ``robust_accuracy``.
            rule: restrict to the findings of one rule.

        Raises:
            UsageError: no finding has it, or several rules measured it and none was chosen.
        """
        found = [(f.rule, q) for f in self.findings if rule in (None, f.rule) if (q := f.quantity(name)) is not None]
        if not found:
            known = sorted({q.name for f in self.findings for q in f.quantities})
            raise UsageError(
                f"nothing measured {name!r}", hint=f"this report has: {', '.join(known) or 'no quantities'}"
            )
        if len(found) > 1 and rule is None and len({r for r, _ in found}) > 1:
            rules = ", ".join(sorted({r for r, _ in found}))
            raise UsageError(f"{name!r} was measured by {rules}", hint="choose one: quantity(name, rule=…)")
        return found[0][1]

    def evidence(self, name: str, *, rule: str | None = None) -> Any:
        """Return the evidence of that name as the tensor, array or bytes it stands for.

        Raises:
            UsageError: no finding carries it.
            EvidenceError: it was recorded and its bytes are not at hand.
        """
        for finding in self.findings:
            blob = finding.blob(name) if rule in (None, finding.rule) else None
            if blob is not None:
                if self.blobs is None:
                    raise EvidenceError(
                        f"the report names {name!r} ({blob.sha256[:12]}…) and its bytes are not at hand",
                        hint="open the run's folder instead of the bare document: redan.Report.open(FOLDER)",
                    )
                return self.blobs.decode(blob)
        known = sorted({e.name for f in self.findings for e in f.evidence})
        raise UsageError(f"no finding has evidence {name!r}", hint=f"this report has: {', '.join(known) or 'none'}")

    def by_threat(self) -> dict[str, tuple[Finding, ...]]:
        """Return the findings of each threat, in the order in which the threats were met."""
        threats = list(dict.fromkeys([r.threat for r in self.probes] + [f.threat for f in self.findings]))
        return {t: tuple(f for f in self.findings if f.threat == t) for t in threats}

    def to_json(self) -> bytes:
        """Serialise as one UTF-8 JSON document with a final newline."""
        return json.dumps(encode(self), ensure_ascii=True, allow_nan=False, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes | str, *, blobs: Blobs | None = None) -> Report:
        """Read a document written by `to_json`.

        Raises:
            ConfigError: not JSON, another schema, or a field that does not fit.
        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as err:
            raise ConfigError(
                f"this is no JSON document: {err}", hint="give a report written with --format json"
            ) from err
        found = document.get("schema") if isinstance(document, dict) else None
        if found != SCHEMA:
            raise ConfigError(
                f"expected a {SCHEMA} report and found schema {found!r}", hint="write it again with this version"
            )
        return replace(decode(cls, document), blobs=blobs)

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a report from a file.

        Raises:
            Unreadable: the file cannot be read.
            ConfigError: it is no report.
        """
        try:
            data = path.read_bytes()
        except OSError as err:
            raise Unreadable(f"cannot read the report {str(path)!r}: {err.strerror}") from err
        return cls.from_json(data)

    def save(self, path: str | Path) -> Path:
        """Write the report in the format that the path's ending names (.html .json .sarif .md .xml .txt).

        Raises:
            UnknownName: no writer for that ending.
        """
        from redan.core.catalogue import writer_for

        target = Path(path)
        target.write_bytes(writer_for(target)(self))
        return target
