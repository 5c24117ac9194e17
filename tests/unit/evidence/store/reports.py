"""Reports and statements to keep."""

from __future__ import annotations

import json

from redan.core.finding import Evidence, Finding, Location, Severity
from redan.core.report import Gate, Report, Run, Tool
from redan.core.subject import Component, SubjectRef
from redan.evidence.blobs import MemoryBlobs
from redan.evidence.dsse import seal
from redan.evidence.keys import Signer, generate

PICTURE = Evidence.of("picture", b"what only the evidence says", "application/octet-stream")


def finding(
    rule: str = "RDN-EVA-001", severity: Severity = Severity.HIGH, subject: str = "shop", **more: object
) -> Finding:
    words = {"title": "what only the report says", "evidence": (PICTURE.stored(),), **more}
    return Finding(rule=rule, threat="evasion", subject=subject, severity=severity, **words)  # type: ignore[arg-type]


def report(*findings: Finding, subject: str = "shop", started: str = "2026-11-21T10:00:00+00:00") -> Report:
    return Report(
        tool=Tool(name="redan", version="0"),
        run=Run(
            command="redan check",
            seed=0,
            threads=1,
            machine="m",
            versions={},
            config_digest="",
            started=started,
            wall_s=1.0,
            cpu_s=1.0,
            complete=True,
        ),
        subject=SubjectRef(
            name=subject, kind="files", components=(Component(role="weights", uri="w", sha256="ab" * 32),)
        ),
        gate=Gate(level=Severity.HIGH, verdict="fail", exit_code=1, reasons=("one",)),
        findings=findings or (finding(subject=subject),),
    )


def at_hand() -> MemoryBlobs:
    blobs = MemoryBlobs()
    blobs.put(PICTURE)
    return blobs


def located(n: int) -> tuple[Finding, ...]:
    return tuple(finding(locations=(Location(uri=f"{i}.bin"),)) for i in range(n))


def statement(
    digest: str = "cd" * 32, signer: Signer | None = None, predicate_type: str = "https://example.org/scan/v1"
) -> bytes:
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model.pt", "digest": {"sha256": digest}}],
        "predicateType": predicate_type,
        "predicate": {"words": "what only the statement says"},
    }
    return seal(json.dumps(document).encode(), signer or generate("ed25519")).to_json()
