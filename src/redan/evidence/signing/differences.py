"""What differs between a model and its signed manifest, a sentence for each file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from redan.evidence.signing.manifest import Manifest, Resource
from redan.kernels.digests import Entry, FileDigest

Change = Literal["added", "missing", "changed", "renamed", "link", "special"]
Signed = Mapping[str, tuple[Resource, ...]]
Found = Mapping[str, tuple[FileDigest, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One file that is not as it was signed.

    Attributes:
        name: of the file below the model.
        kind: what happened to it.
        sentence: the same for a person, with sizes and the start of both digests.
    """

    name: str
    kind: Change
    sentence: str


def differences(
    manifest: Manifest, found: Iterable[FileDigest], refused: Iterable[Entry] = ()
) -> tuple[Difference, ...]:
    """Compare a model with its manifest.

    Args:
        manifest: what was signed.
        found: digests of the files there are, made as the manifest says, under the names it uses.
        refused: links and special files, whose content cannot be signed.

    Returns:
        What differs, in the order of names.
    """
    signed, there = _signed(manifest), _found(found)
    result = [_unsignable(entry) for entry in refused]
    unsignable = {difference.name for difference in result}
    missing = signed.keys() - there.keys() - unsignable
    added = there.keys() - signed.keys()
    renamed = dict(_renamed(sorted(missing), sorted(added), signed, there))
    result += [_renaming(old, new) for old, new in renamed.items()]
    result += [_missing(name, signed[name], manifest.algorithm) for name in missing - renamed.keys()]
    result += [_added(name, there[name]) for name in added - set(renamed.values())]
    result += [
        _changed(name, signed[name], there[name], manifest.algorithm)
        for name in signed.keys() & there.keys()
        if _content(signed[name]) != _content(there[name])
    ]
    return tuple(sorted(result, key=lambda difference: difference.name))


def _signed(manifest: Manifest) -> Signed:
    files: dict[str, list[Resource]] = {}
    for resource in manifest.resources:
        files.setdefault(resource.name, []).append(resource)
    return {name: tuple(sorted(parts, key=lambda part: part.start_bytes or 0)) for name, parts in files.items()}


def _found(found: Iterable[FileDigest]) -> Found:
    files: dict[str, list[FileDigest]] = {}
    for digest in found:
        files.setdefault(digest.name, []).append(digest)
    return {name: tuple(parts) for name, parts in files.items()}


def _content(parts: tuple[Resource, ...] | tuple[FileDigest, ...]) -> tuple[tuple[int, str], ...]:
    """Return what makes two files equal; a range's length decides its digest, so its start is enough."""
    return tuple((part.start_bytes or 0, part.digest) for part in parts)


def _renamed(missing: list[str], added: list[str], signed: Signed, there: Found) -> Iterator[tuple[str, str]]:
    by_content = {_content(there[name]): name for name in reversed(added)}
    for old in missing:
        new = by_content.pop(_content(signed[old]), None)
        if new is not None:
            yield old, new


def _renaming(old: str, new: str) -> Difference:
    sentence = f"{old!r} was renamed to {new!r}; its content is as signed"
    return Difference(name=old, kind="renamed", sentence=sentence)


def _missing(name: str, parts: tuple[Resource, ...], algorithm: str) -> Difference:
    sentence = f"{name!r} is missing; a file with {algorithm} {parts[0].digest[:12]}… was signed"
    return Difference(name=name, kind="missing", sentence=sentence)


def _added(name: str, parts: tuple[FileDigest, ...]) -> Difference:
    size_bytes = sum(part.size_bytes for part in parts)
    return Difference(name=name, kind="added", sentence=f"{name!r} ({size_bytes:,} bytes) was added and is not signed")


def _changed(name: str, signed: tuple[Resource, ...], there: tuple[FileDigest, ...], algorithm: str) -> Difference:
    size_bytes = sum(part.size_bytes for part in there)
    expected = {part.start_bytes or 0: part for part in signed}
    for part in there:
        other = expected.pop(part.start_bytes, None)
        if other is None or other.digest != part.digest:
            where = "" if other is None or other.stop_bytes is None else f" from byte {part.start_bytes:,}"
            was = f"{other.digest[:12]}… was signed" if other is not None else "nothing was signed there"
            sentence = f"{name!r} ({size_bytes:,} bytes) was changed{where}: {algorithm} {part.digest[:12]}…, but {was}"
            return Difference(name=name, kind="changed", sentence=sentence)
    sentence = f"{name!r} was cut to {size_bytes:,} bytes; more was signed"
    return Difference(name=name, kind="changed", sentence=sentence)


def _unsignable(entry: Entry) -> Difference:
    if entry.kind == "link":
        sentence = f"{entry.name!r} is a symbolic link, and what a link leads to is not signed"
        return Difference(name=entry.name, kind="link", sentence=sentence)
    sentence = f"{entry.name!r} is a pipe, socket or device; only files can be signed"
    return Difference(name=entry.name, kind="special", sentence=sentence)
