"""SARIF 2.1.0 (OASIS Standard, errata 01) for code-scanning services."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from redan.core.catalogue import entries, writer
from redan.core.codec import encode
from redan.core.finding import Severity
from redan.reports.figures import bounded, spread, words
from redan.reports.summary import SET_ASIDE, gaps, why_set_aside
from redan.reports.visible import visible

if TYPE_CHECKING:
    from redan.core.finding import Finding, Location
    from redan.core.report import Artifact, Report
    from redan.reports.summary import Gap

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_SCORE = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}
"""Middle of the CVSS 3.1 band of the same name: what code-scanning services sort by."""

_BYTE = re.compile(r"\bbyte (\d{1,15})\b", re.ASCII)
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_UTC = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(?:Z|\+00:00)$", re.ASCII)


@writer(name="sarif", suffix=".sarif", media_type="application/sarif+json")
def write(report: Report) -> bytes:
    """SARIF 2.1.0: findings with locations, suppressions and what was not tested, for code-scanning services."""
    log = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [_run(report)]}
    return json.dumps(_clean(log), ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def _clean(value: Any) -> Any:
    """Make every string visible text, so that strict parsers accept the document."""
    if isinstance(value, str):
        return visible(value, keep="\n")
    if isinstance(value, dict):
        return {visible(key): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def _run(report: Report) -> dict[str, Any]:
    # the schema wants rules and artifacts to be distinct, also after hidden characters were written out
    rules = list(dict.fromkeys(visible(f.rule) for f in report.findings))
    artifacts = {json.dumps(_clean(_artifact(a))): _artifact(a) for a in report.artifacts}
    return {
        "tool": {"driver": _driver(report, rules)},
        "automationDetails": {"id": f"redan/{report.subject.name}/"},
        "invocations": [_invocation(report)],
        "artifacts": list(artifacts.values()),
        "results": [_result(f, rules.index(visible(f.rule)), report) for f in report.findings],
        "columnKind": "unicodeCodePoints",
        "properties": {
            "gate": encode(report.gate),
            "subject": encode(report.subject),
            "seed": report.run.seed,
            "threads": report.run.threads,
            "machine": report.run.machine,
            "versions": encode(report.run.versions),
            "configDigest": report.run.config_digest,
        },
    }


def _driver(report: Report, rules: list[str]) -> dict[str, Any]:
    return {
        "name": report.tool.name,
        "version": report.tool.version,
        "rules": [_rule(rule, [f for f in report.findings if visible(f.rule) == rule]) for rule in rules],
    }


def _rule(rule: str, findings: list[Finding]) -> dict[str, Any]:
    first, worst = findings[0], max(f.severity for f in findings)
    title, page = _page(rule) or (f"{first.threat.replace('_', ' ')} ({rule})", first.detail or first.title)
    remedies = dict.fromkeys(r for f in findings for r in f.remedies)
    parts = [page, *(f"Remedy: {r}" for r in remedies), f"More: redan explain {rule}"]
    references = [r for f in findings for r in f.references]
    return {
        "id": rule,
        "shortDescription": {"text": title},
        "fullDescription": {"text": page},
        "help": {"text": "\n\n".join(parts)},
        "defaultConfiguration": {"level": _LEVEL[worst]},
        "properties": {
            "security-severity": _SCORE[worst],
            "tags": list(dict.fromkeys(map(visible, ["security", first.threat, *references]))),
        },
    }


def _page(rule: str) -> tuple[str, str] | None:
    """Return the title and the page of a rule from the catalogue; a rule of an absent plugin has none."""
    page = next((e for e in entries() if e.id == rule and e.kind in ("rule", "probe")), None)
    return (page.title, page.doc) if page else None


def _result(finding: Finding, rule_index: int, report: Report) -> dict[str, Any]:
    undecided = finding.status == "inconclusive"
    result = {
        "ruleId": visible(finding.rule),
        "ruleIndex": rule_index,
        # SARIF 3.27.9 and 3.27.10: "open" is what could not be decided, and only "fail" has a level
        "kind": "open" if undecided else "fail",
        "level": "none" if undecided else _LEVEL[finding.severity],
        "message": {"text": _message(finding)},
        "partialFingerprints": {"redan/v1": finding.fingerprint},
        "locations": _locations(finding, report),
        "suppressions": [],
        "properties": {
            "severity": finding.severity.word,
            "status": finding.status,
            "confidence": finding.confidence,
            "params": encode(finding.params),
            "quantities": encode(finding.quantities),
            "evidence": encode(finding.evidence),
        },
    }
    if finding.status in SET_ASIDE:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": why_set_aside(finding)},
        ]
    return result


def _message(finding: Finding) -> str:
    numbers = [f"{words(q.name)} {bounded(q)} ({spread(q)}, n={q.n:,})" for q in finding.quantities]
    return "\n".join(filter(None, [finding.title or finding.rule, finding.detail, "; ".join(numbers)]))


def _locations(finding: Finding, report: Report) -> list[dict[str, Any]]:
    """Return where; a finding about the whole model points at the model's first file, if it has one."""
    logical = [{"name": finding.subject, "kind": "module"}]
    if finding.locations:
        return [{**_location(place), "logicalLocations": logical} for place in finding.locations]
    uri = next((c.uri for c in report.subject.components if c.uri), "")
    if not uri:
        return [{"logicalLocations": logical}]
    return [{"physicalLocation": {"artifactLocation": {"uri": _uri(uri)}}, "logicalLocations": logical}]


def _location(place: Location) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.uri)}}
    offset = _BYTE.search(place.address)
    if offset is not None:
        physical["region"] = {"byteOffset": int(offset[1])}
    found: dict[str, Any] = {"physicalLocation": physical}
    if place.address:
        found["message"] = {"text": place.address}
    return found


def _uri(path: str) -> str:
    """Return a URI reference (RFC 3986, section 4.1): a path is quoted byte by byte, a URL keeps its own syntax."""
    if _SCHEME.match(path):
        return quote(path.encode("utf-8", "surrogatepass"), safe="/:?#[]@!$&'()*+,;=%~")
    quoted = quote(path.encode("utf-8", "surrogatepass"), safe="/@!$&'()*+,;=~")
    # two leading slashes would name a host
    return re.sub("^/{2,}", "/", quoted)


def _artifact(artifact: Artifact) -> dict[str, Any]:
    found: dict[str, Any] = {
        "location": {"uri": _uri(artifact.path)},
        "length": artifact.size_bytes,
        "properties": {"verdict": artifact.verdict, "reasons": list(artifact.reasons), "format": artifact.format},
    }
    if artifact.sha256:
        found["hashes"] = {"sha-256": artifact.sha256}
    return found


def _invocation(report: Report) -> dict[str, Any]:
    run = report.run
    failed = any(p.outcome == "failed" for p in report.probes)
    found: dict[str, Any] = {
        "executionSuccessful": run.complete and not failed,
        "exitCode": report.gate.exit_code,
        "exitCodeDescription": "; ".join([report.gate.verdict, *report.gate.reasons]),
        "commandLine": run.command,
        "toolExecutionNotifications": [_notification(gap) for gap in gaps(report)],
    }
    started = _UTC.fullmatch(run.started)
    if started is not None:
        found["startTimeUtc"] = f"{started[1]}Z"
    return found


def _notification(gap: Gap) -> dict[str, Any]:
    return {
        "descriptor": {"id": f"redan/{gap.outcome.replace(' ', '-')}"},
        "level": "error" if gap.outcome == "failed" else "warning",
        "message": {"text": f"{gap.what}: {gap.outcome}: {gap.why}"},
    }
