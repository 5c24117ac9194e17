"""A model, keys, and statements about it that say exactly what a test wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from redan.core.codec import encode
from redan.core.report import Tool
from redan.core.settings import Admission, Requirement
from redan.evidence import dsse
from redan.evidence.dsse import Envelope
from redan.evidence.keys import Signer, Verifier, generate, save
from redan.evidence.statements import Resource, statement, type_of
from redan.evidence.statements.admission import AdmissionPolicy, Decision, admission
from redan.evidence.statements.policy import policy_of
from redan.evidence.statements.predicates.result import Claim, Ended, Result

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
MODEL = Resource(name="net.pt", digest={"sha256": "ab" * 32})
OTHER = Resource(name="net.pt", digest={"sha256": "cd" * 32})
FRESH, OLDER, OLD = "2026-05-31T12:00:00+00:00", "2026-05-30T12:00:00+00:00", "2026-01-01T00:00:00+00:00"
LINF = {"norm": "linf", "eps": 0.1}

ML, CI, STRANGER = generate("ed25519"), generate("p256"), generate("ed25519")


def claim(value: float = 0.5, *, low: float | None = None, high: float | None = None, **more: Any) -> Claim:
    """A robust accuracy; exact unless an interval is given."""
    ends = {"low": value if low is None else low, "high": value if high is None else high}
    basis = {"rule": "RDN-EVA-001", "name": "robust_accuracy", "params": LINF, "unit": "fraction", "n": 100}
    return Claim(**{**basis, "value": value, "better": "higher", **ends, **more})


def result(*claims: Claim, finished: str = FRESH, **more: Any) -> dict[str, Any]:
    """The predicate of a measurement that ran to its end and found nothing, unless said otherwise."""
    whole = Result(
        tool=Tool(name="redan", version="0"),
        finished=finished,
        sealed=finished,
        sources=(),
        measured=(),
        probes=(Ended(probe="RDN-EVA-001", name="cascade", outcome="ran"),),
        counts={},
        claims=claims,
    )
    return replace(whole, **more).predicate()


def stated(
    predicate: dict[str, Any], *, kind: str = "robustness", by: Signer = ML, about: Resource = MODEL
) -> Envelope:
    """A signed statement."""
    return dsse.seal(statement([about], type_of(kind), predicate), by)


def robust(value: float = 0.5, *, by: Signer = ML, about: Resource = MODEL, **more: Any) -> Envelope:
    """A statement about robust accuracy."""
    finished = more.pop("finished", FRESH)
    return stated(result(claim(value, **more), finished=finished), by=by, about=about)


def decision(kind: str, by: Signer, made: str = FRESH, **more: Any) -> Envelope:
    """An approval or a revocation."""
    words = {"approval": {"who": "Ada", "approved": made}, "revocation": {"revoked": made}}[kind]
    return stated({"why": "because", **words, **more}, kind=kind, by=by)


ROBUST = Requirement(
    statement="robustness", claim="robust_accuracy", rule="RDN-EVA-001", at_least=0.4, params=LINF, max_age="30d"
)


def trusting(*requirements: Requirement, keys: tuple[Verifier, ...] = (ML.verifier,), **more: Any) -> AdmissionPolicy:
    """A policy of these requirements and keys."""
    return policy_of(Admission(require=requirements, **more), Path("absent"), keys=keys)


def judged(*envelopes: Envelope, policy: AdmissionPolicy | None = None, at: datetime = AT, **more: Any) -> Decision:
    """Decide about the model; by default it must have a robust accuracy of 0.4."""
    return admission(MODEL, envelopes, policy or trusting(ROBUST), at=at, **more)


def reasons(found: Decision) -> str:
    """Every sentence against the model, and every note."""
    assert encode(found)
    return "\n".join([*(f.sentence() for f in found.failures), *found.notes])


@pytest.fixture
def key_file(tmp_path: Path) -> Callable[[Signer, str], str]:
    """Write a key pair and return the name of the public file."""

    def write(signer: Signer, name: str) -> str:
        return save(signer, tmp_path / name).name

    return write
