"""From reports about a model to signed statements beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.core.report import Report
from redan.evidence import dsse
from redan.evidence.keys import Signer, load_signer
from redan.evidence.statements import APPROVAL, BOM, REVOCATION, append, beside, describe, kind_of, statement, type_of
from redan.evidence.statements.from_report import Sourced, results_of
from redan.evidence.statements.predicates.decisions import approval, revocation
from redan.evidence.statements.resource import Model
from redan.evidence.statements.statement import LARGEST_BYTES, strict_json

if TYPE_CHECKING:
    from redan.evidence.log.writing import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What was sealed.

    Attributes:
        model: what the statements are about.
        path: the bundle they were added to.
        kinds: kind of each statement, in order.
        sentences: one for each statement, with what a reader must not take for clean.
        left_out: one for each part of the reports that could not be stated.
        key_id: of the key that signed.
        indices: where in the transparency log each statement stands; empty without one.
    """

    model: Model
    path: Path
    kinds: tuple[str, ...]
    sentences: tuple[str, ...]
    left_out: tuple[str, ...]
    key_id: str
    indices: tuple[int, ...] = ()


def seal(
    model: str | Path,
    *reports: Report | str | Path,
    key: Signer | str | Path,
    bom: str | Path | None = None,
    approve: str = "",
    revoke: str = "",
    output: str | Path | None = None,
    log: Log | None = None,
    at: datetime | None = None,
) -> Sealed:
    """Sign statements about a model and keep them beside it.

    Args:
        model: the file or folder that the reports are about.
        *reports: reports, or paths of reports or run folders; each threat they measured becomes a statement.
        key: private key, or the path of one without a password.
        bom: bill of materials, CycloneDX in JSON.
        approve: ``who: why`` of somebody who says that the model may be used.
        revoke: why the model must not be used any more.
        output: the bundle; a file beside the model when None.
        log: transparency log that records each statement before it is kept.
        at: time of sealing; now when None.

    Raises:
        SignatureRefused: a report or bill of materials is about another model.
        UsageError: there is nothing to state.
        Unreadable: the model, a report or the key cannot be read.
        EvidenceError: the log or the bundle cannot be written.
    """
    signer = key if isinstance(key, Signer) else load_signer(Path(key))
    about = describe(Path(model))
    moment = at or datetime.now(UTC)
    prepared = results_of([_sourced(each) for each in reports], about, sealed=moment)
    stated = [(type_of(kind), result.predicate()) for kind, result in prepared.results.items()]
    if bom is not None:
        stated.append((BOM, _bom(Path(bom), about)))
    stated += _decisions(approve, revoke, moment.isoformat(timespec="seconds"))
    if not stated:
        raise UsageError("there is nothing to seal", hint="name a report, --bom FILE, --approve or --revoke")
    path = _outside(Path(output), Path(model)) if output is not None else beside(Path(model))
    # every payload is made before the first is written, so that an error leaves nothing half sealed
    payloads = [statement([about], kind, predicate) for kind, predicate in stated]
    envelopes = [dsse.seal(payload, signer) for payload in payloads]
    indices = _recorded(log, envelopes)
    for envelope in envelopes:
        append(path, envelope)
    told = {kind: result.summary() for kind, result in prepared.results.items()}
    kinds = tuple(kind_of(kind) for kind, _ in stated)
    return Sealed(
        model=about,
        path=path,
        kinds=kinds,
        sentences=tuple(f"{kind}: {told[kind]}" if kind in told else kind for kind in kinds),
        left_out=prepared.left_out,
        key_id=signer.key_id,
        indices=indices,
    )


def _decisions(approve: str, revoke: str, moment: str) -> list[tuple[str, dict[str, Any]]]:
    approvals = [(APPROVAL, approval(approve, moment))] if approve else []
    return approvals + ([(REVOCATION, revocation(revoke, moment))] if revoke else [])


def _recorded(log: Log | None, envelopes: list[dsse.Envelope]) -> tuple[int, ...]:
    if log is None:
        return ()
    from redan.evidence.log.statements import record

    return tuple(record(log, envelope) for envelope in envelopes)


def _sourced(given: Report | str | Path) -> Sourced:
    if isinstance(given, Report):
        return Sourced.of(given)
    file = Path(given) / "report.json" if Path(given).is_dir() else Path(given)
    data = _bytes(file, "report")
    return Sourced(report=Report.from_json(data), sha256=sha256(data).hexdigest())


def _outside(path: Path, model: Path) -> Path:
    if path.resolve().is_relative_to(model.resolve()):
        raise UsageError(
            f"{path.name!r} would lie inside the model, and writing it would change what the statements are about",
            hint=f"name a file outside, such as {beside(model).name}",
        )
    return path


def _bom(path: Path, model: Model) -> dict[str, Any]:
    data = _bytes(path, "bill of materials")
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"{path.name!r} has {len(data)} bytes; a statement holds at most {LARGEST_BYTES}")
    document = strict_json(data)
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise Unreadable(f"{path.name!r} is no CycloneDX document in JSON", hint="redan bom -o bom.json")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("timestamp"):
        raise Unreadable(
            f"{path.name!r} does not say when it was made, so nobody could tell how old it is",
            hint="make it again with a metadata.timestamp",
        )
    named = _model_digests([metadata.get("component"), *_listed(document)])
    if named and not named & set(model.files.values()):
        raise SignatureRefused(
            f"{path.name!r} lists models, and none of them has the digest of {model.name!r}",
            hint="make the bill of materials of this model",
        )
    return document


def _listed(document: dict[str, Any]) -> list[Any]:
    components = document.get("components", [])
    return components if isinstance(components, list) else []


def _model_digests(components: list[Any]) -> set[str]:
    models = [c for c in components if isinstance(c, dict) and c.get("type") == "machine-learning-model"]
    hashes = [h for c in models for h in c.get("hashes") or [] if isinstance(h, dict) and h.get("alg") == "SHA-256"]
    return {str(h.get("content", "")).lower() for h in hashes}


def _bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise Unreadable(f"cannot read the {what} {str(path)!r}: {err.strerror}") from err
