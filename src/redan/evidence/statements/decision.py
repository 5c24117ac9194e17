"""What came of judging a model: admitted or refused, with a sentence for every reason and what to do about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from redan.core.codec import encode
from redan.evidence.statements.resource import Resource

SCHEMA = "redan/admission/1"
Verdict = Literal["admitted", "verified", "refused", "undecided"]
"""``verified`` means that no policy says what is required, and known keys stated something and nothing against it."""

_EXIT_CODES: dict[Verdict, int] = {"admitted": 0, "verified": 0, "refused": 1, "undecided": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One reason against a model.

    Attributes:
        requirement: what was asked for, as short as it can be said.
        expected: what would have been enough.
        found: what there was instead.
        fix: what to do.
    """

    requirement: str
    expected: str
    found: str
    fix: str

    def sentence(self) -> str:
        """Return the reason on one line."""
        return f"{self.requirement}: expected {self.expected}; found {self.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision about one model.

    Attributes:
        verdict: what was decided.
        model: what it was decided about.
        at: UTC time it was decided for, ISO 8601.
        failures: every reason against it; empty when it is admitted.
        met: a sentence for each requirement that is met, with the key and the number.
        notes: statements that did not count and why, and what the reader should know besides.
    """

    verdict: Verdict
    model: Resource
    at: str
    failures: tuple[Failure, ...] = ()
    met: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def admitted(self) -> bool:
        """Whether a policy was there and all of it is met; nothing else may be served."""
        return self.verdict == "admitted"

    @property
    def exit_code(self) -> int:
        """0 admitted or verified, 1 refused, 3 undecided."""
        return _EXIT_CODES[self.verdict]

    def to_json(self) -> bytes:
        """Serialise as one UTF-8 JSON document with a final newline."""
        model = {"name": self.model.name, "digest": dict(self.model.digest)}
        document = {"schema": SCHEMA, "admitted": self.admitted, **encode(self), "model": model}
        return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1).encode() + b"\n"
