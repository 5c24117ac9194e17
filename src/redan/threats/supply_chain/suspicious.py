"""From suspicious packages to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.finding import Finding, Location, Severity
from redan.kernels.names.suspects import suspects
from redan.threats.supply_chain.rules.suspicious_package import RULE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from redan.kernels.names.suspects import Suspect
    from redan.kernels.packages.model import Manifest

MOST_LOCATIONS = 20
"""Places that one finding lists."""

_SAYS = {
    "misnomer": "{0} is not the package that people mean by it, which is {1}",
    "separator": "{0} differs from the well-known {1} by separators alone",
    "look": "{0} looks like the well-known {1}",
    "slip": "{0} is one slip away from the well-known {1}",
    "affix": "{0} is the well-known {1} with an affix",
    "version": "{0} has version {1}, which wins over every release",
}
_SEVERITIES = {"misnomer": Severity.LOW, "affix": Severity.MEDIUM}


def suspicious(manifests: Iterable[Manifest], subject_name: str) -> Iterator[Finding]:
    """Yield one finding a suspicious package."""
    for each in suspects(manifests):
        yield _finding(each, subject_name)


def _finding(each: Suspect, subject_name: str) -> Finding:
    places = [Location(uri=p.path, address=f"line {p.line}" if p.line else "") for p in each.mentions]
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=subject_name,
        title=_SAYS[each.kind].format(each.name, each.detail),
        severity=_SEVERITIES.get(each.kind, RULE.severity),
        confidence="confirmed" if each.kind == "misnomer" else "likely" if each.kind == "version" else "possible",
        detail=RULE.title,
        params={"kind": each.kind, "name": each.name},
        locations=tuple(dict.fromkeys(places))[:MOST_LOCATIONS],
        remedies=(RULE.remedy,),
        references=RULE.references,
    )
