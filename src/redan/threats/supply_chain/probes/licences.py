"""Which licences a project's packages, models and data have, and whether they are allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.finding import Finding, Location, Severity
from redan.core.probe import Spec
from redan.core.record import dataclass
from redan.core.report import Examined, Unexamined

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.licences.judging import Judged

MOST_LOCATIONS = 50
"""Places that one finding lists."""
_FIRST_LETTERS = "rmdlcuRMDLCU"
_SEVERITIES = {"not-allowed": Severity.HIGH, "restricted": Severity.MEDIUM, "unknown": Severity.LOW}


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceParams(core_params.Params):
    """What is allowed.

    Attributes:
        licences: SPDX identifiers or words that are allowed, separated by commas; any when empty.
        environment: virtual environment whose packages are judged too.
    """

    licences: str = ""
    environment: str = ""


@probe(
    Spec(
        id="RDN-SUP-028",
        name="licences",
        threat="supply_chain",
        title="Licences of packages, models and data against an allow-list, and restrictions of use",
        source="SPDX specification 2.3, annex D; the licences' own texts",
        needs=("bytes",),
        cost="instant",
        references=("cwe:1357",),
    )
)
class Licences:
    """Reads which licences are stated and holds them against an allow-list.

    What it measures:
        Licences that are not allowed, that restrict what the work may be used for, or that are not known.

    Why it matters:
        A model may not be sold or passed on under terms that what it was made from forbids.

    How:
        Metadata of packages, front matter of cards, Croissant descriptions and titles of licence texts are turned into
        SPDX expressions, and these are judged part by part.

    Shapes:
        Input: a file or folder. Output: one finding a licence for packages, one a file for cards and texts.

    Units:
        None.

    Error of the estimate:
        ``confirmed`` for what is stated as an identifier; ``likely`` for texts that are told by their titles.

    Cost:
        In proportion to the cards and lock files; other files are told apart by their names alone.

    Sources:
        SPDX specification 2.3, annex D; Hugging Face Hub documentation; MLCommons Croissant 1.0.

    Limits:
        Without an allow-list only restrictions of use are told. Packages have licences where a lock file or
        ``environment`` states them. No legal advice.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LicenceParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: LicenceParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Judge packages first, then every file that states a licence, in sorted order."""
        if budget.stop():
            return
        allowed = frozenset(word for part in params.licences.split(",") if (word := part.strip().lower()))
        name = subject.root.name
        if allowed or params.environment:
            yield from packages(subject.files(), params.environment, allowed, name)
        if allowed:
            yield from notebooks(subject.files(), params.environment, allowed, name)
        stating = [(path, shown) for path, shown in subject.files() if path.name[0] in _FIRST_LETTERS or _odd(path)]
        if not stating:
            return
        from redan.kernels.licences.stated import kind_of

        observe.started("licences", len(stating))
        for path, shown in stating:
            kind = kind_of(path.name)
            if budget.stop():
                return
            if kind and path.is_file():
                yield from stated(path, shown, kind, allowed, name)
        observe.finished("licences", f"{len(stating)} files")


def _odd(path: Path) -> bool:
    """Whether a file is a description whose name need not start with its kind."""
    return path.name.endswith(".json") and "croissant" in path.name.lower()


def packages(
    files: tuple[tuple[Path, str], ...], environment: str, allowed: frozenset[str], subject_name: str
) -> Iterator[Finding | Unexamined]:
    """Judge the packages that lock files and an environment state a licence of; one finding a licence.

    Raises:
        Unreadable: there are no distributions in the environment.
    """
    from redan.kernels.licences.judging import judge
    from redan.threats.supply_chain.environments import with_environment

    manifests = with_environment(files, environment)
    groups: dict[Judged, dict[str, Location]] = {}
    for package in (p for m in manifests for p in m.packages):
        if not package.licence and package.role != "installed":
            continue  # a line that asks for a package says nothing about licences
        judged = judge(package.licence, allowed)
        if judged.kind != "fine":
            place = Location(uri=package.path, address=f"line {package.line}" if package.line else "")
            groups.setdefault(judged, {}).setdefault(package.name, place)
    for judged, places in groups.items():
        listed = ", ".join(sorted(places)[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
        many = f"{len(places)} package{'s' * (len(places) != 1)} under {judged.licence or 'no stated licence'}"
        yield _finding(judged, f"{many}: {listed}", tuple(places.values()), allowed, subject_name)


def notebooks(
    files: tuple[tuple[Path, str], ...], environment: str, allowed: frozenset[str], subject_name: str
) -> Iterator[Finding | Unexamined]:
    """Judge what the notebooks among some files import; one finding a notebook and licence.

    Raises:
        Unreadable: there are no distributions in the environment.
    """
    books = [(path, shown) for path, shown in files if path.suffix == ".ipynb"]
    if not books:
        return
    from redan.core.errors import Unreadable
    from redan.kernels.licences.imports import imported
    from redan.kernels.licences.judging import judge
    from redan.kernels.notebooks.reading import read_notebook
    from redan.threats.supply_chain.environments import with_environment

    manifests = with_environment((), environment) if environment else ()
    installed = {p.name: p.licence for m in manifests for p in m.packages if p.licence}
    for path, shown in books:
        try:
            cells = [cell for cell in read_notebook(path).cells if cell.kind == "code"]
        except (Unreadable, OSError) as error:
            yield Unexamined(path=f"{shown}, as imports", why=f"cannot be read: {error}")
            continue
        groups: dict[Judged, dict[str, Location]] = {}
        for cell in cells:
            for each in imported(cell.source.text, installed):
                judged = judge(each.licence, allowed)
                if judged.kind != "fine":
                    place = Location(uri=shown, address=f"{cell.source.address}, line {each.line}")
                    groups.setdefault(judged, {}).setdefault(each.distribution, place)
        for judged, places in groups.items():
            what = f"{shown} imports {', '.join(places)} under {judged.licence or 'no stated licence'}"
            yield _finding(judged, what, tuple(places.values()), allowed, subject_name, likely=not installed)


def stated(
    path: Path, shown: str, kind: str, allowed: frozenset[str], subject_name: str
) -> Iterator[Finding | Examined | Unexamined]:
    """Judge what one file states."""
    from redan.kernels.licences.judging import judge
    from redan.kernels.licences.stated import read_stated

    try:
        found = read_stated(path, kind)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        yield Unexamined(path=f"{shown}, as a licence", why=f"cannot be read: {why}")
        return
    if found is None:
        return
    yield Examined(path=shown, format={"text": "licence"}.get(kind, kind), by=("licences",))
    judged = judge(found.licence, allowed)
    if judged.kind != "fine":
        what = f"is under {judged.licence}" if judged.licence else "is a text" if kind == "text" else "is a card"
        yield _finding(judged, f"{shown} {what}", (Location(uri=shown),), allowed, subject_name, likely=kind == "text")


def _finding(
    judged: Judged,
    what: str,
    places: tuple[Location, ...],
    allowed: frozenset[str],
    subject_name: str,
    *,
    likely: bool = False,
) -> Finding:
    from redan.threats.supply_chain.rules.licence import RULE

    # with an allow-list somebody has decided, and a restriction is one more reason
    severity = Severity.HIGH if judged.kind == "restricted" and allowed else _SEVERITIES[judged.kind]
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=subject_name,
        title=f"{what}: {judged.why}",
        severity=severity,
        confidence="likely" if likely else "confirmed",
        detail=RULE.title,
        params={"kind": judged.kind, "licence": judged.licence},
        locations=places[:MOST_LOCATIONS],
        remedies=(RULE.remedy,),
        references=RULE.references,
    )
