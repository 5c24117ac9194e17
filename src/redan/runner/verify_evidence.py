"""Hold what a run stored against its model again, without attacking: every digest, every point, every number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from redan.core.errors import EvidenceError, RedanError, ShapeMismatch
from redan.evidence.replay import Replay, digest_of
from redan.runner.verify_texts import text_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.core.finding import Finding
    from redan.core.inputs import Dataset
    from redan.core.report import Report
    from redan.core.subject import Subject
    from redan.evidence.blobs import FolderBlobs
    from redan.threats.evasion.stored import Points, Space

NEEDED = ("adversarial", "success", "distance", "indices", "replay")
"""Evidence without which a finding cannot be held against a model again."""
State = Literal["holds", "broken", "undecided", "not re-verifiable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of one finding.

    Attributes:
        rule: its rule.
        title: what it says.
        state: ``undecided`` where evidence, model or data are not at hand; ``not re-verifiable`` where digests are all
            that can be checked.
        told: what was seen, one sentence each, with advice where something does not hold.
    """

    rule: str
    title: str
    state: State
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """The model and the data to hold the evidence against."""

    subject: Subject
    data: Dataset


def exit_code(found: tuple[Checked, ...]) -> int:
    """Return 1 where something does not hold, 3 where nothing could be decided, else 0."""
    states = {one.state for one in found}
    if "broken" in states:
        return 1
    return 3 if "undecided" in states or "holds" not in states else 0


def verify_evidence(report: Report, blobs: FolderBlobs, open_model: Callable[[], Model]) -> tuple[Checked, ...]:
    """Check each finding of a run.

    Args:
        report: the run's report.
        blobs: its evidence.
        open_model: opens model and data, called once and only when a finding needs them.
    """
    model: Model | str | None = None
    found = []
    for finding in report.findings:
        stored = _stored(finding, blobs)
        if stored is None and all(finding.blob(name) for name in NEEDED):
            model = _opened(open_model) if model is None else model
            stored = _held(finding, report, blobs, model)
        if stored is None and finding.blob("texts") and finding.blob("replay"):
            model = _opened(open_model) if model is None else model
            stored = _held_texts(finding, report, blobs, model)
        found.append(stored or _plain(finding))
    return tuple(found)


def _stored(finding: Finding, blobs: FolderBlobs) -> Checked | None:
    """Return what is wrong with the stored bytes, or None when every digest holds."""
    missing: list[str] = []
    changed: list[str] = []
    for blob in finding.evidence:
        there = (blobs.folder / blob.sha256[:2] / blob.sha256[2:]).is_file()
        try:
            blobs.get(blob.sha256)
        except EvidenceError as err:
            (changed if there else missing).append(f"{blob.name}: {err.message}")
    if not missing and not changed:
        return None
    advice = "restore the run's folder from a backup, or measure again"
    told = tuple(f"{why}; {advice}" for why in (*changed, *missing))
    return _checked(finding, "broken" if changed else "undecided", *told)


def _plain(finding: Finding) -> Checked:
    count = len(finding.evidence)
    told = f"{count} blobs have the digests of the report" if count else "it has no evidence"
    return _checked(finding, "not re-verifiable", f"{told}; nothing in it can be held against the model given")


def _checked(finding: Finding, state: State, *told: str) -> Checked:
    return Checked(rule=finding.rule, title=finding.title, state=state, told=told)


def _opened(open_model: Callable[[], Model]) -> Model | str:
    try:
        return open_model()
    except RedanError as err:
        return err.message + (f" ({err.hint})" if err.hint else "")


def _held(finding: Finding, report: Report, blobs: FolderBlobs, model: Model | str) -> Checked:
    """Hold the points of one finding against the model."""
    if isinstance(model, str):
        return _checked(finding, "undecided", f"model or data are not at hand: {model}")
    try:
        points, replay = _points(finding, blobs, model.data)
    except EvidenceError as err:
        return _checked(finding, "broken", f"{err.message}; measure again")
    except ShapeMismatch as err:
        return _checked(finding, "undecided", err.message + f" ({err.hint})")
    told = [*_setting(finding, replay), *_numbers(finding, points), *_identity(report, model.subject)]
    try:
        faults, space = _best(points, model.subject, replay)
    except RedanError as err:
        return _checked(finding, "undecided", f"the points could not be checked: {err.message}")
    if told := [*told, *faults]:
        return _checked(finding, "broken", *told)
    fell = int((points.success & (points.distance > 0)).sum())
    what = f"robustness towards {points.target}" if points.target else "robust accuracy"
    proven = f"{fell} points lie inside ball and box and are misclassified; {what} is {_robust(points):.1%}"
    return _checked(
        finding, "holds", f"{proven} of {len(points.success)} inputs, as the report says", *_unproven(points, space)
    )


def _held_texts(finding: Finding, report: Report, blobs: FolderBlobs, model: Model | str) -> Checked:
    """Hold the texts of one finding against the model."""
    if isinstance(model, str):
        return _checked(finding, "undecided", f"model or data are not at hand: {model}")
    try:
        told, proven = text_faults(finding, blobs, model.subject, model.data)
    except EvidenceError as err:
        return _checked(finding, "broken", f"{err.message}; measure again")
    except RedanError as err:
        return _checked(finding, "undecided", err.message + (f" ({err.hint})" if err.hint else ""))
    told = [*_identity(report, model.subject), *told]
    return _checked(finding, "broken", *told) if told else _checked(finding, "holds", proven)


def _points(finding: Finding, blobs: FolderBlobs, data: Dataset) -> tuple[Points, Replay]:
    """Read the stored arrays and the clean rows that they belong to.

    Raises:
        EvidenceError: the arrays are none, or do not fit together.
        ShapeMismatch: the data are not the ones that were attacked.
    """
    from redan.threats.evasion.stored import Points

    replay = Replay.from_json(blobs.get(_digest(finding, "replay")))
    adversarial, success, distance, indices = (_array(finding, blobs, name) for name in NEEDED[:4])
    if len({len(adversarial), len(success), len(distance), len(indices)}) != 1:
        raise EvidenceError("the stored arrays have different numbers of rows")
    place = {int(index): k for k, index in enumerate(data.indices)}
    absent = [int(i) for i in indices if int(i) not in place]
    hint = f"give the data that was attacked ({replay.data}) with --data"
    if absent:
        raise ShapeMismatch(f"{data.name!r} has no row {absent[0]}", hint=hint)
    clean = data.rows([place[int(i)] for i in indices])
    if digest_of(clean) != replay.rows_sha256:
        raise ShapeMismatch(f"the rows of {data.name!r} are not the ones that were attacked", hint=hint)
    if adversarial.shape != clean.x.shape:
        raise EvidenceError(f"the stored points have shape {adversarial.shape}, the inputs {clean.x.shape}")
    points = Points(
        clean=clean,
        adversarial=adversarial,
        success=success.astype(bool),
        distance=distance.astype(float),
        norm=replay.norm,
        eps=replay.eps,
        bounds=replay.bounds,
        target=replay.target,
    )
    return points, replay


def _digest(finding: Finding, name: str) -> str:
    blob = finding.blob(name)
    assert blob is not None
    return blob.sha256


def _array(finding: Finding, blobs: FolderBlobs, name: str) -> Any:
    from redan.evidence.blobs import load_npy
    from redan.threats.evasion.stored import insist_on_size

    data = blobs.get(_digest(finding, name))
    insist_on_size(data, name)
    return load_npy(data)


def _setting(finding: Finding, replay: Replay) -> list[str]:
    """Compare the radius and norm of the report with those that the points are held against."""
    told = [
        f"the report says {name} {said}, the evidence {value}; do not rely on the report"
        for name, value in (("norm", replay.norm), ("eps", replay.eps))
        if (said := finding.params.get(name)) not in (None, value)
    ]
    low, high = replay.bounds
    return told if isfinite(low) and isfinite(high) and low < high else [*told, f"{replay.bounds} is no box"]


def _numbers(finding: Finding, points: Points) -> list[str]:
    """Compare the numbers of the report with the stored outcomes."""
    from redan.threats.evasion.measured import UNLIKE, WITHSTOOD

    robust, clean = (WITHSTOOD, UNLIKE) if points.target else ("robust_accuracy", "clean_accuracy")
    wanted = {robust: _robust(points), clean: float((points.distance > 0).mean())}
    told = []
    for name, value in wanted.items():
        said = finding.quantity(name)
        if said is not None and (said.value != value or said.n != len(points.success)):
            told.append(
                f"the report says {name} {said.value:.6g} of {said.n}, the evidence {value:.6g} of "
                f"{len(points.success)}; do not rely on the report"
            )
    return told


def _robust(points: Points) -> float:
    n = len(points.success)
    return int((~points.success).sum()) / n if n else float("nan")


def _identity(report: Report, subject: Subject) -> list[str]:
    """Say so where the model given is another one than the report is about; unknown digests prove nothing."""
    said, given = report.subject.digest, subject.ref.digest
    if not said or not given or said in (given, _by_tensors(subject)):
        return []
    return [
        f"the model given has digest {given[:12]}…, the report is about {said[:12]}…; give the model that was measured "
        "with --model and --weights"
    ]


def _by_tensors(subject: Any) -> str:
    """Return the digest that a network has in memory, where its weights came from a file."""
    if "trainable" not in subject.capabilities:
        return ""
    from redan.subjects.torch import weights_component

    inner = getattr(subject.module, "inner", subject.module)
    others = tuple(part for part in subject.ref.components if part.role != "weights")
    ref = replace(subject.ref, components=(weights_component(inner, subject.ref.name), *others))
    return str(ref.digest)


def _best(points: Points, subject: Any, replay: Replay) -> tuple[list[str], Space]:
    """Return the faults on the scale on which the attack walked, the inputs' own or shares of ranges, and the scale."""
    from redan.threats.evasion.stored import faults, spaces

    found = [(faults(points, space, subject), space) for space in spaces(points, subject, replay.bounds)]
    return min(found, key=lambda pair: len(pair[0]))


def _unproven(points: Points, space: Space) -> tuple[str, ...]:
    """Say how many stored distances are below what the stored points show."""
    from redan.threats.evasion.stored import shorter

    count = shorter(points, space)
    if not count:
        return ()
    return (f"{count} stored distances are smaller than the stored point shows: nearer points were met and not kept",)
