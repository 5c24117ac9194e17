"""From a model to its signature file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from redan.core.errors import UsageError
from redan.evidence import dsse
from redan.evidence.keys import Signer
from redan.evidence.signing.bundle import LARGEST_BUNDLE_BYTES, Bundle, hint_of
from redan.evidence.signing.manifest import Manifest, measure
from redan.kernels.digests.writing import replace_whole

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from redan.kernels.digests import FileDigest, Memory


def signature_path(model: Path) -> Path:
    """Return where a model's signature lies unless said otherwise: ``model.sig`` in its folder, or beside the file."""
    return model / "model.sig" if model.is_dir() else model.with_name(model.name + ".sig")


def sign(
    model: Path,
    signer: Signer,
    *,
    output: Path | None = None,
    chain: Sequence[Certificate] = (),
    algorithm: str = "sha256",
    shard_bytes: int | None = None,
    ignored: Sequence[str] = (),
    memory: Memory | None = None,
) -> tuple[Manifest, tuple[FileDigest, ...]]:
    """Digest a model, sign its manifest, and write the signature file.

    Args:
        model: a folder or a file.
        signer: the private key.
        output: the signature file; ``signature_path`` of the model when None. It is replaced and never signed itself.
        chain: the signer's certificate, then those that lead to the one verifiers trust; none to sign by key alone.
        algorithm: sha256, blake2b or blake3; verifiers must know the first only.
        shard_bytes: length of the ranges that files are cut into; None digests files as a whole.
        ignored: names below the model to leave out.
        memory: digests known from earlier.

    Returns:
        What was signed, and the digests it was made from.

    Raises:
        UsageError: the key is of a kind the format does not know or does not fit the certificate, or the file cannot
            be written.
        SignatureRefused: the certificate is not valid now or not made for signing.
        Unreadable: nothing to sign, a link or special file, or a file that cannot be read.
    """
    target = output or signature_path(model)
    inside = name_inside(model, target)
    names = (*ignored, inside) if inside else tuple(ignored)
    manifest, found = measure(model, algorithm=algorithm, shard_bytes=shard_bytes, ignored=names, memory=memory)
    write(target, seal(manifest, signer, chain=chain))
    return manifest, found


def seal(manifest: Manifest, signer: Signer, *, chain: Sequence[Certificate] = ()) -> Bundle:
    """Sign a manifest, wherever its digests were made; arguments and errors as in ``sign``."""
    if isinstance(signer.private, Ed25519PrivateKey):
        raise UsageError(
            "OpenSSF Model Signing signs with P-256, P-384 or P-521; this key is Ed25519",
            hint="redan key new signing.key --kind p256",
        )
    envelope = dsse.seal(manifest.statement(), signer)
    if not chain:
        return Bundle(envelope=envelope, hint=hint_of(signer.verifier))
    from redan.evidence.signing.certificates import signing_key

    if signing_key(chain[0], at=datetime.now(UTC)).key_id != signer.key_id:
        raise UsageError(
            "the certificate is about another key than the one given", hint="give the private key it was issued for"
        )
    return Bundle(envelope=envelope, chain=tuple(certificate.public_bytes(Encoding.DER) for certificate in chain))


def name_inside(model: Path, path: Path) -> str:
    """Return the name of a path below a model's folder; empty when it lies elsewhere."""
    try:
        name = (path.parent.resolve() / path.name).relative_to(model.resolve()).as_posix()
    except ValueError:
        return ""
    return "" if name == "." else name


def write(target: Path, bundle: Bundle) -> None:
    """Write a signature file as a whole or not at all.

    Raises:
        UsageError: it cannot be written, or would be too large to be read again.
    """
    data = bundle.to_json()
    if len(data) > LARGEST_BUNDLE_BYTES:
        raise UsageError(
            f"the signature would have {len(data) >> 20} MiB; at most {LARGEST_BUNDLE_BYTES >> 20} can be read again",
            hint="sign an archive of the files, or its parts one by one",
        )
    try:
        replace_whole(target, data)
    except OSError as err:
        raise UsageError(f"cannot write {str(target)!r}: {err.strerror}") from err
