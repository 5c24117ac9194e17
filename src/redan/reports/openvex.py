"""OpenVEX: what a report says about known vulnerabilities, as statements to judge and to give back to a scan.

Source: OpenVEX specification 0.2.0.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid5

from redan.core.bom import GOOD_FOR_D
from redan.reports.cyclonedx import NAMESPACE
from redan.reports.visible import visible

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.core.report import Report

CONTEXT = "https://openvex.dev/ns/v0.2.0"
RULE = "RDN-SUP-026"
"""The rule whose findings are statements."""

JUSTIFICATIONS = frozenset(
    {
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    }
)
_OF_CYCLONEDX = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}
"""CycloneDX's words for reasons that OpenVEX has a word for too."""


def write(report: Report, *, author: str, timestamp: str) -> bytes:
    """Write one statement a known vulnerability and package; the same report and time give the same bytes.

    What nobody has judged is ``under_investigation``. What an ``[[ignore]]`` set aside is ``affected`` and accepted:
    an accepted risk is no statement that there is none. What a VEX document set aside keeps its statement.

    Args:
        report: of a scan with known vulnerabilities.
        author: who makes the statements.
        timestamp: UTC time, ISO 8601.
    """
    statements = [statement(f, timestamp) for f in report.findings if f.rule == RULE]
    ordered = sorted(statements, key=lambda each: (each["vulnerability"]["name"], json.dumps(each["products"])))
    content = json.dumps([author, ordered], sort_keys=True)
    document = {
        "@context": CONTEXT,
        "@id": f"urn:uuid:{uuid5(NAMESPACE, content)}",
        "author": visible(author),
        "timestamp": timestamp,
        "version": 1,
        "tooling": f"redan {report.tool.version}",
        "statements": ordered,
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def statement(finding: Finding, timestamp: str) -> dict[str, Any]:
    """Return the statement that a finding comes to."""
    purls = [r.removeprefix("purl:") for r in finding.references if r.startswith("purl:")]
    return {
        "vulnerability": {"name": str(finding.params["vulnerability"])},
        "products": [{"@id": purl, "identifiers": {"purl": purl}} for purl in purls],
        "timestamp": _made(finding) or timestamp,
        **_status(finding),
    }


def _made(finding: Finding) -> str:
    """Return when a statement was made that a VEX document already had: to repeat it is not to judge it again."""
    aside = finding.suppression
    if aside is None or not aside.source.startswith("VEX "):
        return ""
    return f"{date.fromisoformat(aside.expires) - timedelta(days=GOOD_FOR_D)}T00:00:00Z"


def _status(finding: Finding) -> dict[str, str]:
    aside = finding.suppression
    if aside is None:
        return {"status": "under_investigation", "status_notes": visible(finding.title)}
    if not aside.source.startswith("VEX "):
        return {"status": "affected", "action_statement": visible(f"accepted until {aside.expires}: {aside.reason}")}
    status, _, rest = aside.reason.partition(": ")
    word, _, words = rest.partition(": ")
    justification = _OF_CYCLONEDX.get(word, word)
    if status != "not_affected":
        return {"status": status, "status_notes": visible(rest)}
    if justification in JUSTIFICATIONS:
        return {"status": status, "justification": justification, "impact_statement": visible(words)}
    return {"status": status, "impact_statement": visible(rest)}
