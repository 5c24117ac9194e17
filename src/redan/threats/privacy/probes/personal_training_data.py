"""Personal data in training data: which column, which kind, in what share of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import MissingDependency, UnknownName, Unreadable, UsageError
from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.core.probe import Spec
from redan.core.report import Examined, Unexamined

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.personal.columns import Told
    from redan.kernels.personal.recognise import Recogniser

GRAVE = (
    "ssn",
    "passport",
    "nino",
    "nhs",
    "health",
    "social",
    "medicare",
    "mbi",
    "card",
    "iban",
    "account",
    "id",
    "nir",
)
"""Words of kinds that open accounts, name a patient or identify a citizen."""

REMEDIES = (
    "leave out columns that the model does not need: redan data minimise",
    "replace identifiers by pseudonyms: redan data pseudonymise DATA -c COLUMN --key file:people.key -o SAFE",
    "leave out, mask or generalise: redan data anonymise DATA --drop COLUMN -o LESS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalTrainingDataParams(core_params.Params):
    """What to look for.

    Attributes:
        pipeline: spaCy pipeline that finds names of persons; names are not looked for when empty.
        kinds: kinds with commas between; all that tell of persons when empty.
        least: what is less certain is left out.
    """

    pipeline: str = ""
    kinds: str = ""
    least: Literal["weak", "likely", "sure"] = "likely"


@probe(
    Spec(
        id="RDN-PRI-050",
        name="personal-training-data",
        threat="privacy",
        title="Personal data in training data, by column and kind",
        source="issuers' formats and check digits (see docs/personal-data.md); GDPR articles 4 and 9",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:359", "atlas:AML.T0057"),
        default=False,
    )
)
class PersonalTrainingData:
    """Looks for personal data in the columns, texts and pictures that a model is trained on.

    What it measures:
        For each column and kind, in how many of the cells a value of that kind stands; what only the head of a column
        says is told too.

    Why it matters:
        A model can repeat what it was trained on, and the law asks for a purpose and a way to delete. What is not in
        the data cannot leak.

    How:
        79 kinds of identifiers with ranges, check digits and words beside them; the head of a column counts as such
        a word. Names of persons through a spaCy pipeline where one is given. Pictures are opened for their metadata
        only.

    Shapes:
        CSV, TSV, JSON lines, Parquet: columns; texts: lines; JPEG, PNG, TIFF, WebP: tags. One finding a file, column
        and kind.

    Units:
        Fractions of cells.

    Error of the estimate:
        Wilson's 95 % interval for the share, as if the cells were drawn; the values themselves are ``confirmed`` where
        check digits and words agree, ``likely`` otherwise.

    Cost:
        About three megabytes of text a CPU second, each different cell once.

    Sources:
        ISO 13616, ISO/IEC 7812, ISO 7064, ICAO 9303-3, NIST and the issuers named in the formats' modules.

    Limits:
        Names are not looked for without a pipeline. Kinds without check digits are told by form and words, which can
        err both ways. At most 200,000 different cells of a column are looked at.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = PersonalTrainingDataParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: PersonalTrainingDataParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Read each file once, in sorted order."""
        recogniser, names = _recogniser(params), _names(params.pipeline)
        files = subject.files()
        observe.started("personal-training-data", len(files))
        for done, (file, shown) in enumerate(files, 1):
            if budget.stop():
                break
            yield from _looked(file, shown, subject.root.name, params, recogniser, names)
            observe.advanced("personal-training-data", done, len(files), file.name)
        observe.finished("personal-training-data", f"{len(files)} files")


def _recogniser(params: PersonalTrainingDataParams) -> Recogniser:
    from redan.kernels.personal.formats.registry import titles
    from redan.kernels.personal.recognise import Recogniser

    kinds = [each.strip() for each in params.kinds.split(",") if each.strip()]
    if unknown := next((kind for kind in kinds if kind not in titles()), None):
        raise UnknownName.among("kind of personal data", unknown, [*titles()])
    return Recogniser(kinds or None, least=params.least)


def _names(pipeline: str) -> Callable[[str], list[str]] | None:
    """Return what finds names of persons; a pipeline is code, so only one that is installed is loaded."""
    if not pipeline:
        return None
    from importlib import import_module

    try:
        spacy = import_module("spacy")
    except ModuleNotFoundError as err:
        raise MissingDependency("looking for names needs 'spacy', not installed", hint="pip install spacy") from err
    if not spacy.util.is_package(pipeline):
        raise UsageError(f"{pipeline!r} is no installed spaCy pipeline", hint="install one, or leave --names out")
    model = spacy.load(pipeline)
    return lambda text: [each.text for each in model(text).ents if each.label_ in ("PERSON", "PER")]


def _looked(
    file: Path,
    shown: str,
    subject_name: str,
    params: PersonalTrainingDataParams,
    recogniser: Recogniser,
    names: Callable[[str], list[str]] | None,
) -> Iterator[Finding | Examined | Unexamined]:
    from redan.kernels.personal.columns import told
    from redan.threats.privacy.personal_files import PICTURES, columns_of, metadata_of

    if not file.is_file():
        yield Unexamined(path=shown, why="no regular file")
        return
    try:
        if file.suffix.lower() in PICTURES:
            tags = metadata_of(file)
            yield Examined(path=shown, format="picture", by=("personal-training-data",))
            yield from (_tag_finding(name, text, shown, subject_name, params) for name, text in tags.items())
            return
        columns = columns_of(file)
    except (Unreadable, MissingDependency) as err:
        yield Unexamined(path=shown, why=err.message)
        return
    if columns is None:
        return
    yield Examined(path=shown, format=file.suffix.lower().lstrip("."), by=("personal-training-data",))
    for head, cells in columns.items():
        for each in told(head, cells, recogniser, names=names):
            yield _finding(each, head, shown, subject_name, params)


def _severity(kind: str) -> Severity:
    from redan.kernels.personal.columns import SPECIAL

    if kind in SPECIAL or {*kind.split("-")} & {*GRAVE}:
        return Severity.HIGH
    return Severity.MEDIUM


def _finding(each: Told, head: str, shown: str, subject_name: str, params: PersonalTrainingDataParams) -> Finding:
    from redan.kernels.personal.columns import HEAD_TITLES
    from redan.kernels.personal.formats.registry import titles
    from redan.kernels.statistics import wilson

    what = ({**HEAD_TITLES, **titles()})[each.kind]
    names = f"names through {params.pipeline}" if params.pipeline else "names: not looked for"
    low, high = wilson(each.rows, each.looked)
    if each.rows:
        title = f"{shown}: {head!r} holds {what} in {each.rows:,} of {each.looked:,} cells"
        detail = f"Such as {', '.join(each.examples)}; {names}."
    else:
        title = f"{shown}: {head!r} is named like {what}"
        detail = f"Only the head says so; no value of a known form is in its {each.looked:,} cells; {names}."
    rate = each.rows / each.looked
    return Finding(
        rule=PersonalTrainingData.spec.id,
        threat=PersonalTrainingData.spec.threat,
        subject=subject_name,
        title=title,
        severity=_severity(each.kind) if each.rows else min(_severity(each.kind), Severity.MEDIUM),
        confidence="confirmed" if each.rows and each.strength == "sure" else "likely",
        detail=detail,
        params=params.as_dict(),
        quantities=(
            Quantity(
                name="personal_cell_rate",
                value=rate,
                unit="fraction",
                n=each.looked,
                low=low,
                high=high,
                better="lower",
            ),
        ),
        tables=(Table(name="examples", columns=("masked",), rows=tuple((text,) for text in each.examples)),)
        if each.examples
        else (),
        locations=(Location(uri=shown, address=f"column {head}: {each.kind}"),),
        remedies=REMEDIES,
        references=PersonalTrainingData.spec.references,
    )


def _tag_finding(name: str, text: str, shown: str, subject_name: str, params: PersonalTrainingDataParams) -> Finding:
    from redan.kernels.personal import masked

    return Finding(
        rule=PersonalTrainingData.spec.id,
        threat=PersonalTrainingData.spec.threat,
        subject=subject_name,
        title=f"{shown}: its metadata hold {name}, {'a position' if name == 'gps' else masked(text)}",
        severity=Severity.MEDIUM,
        confidence="confirmed",
        detail="Metadata travel with every copy of the picture; pixels were not looked at.",
        params=params.as_dict(),
        locations=(Location(uri=shown, address=f"tag {name}"),),
        remedies=("write the pictures without metadata",),
        references=PersonalTrainingData.spec.references,
    )
