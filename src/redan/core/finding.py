"""The one currency of the product: every probe, scanner and monitor speaks `Finding`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from enum import IntEnum
from hashlib import sha256
from typing import Literal

from redan.core.record import dataclass

Scalar = str | int | float | bool | None
"""What a parameter value may be, so that every finding survives a trip through JSON."""


class Severity(IntEnum):
    """How bad a finding is; ordered, so that a gate is a comparison."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The lower-case name used in files, flags and reports."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Severity:
        """Read a severity from its lower-case name.

        Raises:
            ValueError: the word is no severity.
        """
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"{word!r} is no severity; expected {', '.join(s.word for s in cls)}") from None


Status = Literal["open", "suppressed", "baseline", "mitigated", "inconclusive"]
"""`suppressed` and `baseline` findings stay visible and do not gate; `inconclusive` means we could not decide."""

Confidence = Literal["confirmed", "likely", "possible"]
Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A measured number with its unit, sample size and 95 % interval; never a bare float.

    Attributes:
        name: stable identifier, for example ``robust_accuracy``.
        value: the point estimate, in ``unit``.
        unit: ``fraction``, ``count``, ``s``, ``bytes``, ``queries``, a norm such as ``linf`` …
        n: how many samples the value rests on.
        low: lower end of the 95 % interval (equals ``value`` for an exact count).
        high: upper end of the 95 % interval.
        better: which way is better for the defender.
        partial: a budget cut the measurement short, so the value is only a bound.
    """

    name: str
    value: float
    unit: str
    n: int
    low: float
    high: float
    better: Better = "neither"
    partial: bool = False

    @property
    def pessimistic(self) -> float:
        """The end of the interval that is worse for the defender."""
        return self.low if self.better == "higher" else self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A curve or bars: y against x, with intervals where they are known.

    Attributes:
        name: stable identifier, for example ``accuracy_by_eps``.
        x: positions (numbers) or labels (strings), length k.
        y: values, length k.
        low: lower ends of the 95 % intervals, length k or empty.
        high: upper ends, length k or empty.
        n: sample sizes, length k or empty.
        x_unit: unit of x.
        y_unit: unit of y.
    """

    name: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    n: tuple[int, ...] = ()
    x_unit: str = ""
    y_unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of numbers and words that no curve holds: checks with their values, a confusion of classes, alternatives.

    Attributes:
        name: stable identifier, for example ``confusion``.
        columns: heads of the columns, length c >= 1; the first column names the rows.
        rows: cells, each row of length c.
        draw: ``heat`` shades the numbers, ``scatter`` draws the third column against the second as labelled points.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    draw: Literal["plain", "heat", "scatter"] = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where: a URI or relative path plus an address inside it (``archive/data.pkl @ byte 12``, ``sample 7``)."""

    uri: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A content-addressed blob, enough to replay the finding.

    Attributes:
        name: role inside the finding, for example ``adversarial`` or ``triptych``.
        sha256: digest of the bytes, hexadecimal.
        media_type: what the bytes are.
        size_bytes: length of the bytes.
        note: one line for a reader.
        payload: the bytes themselves until the runner has stored them; never serialised.
    """

    name: str
    sha256: str
    media_type: str
    size_bytes: int
    note: str = ""
    payload: bytes | None = field(default=None, repr=False, compare=False, metadata={"serialise": False})

    @classmethod
    def of(cls, name: str, payload: bytes, media_type: str, note: str = "") -> Evidence:
        """Wrap bytes and compute their digest."""
        digest = sha256(payload).hexdigest()
        return cls(name=name, sha256=digest, media_type=media_type, size_bytes=len(payload), note=note, payload=payload)

    def stored(self) -> Evidence:
        """Return the same evidence without its bytes."""
        return replace(self, payload=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why a finding does not gate: by whom it was set aside, for what reason, until when."""

    reason: str
    expires: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a probe, scanner or monitor has to say about a subject.

    Attributes:
        rule: identifier of the rule, for example ``RDN-EVA-001``; never reused.
        threat: identifier of the threat, for example ``evasion``.
        subject: name of what was measured (not its digest, so that a retrained model keeps its fingerprints).
        title: one sentence with the number in it.
        severity: from the threat's scale, at the pessimistic end of the interval.
        status: whether it gates.
        confidence: how sure the probe is that the finding is real.
        detail: what it means and what to do, a short paragraph.
        params: the parameter set of the probe (norm, ε, …).
        quantities: the numbers; the first is the one that severity and comparison rest on.
        series: curves and bars.
        tables: what is neither.
        locations: where.
        evidence: blobs to replay it with.
        remedies: what helps: mitigation identifiers or sentences.
        references: ``atlas:AML.T0043``, ``cwe:502``, ``doi:…``, ``arxiv:…``.
        suppression: set when ``status`` is ``suppressed``.
    """

    rule: str
    threat: str
    subject: str
    title: str
    severity: Severity
    status: Status = "open"
    confidence: Confidence = "confirmed"
    detail: str = ""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    quantities: tuple[Quantity, ...] = ()
    series: tuple[Series, ...] = ()
    tables: tuple[Table, ...] = ()
    locations: tuple[Location, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    remedies: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    suppression: Suppression | None = None

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits: rule, subject name, parameters and locations; never a measured value or digest."""
        where = sorted((place.uri, place.address) for place in self.locations)
        # JSON keeps the parts apart: a file may be named so that plain text would read like another finding
        text = json.dumps([self.rule, self.subject, sorted(self.params.items()), where])
        return sha256(text.encode()).hexdigest()[:16]

    def quantity(self, name: str) -> Quantity | None:
        """Return the quantity of that name, or None."""
        return next((q for q in self.quantities if q.name == name), None)

    def curve(self, name: str) -> Series | None:
        """Return the series of that name, or None."""
        return next((s for s in self.series if s.name == name), None)

    def blob(self, name: str) -> Evidence | None:
        """Return the evidence of that name, or None."""
        return next((e for e in self.evidence if e.name == name), None)

    def gates(self, level: Severity) -> bool:
        """Tell whether this finding alone makes a run fail at that gate."""
        return self.status == "open" and self.severity >= level
