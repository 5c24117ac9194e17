"""A bundle of evidence: what a later reader needs, content-addressed, with a manifest that the audit key signs.

The bundle is a folder: ``DIGEST.manifest.json`` is a DSSE envelope around a list of names and digests, ``blobs/``
holds the bytes by digest. It verifies offline with the audit log's public key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.codec import encode
from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.core.finding import Evidence
from redan.evidence import dsse
from redan.evidence.blobs import FolderBlobs
from redan.evidence.keys import Verifier, load_signer
from redan.evidence.log import LogReader
from redan.evidence.log.proving import inclusion_file
from redan.evidence.log.reading import read_bounded
from redan.evidence.statements.bundle import beside
from redan.evidence.store.clear import now_us
from redan.service.incidents.history import History

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.service.incidents.incident import Incident

TYPE = "application/vnd.redan.incident-evidence+json"
MANIFEST = "manifest.json"
LARGEST_STATEMENTS_BYTES = 32 << 20
MOST_ACTS = 10_000
"""Acts of the clients in a bundle, the newest of each log; the manifest tells how many were left out."""
MOST_PROVEN = 256
"""Of these, the newest are each proven by a file of their own; the checkpoint covers all."""


def collect(settings: Settings, root: Path, incident: Incident, models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write a bundle for an incident and return where, its digest and what is in it; the same facts give one bundle.

    Args:
        settings: of the gateway.
        root: folder that its paths start from.
        incident: as it is.
        models: what is served, with digests and statements' decisions, as JSON values.

    Raises:
        UsageError: there is no key to sign with.
        EvidenceError: a log is damaged, or the disk is full.
    """
    folder = root / settings.serve.folder / "incidents" / str(incident.number)
    try:
        # it holds what clients did: the owner's alone
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as err:
        raise EvidenceError(f"cannot make {folder.name!r}: {err.strerror}") from err
    blobs = FolderBlobs(folder / "blobs")
    rows: list[dict[str, Any]] = []
    notes: dict[str, int] = {}
    for name, media_type, data in _parts(settings, root, incident, models, notes):
        evidence = Evidence.of(name, data, media_type)
        blobs.put(evidence)
        rows.append({"name": name, "sha256": evidence.sha256, "bytes": len(data), "type": media_type})
    document = {"incident": incident.number, "made_us": now_us(), "left_out": notes, "files": rows}
    payload = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    try:
        signer = load_signer(root / settings.audit.key)
    except Unreadable as err:
        raise UsageError(f"the bundle cannot be signed: {err.message}", hint="[audit] key") from err
    name = sha256(payload).hexdigest()
    manifest = folder / f"{name[:16]}.{MANIFEST}"
    try:
        manifest.write_bytes(dsse.seal(payload, signer, payload_type=TYPE).to_json())
    except OSError as err:
        raise EvidenceError(f"cannot write {manifest.name}: {err.strerror}", hint="is the disk full?") from err
    return {
        "sha256": name,
        "path": str(manifest.relative_to(root)) if manifest.is_relative_to(root) else str(manifest),
        "n_files": len(rows),
        "said": f"{len(rows)} files, manifest {name[:16]}",
    }


def _parts(
    settings: Settings, root: Path, incident: Incident, models: Sequence[Mapping[str, Any]], notes: dict[str, int]
) -> Iterator[tuple[str, str, bytes]]:
    told = {**encode(incident), "held": sorted(incident.held)}
    yield "incident.json", "application/json", json.dumps(told, sort_keys=True, indent=1).encode()
    yield "models.json", "application/json", json.dumps(list(models), sort_keys=True, indent=1).encode()
    yield from _statements(settings, root)
    history = History(settings, root)
    for folder in history.folders():
        reader = LogReader(folder)
        yield f"{folder.name}/checkpoint", "text/plain", reader.checkpoint.text().encode()
        if not incident.clients:
            continue
        found = [(index, entry) for index, entry, _ in history.acts(reader, incident.clients)]
        kept = found[-MOST_ACTS:]
        notes[f"{folder.name}: acts"] = len(found) - len(kept)
        notes[f"{folder.name}: proofs"] = max(0, len(kept) - MOST_PROVEN)
        lines = (json.dumps({"index": index, "entry": entry.decode()}) for index, entry in kept)
        yield f"{folder.name}/acts.jsonl", "application/jsonl", "".join(f"{line}\n" for line in lines).encode()
        for index, _ in kept[-MOST_PROVEN:]:
            proof = inclusion_file(reader, index).encode()
            yield f"{folder.name}/{index}.tlog-proof", "text/plain", proof


def _statements(settings: Settings, root: Path) -> Iterator[tuple[str, str, bytes]]:
    """Give the bundles of statements of what is configured, as they lie there now; one that is away is left out."""
    for model in settings.serve.models:
        paths = [root / name for name in model.statements]
        if not paths and ":" not in model.target:
            paths = [beside(root / model.target)]
        for path in paths:
            if path.is_file():
                name = f"{model.name}@{model.version}/{path.name}"
                yield name, "application/json", read_bounded(path, LARGEST_STATEMENTS_BYTES)


def verify(manifest: Path, verifiers: Sequence[Verifier]) -> dict[str, Any]:
    """Return a bundle's manifest after every file was held against it.

    Raises:
        SignatureRefused: none of the keys signed it.
        EvidenceError: a file is missing or was changed.
        Unreadable: there is no manifest.
    """
    envelope = dsse.from_json(read_bounded(manifest, LARGEST_STATEMENTS_BYTES))
    dsse.opened(envelope, verifiers, payload_type=TYPE)
    document: dict[str, Any] = json.loads(envelope.payload)
    blobs = FolderBlobs(manifest.parent / "blobs")
    for row in document["files"]:
        blobs.get(row["sha256"])
    return document
