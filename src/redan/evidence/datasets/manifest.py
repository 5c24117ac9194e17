"""A manifest of a data set: every file with its digest, what the tables hold, licence and source; signed or plain.

The manifest is the predicate of an in-toto Statement v1 whose subject is the data set as a whole. Plain, the file is
the statement itself; signed, it is a DSSE envelope around it. The same data and words give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence import dsse
from redan.evidence.datasets.table import Kind
from redan.evidence.keys import Signer, Verifier
from redan.evidence.statements import Resource, Statement, parse, statement, type_of
from redan.evidence.statements.statement import LARGEST_BYTES as LARGEST_STATEMENT_BYTES
from redan.evidence.statements.statement import strict_json
from redan.kernels.digests import tree

SUFFIX = ".manifest.json"
PREDICATE_TYPE = type_of("dataset")
LEFT_OUT = frozenset({".git", ".redan"})
"""At the top of a folder, what changes without the data changing."""
LARGEST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file.

    Attributes:
        path: below the data set's folder, with ``/``; the name of a single file.
        size_bytes: its length.
        sha256: of its content, hexadecimal.
        kind: csv, tsv, parquet, npz, npy, idx, image or other.
        table: rows, columns and arrays, see ``profile``; None where the file is no table.
    """

    path: str
    size_bytes: int
    sha256: str
    kind: str
    table: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What people say about a data set.

    Attributes:
        name: what to call it.
        description: what it holds.
        licence: SPDX identifier or a URL.
        source: where it came from.
        creator: who made it.
        cite: how to cite it.
        version: of the data.
        published: date, ISO 8601.
        responsible: properties of the Croissant RAI vocabulary, without prefix, such as ``dataBiases``.
    """

    name: str = ""
    description: str = ""
    licence: str = ""
    source: str = ""
    creator: str = ""
    cite: str = ""
    version: str = ""
    published: str = ""
    responsible: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A data set.

    Attributes:
        root: name of the folder or file.
        inside: the manifest lies in the folder it describes, and is left out of it by its name.
        own_name: file name of the manifest when it lies inside, else empty.
        files: in the order of their paths.
        card: what people say about it.
    """

    root: str
    inside: bool
    own_name: str
    files: tuple[Entry, ...]
    card: Card

    @property
    def digest(self) -> str:
        """SHA-256 over all files: one line each, digest, two spaces and path, in the order of the paths."""
        lines = "".join(f"{f.sha256}  {f.path}\n" for f in self.files)
        return sha256(lines.encode()).hexdigest()

    def payload(self) -> bytes:
        """Return the statement's bytes.

        Raises:
            UsageError: it would be larger than can be read again.
        """
        return statement([Resource(name=self.root, digest={"dirHash": self.digest})], PREDICATE_TYPE, _written(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A manifest as it was found.

    Attributes:
        manifest: what it says.
        envelope: its signatures, or None when it is plain.
    """

    manifest: Manifest
    envelope: dsse.Envelope | None

    def signed_by(self, verifiers: Sequence[Verifier]) -> Verifier:
        """Return the key that signed it.

        Raises:
            SignatureRefused: it is plain, was changed, or none of the keys signed it.
        """
        if self.envelope is None:
            raise SignatureRefused("the manifest is not signed", hint="redan data manifest DATA --key signing.key")
        return dsse.opened(self.envelope, verifiers)


def measure(root: Path, *, card: Card, own: Path | None = None, tables: bool = True) -> Manifest:
    """Digest and describe a folder or a file.

    Args:
        root: the data.
        card: what people say about it.
        own: where the manifest will lie; it is left out when that is at the top of the folder.
        tables: read tables and arrays for their columns and ranges.

    Raises:
        Unreadable: nothing there, no files, a link inside, a damaged table, or a file that changes while it is read.
        UsageError: the manifest would lie deeper inside the folder.
        MissingDependency: the library that reads a table is not installed.
    """
    resolved = root.resolve()
    inside = own is not None and resolved.is_dir() and own.resolve().is_relative_to(resolved)
    if inside and own is not None and own.resolve().parent != resolved:
        raise UsageError(f"{str(own)!r} lies deep inside the data", hint="put it at the top of the folder, or outside")
    own_name = own.name if inside and own is not None else ""
    files = tuple(
        Entry(path=name, size_bytes=size, sha256=digest, kind=kind, table=table)
        for name, size, digest in listed(resolved, own_name)
        for kind, table in [_looked_at(resolved if resolved.is_file() else resolved / name, tables=tables)]
    )
    return Manifest(root=resolved.name, inside=inside, own_name=own_name, files=files, card=card)


def listed(root: Path, own_name: str) -> list[tuple[str, int, str]]:
    """Return path, size in bytes and SHA-256 of every file of a data set, in the order of the paths.

    Raises:
        Unreadable: nothing there, no files, a link or special file, or a name with a line break.
    """
    if not root.exists():
        raise Unreadable(f"there is no data at {str(root)!r}", hint="check the path; it is relative to this folder")
    ignored = (LEFT_OUT | ({own_name} if own_name else set())) if root.is_dir() else frozenset()
    found = [(each.name, each.size_bytes, each.digest) for each in tree(root, ignored=frozenset(ignored))]
    if not found:
        raise Unreadable(f"{root.name!r} holds no files")
    if odd := next((name for name, _, _ in found if "\n" in name), None):
        raise Unreadable(f"the name {odd!r} has a line break", hint="rename the file")
    return found


def _looked_at(path: Path, *, tables: bool) -> tuple[str, Mapping[str, Any] | None]:
    from redan.evidence.datasets.profile import profile
    from redan.evidence.datasets.reading import kind_of, read_table

    kind = kind_of(path)
    if not tables or kind in ("other", "image"):
        return kind, None
    try:
        return kind, profile(read_table(path))
    except Unreadable as err:
        raise Unreadable(err.message, hint="mend it, or give digests alone: --digests-only") from err


def to_json(manifest: Manifest, signer: Signer | None = None) -> bytes:
    """Write a manifest, signed when a key is given.

    Raises:
        UsageError: it would be larger than can be read again.
    """
    payload = manifest.payload()
    if signer is not None:
        return dsse.seal(payload, signer).to_json() + b"\n"
    text = json.dumps(json.loads(payload), sort_keys=True, indent=1).encode() + b"\n"
    if len(text) > LARGEST_STATEMENT_BYTES:
        raise UsageError(
            f"the manifest has {len(text)} bytes; at most {LARGEST_STATEMENT_BYTES} can be read again",
            hint="sign it, which takes less room, or make one for each part of the data",
        )
    return text


def read(path: Path) -> Read:
    """Read a manifest; a signature is kept and not yet checked.

    Raises:
        Unreadable: missing, too large, or no manifest.
    """
    return from_bytes(_bytes(path), path.name)


def is_manifest(path: Path) -> bool:
    """Tell whether a file was meant as a manifest of a data set, so that other tools' files are left alone.

    Raises:
        Unreadable: it cannot be read, is too large, or is no JSON.
    """
    document = strict_json(_bytes(path))
    if isinstance(document, dict) and "payload" in document:
        try:
            payload = dsse.from_document(document).payload
            document = strict_json(payload)
        except Unreadable:
            return False
    return isinstance(document, dict) and document.get("predicateType") == PREDICATE_TYPE


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"{path.name!r} has more than {LARGEST_BYTES} bytes")
    return data


def from_bytes(data: bytes, name: str) -> Read:
    """Read a manifest from bytes; errors as in ``read``."""
    document = strict_json(data)
    envelope = dsse.from_document(document) if isinstance(document, dict) and "payload" in document else None
    found = parse(envelope.payload if envelope is not None else data)
    if found.predicate_type != PREDICATE_TYPE:
        raise Unreadable(f"{name!r} states {found.predicate_type!r}; expected {PREDICATE_TYPE!r}")
    manifest = _understood(found, name)
    if [dict(s.digest) for s in found.subjects] != [{"dirHash": manifest.digest}]:
        raise Unreadable(f"{name!r} contradicts itself: its subject is not the digest of its files")
    return Read(manifest=manifest, envelope=envelope)


def _written(manifest: Manifest) -> dict[str, Any]:
    card = manifest.card
    said = {key: getattr(card, key) for key in _CARD if getattr(card, key)}
    if card.responsible:
        said["responsible"] = dict(card.responsible)
    return {
        "root": manifest.root,
        "manifestInside": manifest.inside,
        "manifestName": manifest.own_name,
        "card": said,
        "files": [_entry(f) for f in manifest.files],
    }


_KINDS = get_args(Kind)
_CARD = ("name", "description", "licence", "source", "creator", "cite", "version", "published")


def _entry(file: Entry) -> dict[str, Any]:
    written: dict[str, Any] = {
        "path": file.path,
        "sizeBytes": file.size_bytes,
        "sha256": file.sha256,
        "kind": file.kind,
    }
    if file.table is not None:
        written["table"] = dict(file.table)
    return written


def _understood(found: Statement, name: str) -> Manifest:
    said = found.predicate
    try:
        files = tuple(_read_entry(each) for each in said["files"])
        card = dict(said.get("card", {}))
        if not all(isinstance(card.get(key, ""), str) for key in _CARD):
            raise TypeError("its card holds something else than text")
        responsible = {str(k): str(v) for k, v in dict(card.pop("responsible", {})).items()}
        manifest = Manifest(
            root=str(said["root"]),
            inside=said["manifestInside"] is True,
            own_name=str(said["manifestName"]),
            files=files,
            card=Card(**card, responsible=responsible),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise Unreadable(f"{name!r} is no manifest of a data set: {type(err).__name__} {err}") from err
    paths = [f.path for f in files]
    if not files or paths != sorted(set(paths)):
        raise Unreadable(f"{name!r} lists no files, one twice, or not in order")
    return manifest


def _read_entry(each: Any) -> Entry:
    values = each["path"], each["sizeBytes"], each["sha256"], each["kind"]
    if [type(v) for v in values] != [str, int, str, str]:
        raise TypeError("a file has no path, sizeBytes, sha256 and kind")
    table = each.get("table")
    if table is not None:
        described = [(c["name"], c["kind"]) for c in table["columns"]]
        if type(table["rows"]) is not int or not all(isinstance(n, str) and k in _KINDS for n, k in described):
            raise TypeError("a table has no rows and columns")
    return Entry(path=values[0], size_bytes=values[1], sha256=values[2], kind=values[3], table=table)
