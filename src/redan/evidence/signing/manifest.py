"""What a model signature covers: names and digests of files, and how they were gathered.

Source: OpenSSF Model Signing specification 1.0, sections 5 (predicate) and 6 (enumeration, hashing, root digest).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from redan.core.errors import Unreadable, UsageError
from redan.evidence.statements.statement import TYPE, strict_json
from redan.kernels.digests import SIZES_BYTES, FileDigest, Memory, tree

PREDICATE = "https://model_signing/signature/v1.0"
ALWAYS_IGNORED = (".git", ".gitattributes", ".github", ".gitignore")
"""Left out at the model's root by every signer and verifier (section 6.2)."""
SHARD_BYTES = 1_000_000_000
"""Default length of a shard (section 6.3.2)."""
ONE_FILE = "."
"""The resource of a model that is one file, as model-signing names it; the specification says its basename."""
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A file, or a range of its bytes, with its digest.

    Attributes:
        name: of the file below the model's root.
        digest: hexadecimal.
        start_bytes, stop_bytes: the range of a shard; both None for a whole file.
    """

    name: str
    digest: str
    start_bytes: int | None = None
    stop_bytes: int | None = None

    @property
    def label(self) -> str:
        """The name as the predicate writes it."""
        return self.name if self.start_bytes is None else f"{self.name}:{self.start_bytes}:{self.stop_bytes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything a signature says about a model.

    Attributes:
        name: what the signer called the model; informational.
        algorithm: of the digests: sha256, blake2b or blake3.
        shard_bytes: length of the ranges files are cut into; None where files are digested as a whole.
        follows_links: whether links to files count as those files.
        ignored: names left out, with everything below them.
        resources: in the order the root digest runs over.
    """

    name: str
    algorithm: str
    shard_bytes: int | None
    follows_links: bool
    ignored: tuple[str, ...]
    resources: tuple[Resource, ...]

    @property
    def root_digest(self) -> str:
        """SHA-256 over all digests in their order (section 6.5.1): the one digest that names this model."""
        return sha256(b"".join(bytes.fromhex(r.digest) for r in self.resources)).hexdigest()

    def statement(self) -> bytes:
        """Return the in-toto statement to sign."""
        serialization: dict[str, Any] = {
            "method": "files" if self.shard_bytes is None else "shards",
            "hash_type": self.algorithm,
            "allow_symlinks": self.follows_links,
        }
        if self.shard_bytes is not None:
            serialization["shard_size"] = self.shard_bytes
        if self.ignored:
            serialization["ignore_paths"] = list(self.ignored)
        algorithm = _algorithms(self.algorithm, self.shard_bytes)[0]
        resources = [{"name": r.label, "algorithm": algorithm, "digest": r.digest} for r in self.resources]
        document = {
            "_type": TYPE,
            "subject": [{"name": self.name, "digest": {"sha256": self.root_digest}}],
            "predicateType": PREDICATE,
            "predicate": {"serialization": serialization, "resources": resources},
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def measure(
    model: Path,
    *,
    algorithm: str = "sha256",
    shard_bytes: int | None = None,
    ignored: tuple[str, ...] = (),
    memory: Memory | None = None,
) -> tuple[Manifest, tuple[FileDigest, ...]]:
    """Digest a model as its signature will describe it.

    Args:
        model: a folder or a file.
        algorithm: sha256, blake2b or blake3.
        shard_bytes: length of the ranges files are cut into; None digests files as a whole.
        ignored: names below the model to leave out beside ``ALWAYS_IGNORED``.
        memory: digests known from earlier.

    Returns:
        The manifest, and the digests it was made from.

    Raises:
        UsageError: a name to ignore is no plain relative path.
        Unreadable: nothing to sign, a link or special file, or a file that cannot be read.
    """
    names = tuple(sorted({*ALWAYS_IGNORED, *map(plain_name, ignored)})) if model.is_dir() else ()
    found = tree(model, algorithm=algorithm, shard_bytes=shard_bytes, ignored=frozenset(names), memory=memory)
    if not found:
        raise Unreadable(f"{str(model)!r} holds no content to sign; expected at least one file")
    manifest = manifest_from(
        found,
        name=model.resolve().name,
        one_file=not model.is_dir(),
        algorithm=algorithm,
        shard_bytes=shard_bytes,
        ignored=names,
    )
    return manifest, found


def manifest_from(
    found: tuple[FileDigest, ...],
    *,
    name: str,
    one_file: bool,
    algorithm: str,
    shard_bytes: int | None,
    ignored: tuple[str, ...],
) -> Manifest:
    """Build a manifest from digests, its resources in the order of their labels by code point (section 6.4)."""
    resources = (
        Resource(
            name=ONE_FILE if one_file else d.name,
            digest=d.digest,
            start_bytes=None if shard_bytes is None else d.start_bytes,
            stop_bytes=None if shard_bytes is None else d.start_bytes + d.size_bytes,
        )
        for d in found
    )
    return Manifest(
        name=name,
        algorithm=algorithm,
        shard_bytes=shard_bytes,
        follows_links=False,
        ignored=ignored,
        resources=tuple(sorted(resources, key=lambda r: r.label)),
    )


def plain_name(name: str) -> str:
    """Return a name to ignore as section 6.2.1 wants it.

    Raises:
        UsageError: it is absolute, climbs out of the model, or holds glob characters.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or not parts or any(c in name for c in "*?["):
        raise UsageError(
            f"{name!r} cannot be ignored; expected one path below the model, without wildcards",
            hint="--ignore logs --ignore notes/draft.md",
        )
    return "/".join(parts)


def manifest_of(statement: bytes) -> Manifest:
    """Read a statement whose signature was checked, or one that is about to be signed.

    Raises:
        Unreadable: it is no statement about a model, of another version, or contradicts itself.
    """
    try:
        document = strict_json(statement)
        kinds = (document["_type"], document["predicateType"])
        if kinds != (TYPE, PREDICATE):
            raise Unreadable(f"the statement is of the kind {kinds}; expected {(TYPE, PREDICATE)}")
        (subject,) = document["subject"]
        manifest = _manifest(str(subject["name"]), document["predicate"])
        stated = subject["digest"]["sha256"]
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise Unreadable(f"this is no OpenSSF Model Signing statement: {type(err).__name__} {err}") from err
    if manifest.root_digest != stated:
        raise Unreadable(
            f"the statement contradicts itself: its files add up to {manifest.root_digest[:12]}…, "
            f"its subject says {str(stated)[:12]!r}"
        )
    return manifest


def _manifest(name: str, predicate: dict[str, Any]) -> Manifest:
    how = predicate["serialization"]
    method, algorithm, shard_bytes = how["method"], how["hash_type"], None
    if method not in ("files", "shards") or algorithm not in SIZES_BYTES:
        raise ValueError(f"method {method!r} with {algorithm!r} digests")
    if method == "shards":
        shard_bytes = _whole(how["shard_size"])
    if type(how["allow_symlinks"]) is not bool:
        raise ValueError(f"allow_symlinks {how['allow_symlinks']!r}")
    resources = tuple(_resource(each, algorithm, shard_bytes) for each in predicate["resources"])
    if not resources or len({r.label for r in resources}) != len(resources):
        raise ValueError("no files, or one of them twice")
    return Manifest(
        name=name,
        algorithm=algorithm,
        shard_bytes=shard_bytes,
        follows_links=how["allow_symlinks"],
        ignored=tuple(str(p) for p in how.get("ignore_paths", ())),
        resources=resources,
    )


def _whole(number: Any) -> int:
    # model-signing passes the number through a protobuf Struct, which knows floating point only
    if type(number) not in (int, float) or number != int(number) or number <= 0:
        raise ValueError(f"shard_size {number!r}")
    return int(number)


def _algorithms(algorithm: str, shard_bytes: int | None) -> tuple[str, ...]:
    """Return how a resource names its algorithm: as model-signing 1.1 writes and wants it, then as specified."""
    return (algorithm,) if shard_bytes is None else (f"{algorithm}-sharded-{shard_bytes}", algorithm)


def _resource(each: dict[str, Any], algorithm: str, shard_bytes: int | None) -> Resource:
    label, digest = each["name"], each["digest"]
    if (
        each["algorithm"] not in _algorithms(algorithm, shard_bytes)
        or len(digest) != 2 * SIZES_BYTES[algorithm]
        or not _HEX.issuperset(digest)
    ):
        raise ValueError(f"the digest of {label!r} is not {algorithm}")
    name, start, stop = label, None, None
    if shard_bytes is not None:
        # names may hold colons, so the range is what follows the last two (section 6.3.2)
        name, first, last = label.rsplit(":", 2)
        start, stop = int(first), int(last)
        if f"{name}:{start}:{stop}" != label or not 0 <= start < stop <= start + shard_bytes:
            raise ValueError(f"{label!r} is no range of {shard_bytes} bytes")
    if name != ONE_FILE and (not name or any(part in ("", ".", "..") for part in name.split("/"))):
        raise ValueError(f"{name!r} is no path below the model")
    return Resource(name=name, digest=digest, start_bytes=start, stop_bytes=stop)
