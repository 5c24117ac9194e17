"""`redan sign`: an OpenSSF model signature."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from redan.evidence.signing import Manifest
    from redan.kernels.digests import FileDigest
    from redan.kernels.digests.cache import DigestCache

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
CACHE = Path(".redan/digests")
"""Where digests read earlier are kept, beside the runs."""

_OPTIONS = (
    click.option("--key", "-k", type=PATH, help="Private key in PEM; redan key new makes one."),
    click.option("--password-env", metavar="VAR", help="Environment variable with the key's password."),
    click.option("-o", "--output", type=PATH, help="Signature file.  [default: MODEL/model.sig, or FILE.sig]"),
    click.option("--certificate", type=PATH, help="The key's certificate in PEM, to sign with a name."),
    click.option("--chain", type=PATH, multiple=True, help="Certificates that lead to a trusted one; may be repeated."),
    click.option("--ignore", multiple=True, metavar="PATH", help="Path below MODEL to leave out; may be repeated."),
    click.option("--hash", "algorithm", default="sha256", help="sha256, blake2b or blake3.  [default: sha256]"),
    click.option("--shards", "shard_bytes", type=click.IntRange(min=1), metavar="BYTES", help="Sign ranges of files."),
    click.option("--cache", is_flag=True, help="Do not read files again that are as they were."),
    click.option("--cache-folder", type=PATH, default=CACHE, show_default=True, help="Where their digests are kept."),
    click.option("--digests-only", is_flag=True, help="Write what would be signed, for a machine that has the key."),
    click.option("--digests", type=PATH, help="Sign these digests (or the lines of sha256sum) and read no model."),
)


def _options(function: Function) -> Function:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("sign")
@click.argument("model", type=PATH)
@_options
def command(
    model: Path,
    key: Path | None,
    password_env: str | None,
    output: Path | None,
    certificate: Path | None,
    chain: tuple[Path, ...],
    ignore: tuple[str, ...],
    algorithm: str,
    shard_bytes: int | None,
    cache: bool,
    cache_folder: Path,
    digests_only: bool,
    digests: Path | None,
) -> int:  # click passes flags by name
    """Sign every file of MODEL, so that `redan verify` and `model_signing verify` notice any change.

    \b
    redan sign model/ --key signing.key
    redan sign model/ --key signing.key --cache
    redan sign model/ --digests-only > digests.json
    """
    from redan.evidence.signing import measure, precomputed, seal, signature_path
    from redan.evidence.signing.signature import name_inside, write

    if digests_only == bool(key) or (digests and (digests_only or cache)):
        raise UsageError("expected --key, or --digests-only without it", hint="redan sign MODEL --key signing.key")
    target = output or signature_path(model)
    # digests are made before anybody knows where the signature will lie, so its usual place is left out as well
    own = {name_inside(model, path) for path in ((target, signature_path(model)) if digests_only else (target,))}
    left_out = (*ignore, *sorted(own - {""}))
    found: tuple[FileDigest, ...] = ()
    if digests is not None:
        manifest = precomputed.load(digests, name=model.resolve().name, ignored=left_out)
    else:
        memory = cache_for(model, cache_folder, algorithm, shard_bytes, left_out) if cache else None
        _no_secrets_inside(model, key, left_out)
        manifest, found = measure(model, algorithm=algorithm, shard_bytes=shard_bytes, ignored=left_out, memory=memory)
        if memory is not None:
            memory.save()
    if key is None:
        from redan.cli.output import emit

        emit(manifest.statement(), output)
        return 0
    from redan.cli.key import password_from
    from redan.evidence.keys import load_signer

    signer = load_signer(key, password=password_from(password_env))
    write(target, seal(manifest, signer, chain=_chain(certificate, chain)))
    sys.stderr.write(_told(manifest, found, signer.key_id, target))
    return 0


def cache_for(
    model: Path, folder: Path, algorithm: str, shard_bytes: int | None, ignored: tuple[str, ...]
) -> DigestCache:
    """Open the digests that were read earlier.

    Raises:
        UsageError: they lie inside the model and would be signed with it.
        SignatureRefused: they were changed or written by somebody else.
    """
    from redan.evidence.signing.signature import name_inside
    from redan.kernels.digests.cache import DigestCache

    inside = name_inside(model, folder)
    if inside and not _covers(ignored, inside):
        raise UsageError(
            f"the digest cache {str(folder)!r} lies inside the model and would be signed with it",
            hint="name a folder elsewhere with --cache-folder, or --ignore .redan",
        )
    return DigestCache(folder, model, algorithm=algorithm, shard_bytes=shard_bytes)


def _no_secrets_inside(model: Path, key: Path | None, ignored: tuple[str, ...]) -> None:
    from redan.evidence.signing.signature import name_inside

    inside = name_inside(model, key) if key is not None else ""
    if inside and not _covers(ignored, inside):
        raise UsageError(
            f"the private key {inside!r} lies inside the model and would be published with it",
            hint="move it out of the model's folder",
        )


def _covers(ignored: tuple[str, ...], name: str) -> bool:
    return any(name == each or name.startswith(each.rstrip("/") + "/") for each in ignored)


def _chain(certificate: Path | None, others: tuple[Path, ...]) -> tuple[Certificate, ...]:
    if certificate is None:
        if others:
            raise UsageError("--chain needs --certificate", hint="--certificate leaf.pem --chain ca.pem")
        return ()
    from redan.evidence.signing.certificates import load_certificates

    return tuple(c for path in (certificate, *others) for c in load_certificates(path))


def _told(manifest: Manifest, found: tuple[FileDigest, ...], key_id: str, target: Path) -> str:
    n_files = len({r.name for r in manifest.resources})
    if found:
        n_bytes = sum(d.size_bytes for d in found)
        n_read = len({d.name for d in found if not d.remembered})
        how = f"{n_read:,} read" if n_read == n_files else f"{n_read:,} read, {n_files - n_read:,} as the cache says"
        what = f"{n_files:,} files with {n_bytes:,} bytes ({how})"
    else:
        what = f"{n_files:,} files by their digests; nothing was read"
    return f"signed {what}\nmodel {manifest.root_digest}\nkey {key_id}\nwrote {target}\n"
