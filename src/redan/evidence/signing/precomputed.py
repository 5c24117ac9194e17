"""Digests made elsewhere: on the machine that holds the model, while the key stays on another.

Two forms are read: the unsigned statement that ``redan sign --digests-only`` writes, and the lines of ``sha256sum`` or
``b2sum``. Nothing of the model is read; what is signed is what the file says.
"""

from __future__ import annotations

import re
from pathlib import Path

from redan.core.errors import Unreadable
from redan.evidence.signing.manifest import ALWAYS_IGNORED, Manifest, manifest_from, manifest_of, plain_name
from redan.kernels.digests import SIZES_BYTES, FileDigest

LARGEST_DIGESTS_BYTES = 64 << 20
_LINE = re.compile(r"([0-9a-f]{64}|[0-9a-f]{128}) [ *](?:\./)*([^/].*)")
_ALGORITHMS = {2 * SIZES_BYTES[algorithm]: algorithm for algorithm in ("sha256", "blake2b")}


def load(path: Path, *, name: str, ignored: tuple[str, ...] = ()) -> Manifest:
    """Read digests made elsewhere.

    Args:
        path: the file.
        name: what to call the model where the file does not say.
        ignored: names below the model to leave out; a statement has decided this already.

    Raises:
        Unreadable: missing, too large, or in neither form.
        UsageError: a name to ignore is no plain relative path.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_DIGESTS_BYTES + 1)
    except OSError as err:
        raise Unreadable(f"cannot read the digests {str(path)!r}: {err.strerror}") from err
    if len(data) > LARGEST_DIGESTS_BYTES:
        raise Unreadable(f"{str(path)!r} is larger than {LARGEST_DIGESTS_BYTES >> 20} MiB")
    if data.lstrip()[:1] == b"{":
        return manifest_of(data)
    names = tuple(sorted({*ALWAYS_IGNORED, *map(plain_name, ignored)}))
    return _from_lines(path, data, name, names)


def _from_lines(path: Path, data: bytes, name: str, ignored: tuple[str, ...]) -> Manifest:
    found: dict[str, str] = {}
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError as err:
        raise Unreadable(f"{str(path)!r} is not UTF-8") from err
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or ".." in match[2].split("/") or match[2] in found:
            raise Unreadable(
                f"line {number} of {str(path)!r} is no digest and path, or names a file twice",
                hint="cd MODEL && find . -type f | xargs sha256sum > digests.txt",
            )
        if not any(match[2] == p or match[2].startswith(p + "/") for p in ignored):
            found[match[2]] = match[1]
    lengths = {len(digest) for digest in found.values()}
    if len(lengths) != 1:
        raise Unreadable(f"{str(path)!r} holds no digests, or digests of two kinds")
    algorithm = _ALGORITHMS[lengths.pop()]
    digests = tuple(FileDigest(name=n, size_bytes=0, algorithm=algorithm, digest=d) for n, d in found.items())
    return manifest_from(digests, name=name, one_file=False, algorithm=algorithm, shard_bytes=None, ignored=ignored)
