"""Which packages of a project are known to be vulnerable, by OSV records that the user gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Skipped
from redan.core.finding import Finding, Location, Quantity, Severity, Suppression
from redan.core.probe import Spec
from redan.core.record import dataclass
from redan.core.report import Examined, Unexamined
from redan.kernels.packages.kinds import kind_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.advisories.matching import Weak
    from redan.kernels.advisories.model import Dump
    from redan.kernels.advisories.vex import Statements

MOST_LOCATIONS = 20
"""Places that one finding lists."""
OLD_AFTER_D = 30
"""Days after which the data counts as old: a database changes daily."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VulnerabilityParams(core_params.Params):
    """What is known, and what has been judged.

    Attributes:
        osv: OSV dump: PyPI's ``all.zip``, a folder of JSON records, or one record a line.
        vex: OpenVEX or CycloneDX document with statements about what does not matter here.
        environment: virtual environment whose packages are compared too.
    """

    osv: str = ""
    vex: str = ""
    environment: str = ""


@probe(
    Spec(
        id="RDN-SUP-025",
        name="vulnerabilities",
        threat="supply_chain",
        title="Known vulnerabilities of the packages that a project names in exact versions",
        source="OSV schema 1.7; PEP 440; FIRST, CVSS v3.1 specification",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:1395", "atlas:AML.T0010.001", "owasp:ML06"),
    )
)
class Vulnerabilities:
    """Compares exact versions of packages with a dump of OSV records; nothing is asked of the network.

    What it measures:
        Which known vulnerabilities the named versions have, and how bad they are.

    Why it matters:
        Who knows the version of a framework knows its published weaknesses; several let a model file run code.

    How:
        Every version that requirements, lock files, project files and an environment fix is compared with the ranges
        and lists of the records, by PEP 440 and without local build parts. Records that share an identifier count
        once. Withdrawn records and ranges of commits say nothing. Statements of a VEX document set findings aside
        visibly.

    Shapes:
        Input: a file or folder. Output: one finding a package and vulnerability, and one that says what was compared.

    Units:
        CVSS base score, 0 to 10.

    Error of the estimate:
        ``confirmed`` means that a record names the version; whether the weak code is reached is not judged.
        ``likely`` where the version is only a bound.

    Cost:
        About 10 000 records a CPU second.

    Sources:
        OSV schema 1.7, section Evaluation; PEP 440; FIRST, CVSS v3.1 specification, section 7.

    Limits:
        PyPI only. Requirements without an exact version are named as not tested. CVSS 4.0 vectors are not scored: the
        word of the database is taken, and where there is none the severity is unknown and counts as medium.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = VulnerabilityParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: VulnerabilityParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Compare what the package manager files name with the dump.

        Raises:
            Skipped: there are packages and no dump was given.
            Unreadable: the dump, the VEX document or the environment cannot be read.
        """
        files = subject.files()
        if budget.stop() or not (params.environment or any(kind_of(shown) for _, shown in files)):
            return
        from redan.kernels.advisories.matching import exact, untested, weak_versions
        from redan.threats.supply_chain.environments import with_environment

        manifests = with_environment(files, params.environment)
        if not any(manifest.packages for manifest in manifests):
            return
        if not params.osv:
            raise Skipped("known vulnerabilities were not looked for", hint="give an OSV dump: --osv PATH")
        versions = exact(manifests)
        observe.started("vulnerabilities", len(versions))
        dump, statements = _read(params, frozenset(name for name, _ in versions))
        weak = tuple(weak_versions(versions, dump))
        yield compared(dump, len(versions), weak, params, subject.root.name)
        for each in weak:
            yield found(each, statements, subject.root.name)
        for path, why in untested(manifests):
            yield Unexamined(path=f"{path}, known vulnerabilities", why=why)
        for manifest in manifests:
            if manifest.kind not in ("notebook", "environment") and manifest.complete:
                yield Examined(path=manifest.path, format=manifest.kind, by=("vulnerabilities",))
        observe.finished("vulnerabilities", f"{len(weak)} known")


def _read(params: VulnerabilityParams, wanted: frozenset[str]) -> tuple[Dump, Statements]:
    from pathlib import Path

    from redan.kernels.advisories.dump import read_dump
    from redan.kernels.advisories.vex import Statements, read_statements

    statements = read_statements(Path(params.vex)) if params.vex else Statements()
    return read_dump(Path(params.osv), wanted), statements


def compared(
    dump: Dump, n_versions: int, weak: tuple[Weak, ...], params: VulnerabilityParams, subject_name: str
) -> Finding:
    """Say what was compared with which data, and how old that is."""
    from datetime import UTC, datetime

    from redan.kernels.advisories.dump import age_d

    n_weak = len({(each.name, each.version) for each in weak})
    age = age_d(dump, datetime.now(UTC))
    old = age is None or age > OLD_AFTER_D
    when = f"newest record of {dump.newest[:10]}" if dump.newest else "records without a date"
    words = f"{n_versions} versions compared with {dump.n_records} records ({when}, file of {dump.file_date})"
    broken = f"; {dump.n_broken} members were no record" if dump.n_broken else ""
    stale = f"; the data is {'of unknown age' if age is None else f'{age} days old'}" if old else ""
    quantity = Quantity(
        name="vulnerable_versions", value=n_weak, unit="count", n=n_versions, low=n_weak, high=n_weak, better="lower"
    )
    return Finding(
        rule="RDN-SUP-025",
        threat="supply_chain",
        subject=subject_name,
        title=f"{words}: {n_weak} known to be vulnerable{broken}{stale}",
        severity=Severity.LOW if old else Severity.INFO,
        detail="What was compared. Versions that the records do not name are not known to be vulnerable; no more.",
        params=params.as_dict(),
        quantities=(quantity,),
        remedies=("Take a newer dump.",) if old else (),
    )


def found(weak: Weak, statements: Statements, subject_name: str) -> Finding:
    """Turn a known vulnerability into a finding, set aside where a VEX statement covers it."""
    from redan.kernels.advisories.upgrading import first_clean
    from redan.threats.supply_chain.rules.vulnerable_package import RULE

    known = weak.vulnerability
    others = f" ({', '.join(known.aliases[:4])})" if known.aliases else ""
    what = "is a malicious package" if known.malicious else f"has {known.id}{others}"
    severity = Severity.MEDIUM if known.severity is None else known.severity
    level = "severity unknown" if known.severity is None else severity.word
    score = f", CVSS {known.score}" if known.score is not None else ""
    fixed = first_clean(known.records, weak.version)
    places = [Location(uri=p.path, address=f"line {p.line}" if p.line else "") for p in weak.mentions]
    cwes = sorted({number for record in known.records for number in record.cwes})
    statement = statements.covering(weak.name, weak.version, (known.id, *known.aliases))
    remedy = f"Upgrade {weak.name} to {fixed} or later." if fixed else f"The data names no fixed {weak.name}."
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=subject_name,
        title=f"{weak.name} {weak.version} {what}: {known.summary or 'no summary'} [{level}{score}]",
        severity=severity,
        status="suppressed" if statement else "open",
        suppression=Suppression(reason=statement.words, expires=statement.expires, source=f"VEX {statements.name}")
        if statement
        else None,
        confidence="confirmed" if weak.sure else "likely",
        detail=RULE.title,
        params={"package": weak.name, "vulnerability": known.id},
        quantities=_scores(known.score),
        locations=tuple(dict.fromkeys(places))[:MOST_LOCATIONS],
        remedies=("Remove it, and replace every credential it could read.",) if known.malicious else (remedy,),
        references=(
            *RULE.references,
            f"purl:{weak.mentions[0].purl}",
            *(f"cwe:{number}" for number in cwes),
            *dict.fromkeys(r.url for r in known.records if r.url),
        ),
    )


def _scores(score: float | None) -> tuple[Quantity, ...]:
    if score is None:
        return ()
    return (Quantity(name="cvss_base_score", value=score, unit="score", n=1, low=score, high=score, better="lower"),)
