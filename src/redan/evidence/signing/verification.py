"""From a model and its signature file to who signed it, or to what is not as it was signed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import SignatureRefused, UsageError
from redan.evidence import dsse
from redan.evidence.keys import Verifier
from redan.evidence.signing.bundle import Bundle, hint_of, load
from redan.evidence.signing.differences import Difference, differences
from redan.evidence.signing.manifest import ALWAYS_IGNORED, ONE_FILE, Manifest, manifest_of, plain_name
from redan.evidence.signing.signature import name_inside, signature_path
from redan.kernels.digests import FileDigest, Memory, digested, entries

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.x509 import Certificate

_MOST_SENTENCES = 20

MemoryFor = Callable[[str, int | None], Memory]
"""Makes a memory for an algorithm and a shard length, which only the signature tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A model that is as it was signed.

    Attributes:
        signer: the subject of the signer's certificate, or the key.
        key_id: of the key that signed.
        manifest: everything that was signed; its ``root_digest`` names the model.
        n_files: how many files have the signed content.
        n_remembered: how many of them were not read because a memory knew their digest.
        n_bytes: how long all files are together.
        unsigned: names that exist and are not covered: ignored ones, and empty files where shards are signed.
    """

    signer: str
    key_id: str
    manifest: Manifest
    n_files: int
    n_remembered: int
    n_bytes: int
    unsigned: tuple[str, ...]


def verify(
    model: Path,
    signature: Path | None = None,
    *,
    keys: Sequence[Verifier] = (),
    authorities: Sequence[Certificate] = (),
    identity: str = "",
    at: datetime | None = None,
    ignored: Sequence[str] = (),
    memory_for: MemoryFor | None = None,
) -> Verified:
    """Check that a model is exactly what somebody trusted signed.

    Args:
        model: a folder or a file.
        signature: the signature file; ``signature_path`` of the model when None.
        keys: public keys that are trusted.
        authorities: certificates that are trusted; the signature then carries the signer's.
        identity: a name that the signer's certificate must carry; any when empty.
        at: time to check certificates at; now when None.
        ignored: names below the model that may differ, beside those the signature leaves out.
        memory_for: makes a memory of digests; files it knows are not read.

    Raises:
        SignatureRefused: signed by nobody trusted, or a file was added, removed, renamed or changed; all are named.
        Unreadable: the signature is none, or a file cannot be read.
        UsageError: nothing to trust was given.
    """
    path = signature or signature_path(model)
    bundle = load(path)
    key, signer = _signer(bundle, keys, authorities, identity, at)
    manifest = manifest_of(bundle.envelope.payload)
    _same_kind(model, manifest)
    own = name_inside(model, path)
    left_out = {*ALWAYS_IGNORED, *manifest.ignored, *map(plain_name, ignored)} - {own}
    listed = entries(model, ignored=frozenset(left_out | {own}), follow=manifest.follows_links)
    files = [entry for entry in listed if entry.kind == "file"]
    memory = memory_for(manifest.algorithm, manifest.shard_bytes) if memory_for is not None else None
    found = digested(files, algorithm=manifest.algorithm, shard_bytes=manifest.shard_bytes, memory=memory)
    differing = differences(manifest, _named(found, manifest), (e for e in listed if e.kind != "file"))
    if differing:
        raise SignatureRefused(_told(model, differing), hint="get the model again from its signer")
    covered = {digest.name for digest in found}
    return Verified(
        signer=signer,
        key_id=key.key_id,
        manifest=manifest,
        n_files=len(covered),
        n_remembered=len({digest.name for digest in found if digest.remembered}),
        n_bytes=sum(digest.size_bytes for digest in found),
        unsigned=tuple(sorted(e.name for e in files if e.name not in covered)) + _existing(model, left_out),
    )


def _signer(
    bundle: Bundle,
    keys: Sequence[Verifier],
    authorities: Sequence[Certificate],
    identity: str,
    at: datetime | None,
) -> tuple[Verifier, str]:
    """Return whose key opens the envelope, after checking that this key is trusted."""
    if not keys and not authorities:
        raise UsageError("nothing to trust was given", hint="--key signing.key.pub, or --authority ca.pem")
    if identity and not (bundle.chain and authorities):
        raise SignatureRefused(
            f"only a certificate of an authority you trust can say that {identity} signed",
            hint="ask the signer for a signature with a certificate, or check the key alone",
        )
    if keys and (not bundle.chain or not authorities):
        if bundle.hint and bundle.hint not in {hint_of(key) for key in keys}:
            raise SignatureRefused(
                "this was signed with another key than the ones you trust; "
                f"its public key in PEM has the SHA-256 {bundle.hint[:16]}…",
                hint="get the right public key from the signer",
            )
        key = dsse.opened(bundle.envelope, keys)
        return key, f"key {key.key_id[:16]}…"
    if not bundle.chain:
        raise SignatureRefused("this was signed with a key and has no certificate", hint="give the signer's public key")
    from redan.evidence.signing.certificates import trusted_signer

    key, name = trusted_signer(bundle.chain, authorities, at=at, identity=identity)
    return dsse.opened(bundle.envelope, [key]), name


def _same_kind(model: Path, manifest: Manifest) -> None:
    names = {resource.name for resource in manifest.resources}
    if model.is_dir():
        if names == {ONE_FILE}:
            raise SignatureRefused(f"the signature covers a single file; {str(model)!r} is a folder")
    elif names not in ({ONE_FILE}, {model.name}):
        raise SignatureRefused(f"the signature covers {len(names)} files of a folder; {str(model)!r} is another file")


def _named(found: tuple[FileDigest, ...], manifest: Manifest) -> tuple[FileDigest, ...]:
    if manifest.resources[0].name != ONE_FILE:
        return found
    return tuple(replace(digest, name=ONE_FILE) for digest in found)


def _existing(model: Path, names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if os.path.lexists(model / name)))


def _told(model: Path, differing: tuple[Difference, ...]) -> str:
    # a single file has no name of its own in the signature
    shown = [f"  {difference.sentence.replace(repr(ONE_FILE), 'it', 1)}" for difference in differing[:_MOST_SENTENCES]]
    if len(differing) > _MOST_SENTENCES:
        shown.append(f"  and {len(differing) - _MOST_SENTENCES:,} more")
    return "\n".join([f"{model.name or str(model)!r} is not what was signed:", *shown])
