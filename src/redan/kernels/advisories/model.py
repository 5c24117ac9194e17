"""Known vulnerabilities of packages as plain values. Source: OSV schema 1.7."""

from __future__ import annotations

from typing import Literal

from redan.core.finding import Severity
from redan.core.record import dataclass

EventKind = Literal["introduced", "fixed", "last_affected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one OSV record says about one package.

    Attributes:
        id: identifier within its database, such as ``GHSA-…`` or ``PYSEC-…``.
        aliases: identifiers of the same vulnerability elsewhere.
        package: normalised name.
        ranges: of each range its events, kind and version as written.
        versions: affected versions, one by one.
        summary: one line.
        vectors: CVSS vectors.
        word: how the database itself calls the severity; empty when it does not.
        cwes: numbers of weakness classes.
        url: where to read more.
        modified: when it was last changed, ISO 8601.
        ranges_left_out: ranges of commits, which tell nothing about versions.
    """

    id: str
    package: str
    aliases: tuple[str, ...] = ()
    ranges: tuple[tuple[tuple[EventKind, str], ...], ...] = ()
    versions: frozenset[str] = frozenset()
    summary: str = ""
    vectors: tuple[str, ...] = ()
    word: str = ""
    cwes: tuple[int, ...] = ()
    url: str = ""
    modified: str = ""
    ranges_left_out: int = 0

    @property
    def malicious(self) -> bool:
        """Whether the package itself is an attack. Source: OSV, prefix MAL of OpenSSF's malicious packages."""
        return self.id.startswith("MAL-") or any(alias.startswith("MAL-") for alias in self.aliases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """One vulnerability of one package: every record that speaks of it, counted once.

    Attributes:
        id: the CVE number where there is one, else the first identifier.
        aliases: its other identifiers, sorted.
        records: what was said about it.
        severity: the worst that is known; None when nobody has said.
        score: CVSS base score behind the severity, where it comes from a vector.
        vector: that vector.
    """

    id: str
    aliases: tuple[str, ...]
    records: tuple[Record, ...]
    severity: Severity | None
    score: float | None = None
    vector: str = ""

    @property
    def malicious(self) -> bool:
        """Whether the package itself is an attack."""
        return any(record.malicious for record in self.records)

    @property
    def summary(self) -> str:
        """The first line that any record gives."""
        return next((record.summary for record in self.records if record.summary), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """What was read of a dump.

    Attributes:
        name: file or folder, by its own name.
        by_package: package → its records.
        n_records: records met.
        n_broken: members that are no record.
        newest: newest ``modified`` of all records, ISO 8601; empty when none has one.
        file_date: when the file was written, ISO date.
    """

    name: str
    by_package: dict[str, tuple[Record, ...]]
    n_records: int
    n_broken: int
    newest: str
    file_date: str
