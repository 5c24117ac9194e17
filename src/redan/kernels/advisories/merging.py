"""From records to vulnerabilities: what is known under several identifiers counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.finding import Severity
from redan.kernels.advisories.cvss import base_score, of_score, of_word
from redan.kernels.advisories.model import Record, Vulnerability
from redan.kernels.advisories.ranges import affects

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST = ("MAL-", "CVE-", "GHSA-", "PYSEC-")
"""Which identifier stands for a vulnerability, the best known first."""


def merged(records: Iterable[Record]) -> tuple[Vulnerability, ...]:
    """Group records of one package that share an identifier, directly or through others."""
    groups: list[tuple[set[str], list[Record]]] = []
    for record in records:
        names, members = {record.id, *record.aliases}, [record]
        apart = []
        for known, others in groups:
            if known.isdisjoint(names):
                apart.append((known, others))
            else:
                names |= known
                members = [*others, *members]
        groups = [*apart, (names, members)]
    found = (_one(names, members) for names, members in groups)
    return tuple(sorted(found, key=lambda each: each.id))


def known(records: Iterable[Record], version: str) -> tuple[Vulnerability, ...]:
    """Return the vulnerabilities of a version, by the records of its package."""
    return known_of(merged(records), version)


def known_of(found: Iterable[Vulnerability], version: str) -> tuple[Vulnerability, ...]:
    """Return those vulnerabilities of a package that a version has."""
    return tuple(each for each in found if any(affects(record, version) for record in each.records))


def _one(names: set[str], records: list[Record]) -> Vulnerability:
    order = sorted(names, key=lambda name: (_rank(name), name))
    score, vector = _worst(records)
    words = [word for record in records if (word := of_word(record.word)) is not None]
    levels = [*words, *([of_score(score)] if score is not None else [])]
    malicious = any(record.malicious for record in records)
    return Vulnerability(
        id=order[0],
        aliases=tuple(sorted(order[1:])),
        records=tuple(records),
        severity=Severity.CRITICAL if malicious else max(levels, default=None),
        score=score,
        vector=vector,
    )


def _rank(name: str) -> int:
    return next((at for at, prefix in enumerate(_FIRST) if name.startswith(prefix)), len(_FIRST))


def _worst(records: list[Record]) -> tuple[float | None, str]:
    scored = [(score, vector) for r in records for vector in r.vectors if (score := base_score(vector)) is not None]
    return max(scored, default=(None, ""))
