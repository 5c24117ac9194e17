"""Data sets that lie beside a manifest: whether they are still what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import SignatureRefused, Unreadable
from redan.core.finding import Finding, Location, Severity
from redan.core.probe import Spec
from redan.core.record import dataclass
from redan.core.report import Examined, Unexamined

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.catalogue import Rule
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.evidence.datasets.manifest import Read

SUFFIX = ".manifest.json"
MOST_NAMED = 100
"""Files that differ and get a finding of their own, for one manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetParams(core_params.Params):
    """What to trust.

    Attributes:
        keys: paths of the public keys that may sign manifests, with commas between.
    """

    keys: str = ""


@probe(
    Spec(
        id="RDN-SUP-030",
        name="data-sets",
        threat="supply_chain",
        title="Data sets against the manifests beside them: files changed, added, missing, renamed; signatures",
        source="in-toto attestation specification v1.1; redan data manifest",
        needs=("bytes",),
        cost="seconds",
        references=("atlas:AML.T0020", "cwe:353", "owasp:ML02"),
    )
)
class DataSets:
    """Compares data with the manifests that lie beside it.

    What it measures:
        Files changed, added, missing or renamed since the manifest was made; who signed it; whether a licence is named.

    Why it matters:
        Training data that somebody can change unseen is the shortest way into a model.

    How:
        Every ``*.manifest.json`` that `redan data manifest` wrote is read, and every file of its data digested again.

    Shapes:
        Input: a file or folder. Output: one finding for each file that differs.

    Units:
        None.

    Error of the estimate:
        None: SHA-256 digests are compared.

    Cost:
        As long as reading the data once; nothing where no manifest lies.

    Sources:
        in-toto attestation specification v1.1; DSSE v1.0.2.

    Limits:
        Data without a manifest is not looked at. Data elsewhere than its manifest names is not found.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DataSetParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: DataSetParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Verify each manifest, in sorted order."""
        found = [pair for pair in subject.files() if pair[1].endswith(SUFFIX)]
        if not found:
            return
        observe.started("data_sets", len(found))
        keys = tuple(Path(word) for word in params.keys.split(",") if word)
        for file, shown in found:
            if budget.stop():
                break
            yield from look(file, shown, subject.root.name, keys)
        observe.finished("data_sets", f"{len(found)} manifests")


def look(
    file: Path, shown: str, subject_name: str, keys: tuple[Path, ...]
) -> Iterator[Finding | Examined | Unexamined]:
    """Verify one manifest; files of other tools with such a name are left alone."""
    from redan.evidence.datasets.manifest import is_manifest, read
    from redan.evidence.datasets.verification import differences, place_of

    try:
        if file.is_symlink() or not is_manifest(file):
            return
        found = read(file)
        place = place_of(found.manifest, file)
        if place.is_symlink():
            raise Unreadable(f"the data {found.manifest.root!r} is a symbolic link, which may lead anywhere")
        changes = differences(found.manifest, place)
    except Unreadable as err:
        yield Unexamined(path=shown, why=err.message)
        return
    yield Examined(path=shown, format="data-manifest", by=("data-sets",))
    folder = shown.rpartition("/")[0]
    inner = "/".join(part for part in (folder, "" if found.manifest.inside else found.manifest.root) if part)
    for change in changes[:MOST_NAMED]:
        rule = _rule(change.kind)
        place_shown = f"{inner}/{change.path}" if inner and place.is_dir() else inner or change.path
        yield _finding(rule, f"{shown}: {change.sentence}", (place_shown, shown), subject_name)
    if len(changes) > MOST_NAMED:
        title = f"{shown}: {len(changes) - MOST_NAMED} further files differ; redan data verify names them"
        yield _finding(_rule("changed"), title, (shown,), subject_name)
    yield from _card(found, shown, subject_name, keys)


def _card(found: Read, shown: str, subject_name: str, keys: tuple[Path, ...]) -> Iterator[Finding]:
    from redan.evidence.keys import load_verifier
    from redan.threats.supply_chain.rules import data_licence, data_unproven

    said, severity = "", data_unproven.RULE.severity
    if keys:
        try:
            found.signed_by([load_verifier(key) for key in keys])
        except SignatureRefused as err:
            said, severity = err.message, Severity.HIGH
    else:
        said = "signed, and no key was given to check it" if found.envelope else "not signed"
    if said:
        yield _finding(data_unproven.RULE, f"{shown}: {said}", (shown,), subject_name, severity)
    if not found.manifest.card.licence:
        title = f"{shown}: no licence is named for the data set {found.manifest.root!r}"
        yield _finding(data_licence.RULE, title, (shown,), subject_name)


def _rule(kind: str) -> Rule:
    from redan.threats.supply_chain.rules import data_added, data_changed, data_missing

    rules = {"added": data_added.RULE, "missing": data_missing.RULE}
    return rules.get(kind, data_changed.RULE)


def _finding(
    rule: Rule, title: str, places: tuple[str, ...], subject_name: str, severity: Severity | None = None
) -> Finding:
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=subject_name,
        title=title,
        severity=rule.severity if severity is None else severity,
        detail=rule.title,
        locations=tuple(Location(uri=place) for place in dict.fromkeys(places)),
        remedies=(rule.remedy,),
        references=rule.references,
    )
