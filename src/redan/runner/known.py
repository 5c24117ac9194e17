"""Known vulnerabilities of the packages in a bill of materials, with what was said about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from redan.core import bom
from redan.core.bom import Justification
from redan.kernels.advisories.dump import read_dump
from redan.kernels.advisories.merging import known
from redan.kernels.advisories.upgrading import first_clean
from redan.kernels.advisories.vex import Statements, package_of, read_statements

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.bom import Bom, State
    from redan.kernels.advisories.model import Dump, Vulnerability

_STATES: dict[str, State] = {
    "not_affected": "not_affected",
    "fixed": "resolved",
    "affected": "exploitable",
    "under_investigation": "in_triage",
}
_JUSTIFICATIONS: dict[str, Justification] = {
    "component_not_present": "code_not_present",
    "vulnerable_code_not_present": "code_not_present",
    "vulnerable_code_not_in_execute_path": "code_not_reachable",
    "inline_mitigations_already_exist": "protected_by_mitigating_control",
}
"""OpenVEX's words for reasons that CycloneDX has a word for too; the others stay in the detail."""


def with_known(bill: Bom, osv: Path, vex: Path | None = None) -> Bom:
    """Return a bill with the known vulnerabilities of its packages.

    Args:
        bill: its packages are told by their package URLs.
        osv: OSV dump.
        vex: OpenVEX or CycloneDX document with statements about them.

    Raises:
        Unreadable: one of them cannot be read.
    """
    packages = [(named, c.purl) for c in bill.components if (named := package_of(c.purl)) is not None]
    dump = read_dump(osv, frozenset(name for (name, _), _ in packages))
    statements = read_statements(vex) if vex is not None else Statements()
    found = tuple(
        _one(each, purl, name, version, statements)
        for (name, version), purl in packages
        for each in known(dump.by_package.get(name, ()), version)
        if version
    )
    return replace(bill, vulnerabilities=(*bill.vulnerabilities, *found), notes=(*bill.notes, _note(dump, packages)))


def _note(dump: Dump, packages: list[tuple[tuple[str, str], str]]) -> str:
    n_exact = sum(bool(version) for (_, version), _ in packages)
    when = dump.newest[:10] or "without a date"
    return f"known vulnerabilities: {n_exact} of {len(packages)} packages of PyPI compared, newest record {when}"


def _one(each: Vulnerability, ref: str, name: str, version: str, statements: Statements) -> bom.Vulnerability:
    ids = (each.id, *each.aliases)
    fixed = first_clean(each.records, version)
    aside = statements.covering(name, version, ids)
    said = aside or statements.about(name, version, ids)
    # a statement that no longer counts must not be passed on as if it did
    stands = said is not None and (aside is not None or said.status not in ("not_affected", "fixed"))
    state: State = _STATES[said.status] if said is not None and stands else "in_triage"
    word = said.justification if said is not None and stands else ""
    justification = _JUSTIFICATIONS.get(word) or next((own for own in get_args(Justification) if own == word), "") or ""
    reasons = ("" if justification else word, said.reason if said is not None and stands else "")
    return bom.Vulnerability(
        id=each.id,
        affects=(ref,),
        source="OSV",
        url=next((record.url for record in each.records if record.url), ""),
        description=each.summary,
        recommendation=f"Upgrade {name} to {fixed} or later." if fixed else "",
        severity=each.severity,
        score=each.score,
        vector=each.vector,
        cwes=tuple(sorted({number for record in each.records for number in record.cwes})),
        aliases=each.aliases,
        state=state,
        justification=justification,
        responses=("update",) if fixed and state in ("exploitable", "in_triage") else (),
        detail=": ".join(part for part in reasons if part),
    )
