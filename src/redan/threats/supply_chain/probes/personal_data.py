"""Personal data in outputs of notebooks and in data files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Unreadable
from redan.core.finding import Finding, Location
from redan.core.probe import Spec
from redan.core.report import Examined, Unexamined
from redan.threats.supply_chain.probes.reading import may_be_text

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.notebooks.texts import Texts
    from redan.kernels.personal import Personal

MOST_LOCATIONS = 20
"""Places of one kind that a finding lists."""


@probe(
    Spec(
        id="RDN-SUP-013",
        name="personal-data",
        threat="supply_chain",
        title="Personal data in outputs of notebooks and in data files",
        source="ISO 13616 (IBAN), ISO/IEC 7812 (cards), ICAO 9303-3 (passports), SSA and HMRC number ranges",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:359", "atlas:AML.T0057"),
    )
)
class PersonalData:
    """Looks for personal data in outputs of notebooks and in data files.

    What it measures:
        How many values of which kind stand in which file.

    Why it matters:
        Outputs show the rows that the author looked at, and travel with the notebook.

    How:
        Formats with checksums and issued ranges, words beside them where the format alone says little, and tables that
        have a column of names beside columns about their bearers.

    Shapes:
        Input: a file or folder. Output: one finding a kind and file.

    Units:
        Counts of values.

    Error of the estimate:
        Values with a verified checksum are ``confirmed``, others ``likely``; counts are what was found, not what is
        there.

    Cost:
        A few megabytes of text a CPU second; code and binary files are not opened.

    Sources:
        ISO 13616, ISO/IEC 7812, ICAO 9303 part 3; SSA and HMRC on the ranges of their numbers.

    Limits:
        Names in running text are not found; code, prose and settings are passed over.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = core_params.Params

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: core_params.Params,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Read each data file and notebook once, in sorted order."""
        files = subject.files()
        observe.started("personal-data", len(files))
        for done, (file, shown) in enumerate(files, 1):
            if budget.stop():
                break
            if may_be_text(file.name):
                yield from look(file, shown, subject.root.name)
            observe.advanced("personal-data", done, len(files), file.name)
        observe.finished("personal-data", f"{len(files)} files")


def look(file: Path, shown: str, subject_name: str) -> Iterator[Finding | Examined | Unexamined]:
    """Look through one file, if it is a notebook or data."""
    if not file.is_file():
        yield Unexamined(path=shown, why="no regular file")
        return
    from redan.kernels.notebooks.texts import texts
    from redan.kernels.personal import told_of

    is_notebook = file.suffix.lower() == ".ipynb"
    if not (is_notebook or told_of(file.name)):
        return
    try:
        found = texts(file)
    except Unreadable as err:
        yield Unexamined(path=shown, why=err.message)
        return
    if found is None:
        return
    yield Examined(path=shown, format=found.format, by=("personal-data",))
    for each in _gathered(found, outputs_only=is_notebook).values():
        yield _finding(each, shown, subject_name)


def _gathered(found: Texts, *, outputs_only: bool) -> dict[str, list[tuple[Personal, str]]]:
    """Return what there is of each kind, each with its address."""
    from redan.kernels.notebooks.texts import address_of, starts_of_lines
    from redan.kernels.personal import find

    kinds: dict[str, list[tuple[Personal, str]]] = {}
    for part in found.parts:
        if outputs_only and part.kind != "output":
            continue
        values = find(part.text, media_type=part.media_type, name=part.name)
        starts = starts_of_lines(part.text) if values else []
        for each in values:
            kinds.setdefault(each.kind, []).append((each, address_of(part, starts, each.start)))
    return kinds


def _finding(values: list[tuple[Personal, str]], shown: str, subject_name: str) -> Finding:
    from redan.kernels.personal import masked
    from redan.kernels.personal.record import TITLES
    from redan.threats.supply_chain.rules import personal_data

    rule, first = personal_data.RULE, values[0][0]
    different = len({each.value for each, _ in values})
    addresses = list(dict.fromkeys(address for _, address in values))
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=subject_name,
        title=f"{shown}: {TITLES[first.kind]}: {different} different in {len(values)} places, {masked(first.value)}",
        severity=rule.severity,
        confidence="confirmed" if first.is_checked else "likely",
        detail=rule.title,
        params={"kind": first.kind},
        locations=tuple(Location(uri=shown, address=address) for address in addresses[:MOST_LOCATIONS]),
        remedies=(rule.remedy,),
        references=rule.references,
    )
