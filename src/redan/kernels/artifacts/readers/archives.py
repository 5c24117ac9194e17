"""Zip-based model files: torch, NumPy, Keras, skops, TorchServe, and archives of anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.readers import hdf5, zips
from redan.kernels.artifacts.readers.code import read_source_code, read_torchscript
from redan.kernels.artifacts.readers.compressed import HEAD_BYTES, expand, expand_head
from redan.kernels.artifacts.readers.npy import holds_objects
from redan.kernels.artifacts.readers.paths import escapes

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.readers.zips import Directory, Member
    from redan.kernels.artifacts.source import Source

# What torch.load reads as raw bytes: storages by key, and small marks. Source: torch `serialization.py`, `_save`.
_TORCH_RAW = (
    r"(?:data/\d+|version|byteorder|\.format_version|\.storage_alignment|(?:\.data|data)/(?:serialization_id|version))"
)
_PT2_RAW = re.compile(r"(?:[^/]+/)?(?:data/(?:weights|constants)/[\w.-]+|archive_format|version|byteorder|\.data/\w+)")

LARGEST_COPIED_BYTES = 1 << 20
"""A stored member up to this size is copied without counting as expanded."""


class Dialect(NamedTuple):
    """What kind of model an archive is.

    Attributes:
        slug: `torch-zip`, `torchscript`, `pt2`, `torch-package`, `npz`, `keras`, `skops`, `mar` or `zip`.
        raw: Members that hold raw tensors, by the offset of their content.
        runs_code: Whether loading runs Python files among the members.
    """

    slug: str
    raw: frozenset[int] = frozenset()
    runs_code: bool = False


def read_zip(source: Source) -> str:
    """Read a zip archive, and what stands before it, and return the slug of its dialect."""
    directory = zips.read_directory(source)
    if not directory.members:
        source.unknown("empty-archive", "the archive has no member that can be read")
        return "zip"
    if directory.start > 0:
        _read_prefix(source, directory)
    dialect = _dialect(directory.members)
    for member in directory.members:
        source.ledger.member(f"{source.where}/{member.name}" if source.where else member.name)
        _check_name(source, member)
        if member.name.endswith("/") or member.start in dialect.raw:
            continue
        _read_member(source, member, dialect)
    return dialect.slug


def _read_prefix(source: Source, directory: Directory) -> None:
    """What stands before an archive is what a loader that looks at the start of the file would take."""
    prefix = source.data[: min(directory.start, source.ledger.limits.header_bytes)]
    if any(prefix):
        slug = source.descend(bytes(prefix), "prefix")
        if slug == "tflite":
            # TensorFlow Lite packs files that belong to a model as a zip archive behind it.
            return
        source.unknown("prefixed-archive", f"{directory.start} bytes of {slug} stand before the archive")


def _dialect(members: list[Member]) -> Dialect:
    names = {member.name for member in members}
    if any(name.endswith("data.pkl") for name in names):
        return _torch(members, names)
    if any(name.endswith("archive_format") for name in names):
        return Dialect("pt2", _raw(members, _PT2_RAW))
    if "MAR-INF/MANIFEST.json" in names:
        return Dialect("mar", runs_code=True)
    if "schema.json" in names:
        return Dialect("skops")
    if "config.json" in names and any("metadata.json" in name for name in names):
        return Dialect("keras")
    return Dialect("npz" if all(name.endswith(".npy") for name in names) else "zip")


def _torch(members: list[Member], names: set[str]) -> Dialect:
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
    root = "(?:" + "|".join(map(re.escape, roots)) + ")"
    raw = _raw(members, re.compile(root + _TORCH_RAW)) if roots else frozenset()
    if any(name.endswith("extern_modules") for name in names):
        return Dialect("torch-package", raw, runs_code=True)
    if any(name.endswith("archive_format") for name in names):
        return Dialect("pt2", raw | _raw(members, _PT2_RAW))
    if any(name.endswith("constants.pkl") for name in names):
        # Line numbers for error messages; torch reads them when a message asks for them, with a reader of its own.
        # Constants lie in numbered members, as storages do.
        debug = _raw(members, re.compile(root + r"(?:code/[\w./-]+\.py\.debug_pkl|constants/\d+)"))
        return Dialect("torchscript", raw | debug, runs_code=True)
    return Dialect("torch-zip", raw, runs_code=True)


def _raw(members: list[Member], pattern: re.Pattern[str]) -> frozenset[int]:
    """The members whose both names match."""
    return frozenset(m.start for m in members if m.name == m.local_name and pattern.fullmatch(m.name))


def _check_name(source: Source, member: Member) -> None:
    for name in {member.name, member.local_name}:
        if escapes(name) or "\0" in name:
            source.unsafe("path-traversal", f"member {name!r} would be written outside the folder it is unpacked into")
    if member.name != member.local_name:
        message = f"the directory says {member.name!r}, the local header {member.local_name!r}"
        source.unknown("ambiguous-archive", message, member.start)


def _read_member(source: Source, member: Member, dialect: Dialect) -> None:
    if member.is_encrypted:
        # The flag may lie, and some loaders do not look at it: what is there is read all the same.
        source.unknown("encrypted", f"member {member.name!r} is marked as encrypted", member.start)
    method = zips.METHODS.get(member.method)
    if method is None:
        source.unknown(
            "unread-compression", f"member {member.name!r} is stored by method {member.method}", member.start
        )
        return
    end = member.start + member.n_stored_bytes
    if end > len(source.data):
        source.unknown("truncated", f"member {member.name!r} reaches beyond the end", member.start)
    try:
        if dialect.runs_code and member.name.endswith(".py"):
            content = _content(source, member, method)
            inner = source.inside(content, member.name)
            if dialect.slug == "torchscript" and "code/" in member.name:
                read_torchscript(inner)
            else:
                read_source_code(inner)
        elif method:
            _read_expanded(source, member, method)
        else:
            _read_stored(source, member, min(end, len(source.data)))
    except LimitReached:
        # The limit is in the ledger; the other members may still be worth reading.
        return


def _content(source: Source, member: Member, method: str) -> Buffer:
    """A member's bytes, expanded by its method; empty for none.

    Raises:
        LimitReached: They are more than is left of `Limits.expanded_bytes`.
    """
    stored = source.data[member.start : min(member.start + member.n_stored_bytes, len(source.data))]
    if method == "lzma":
        from redan.kernels.artifacts.readers.raw_lzma import expand_zip_member

        return expand_zip_member(source, stored, member.n_bytes)
    if method == "zstd":
        from redan.kernels.artifacts.readers.zstd import expand_zstd

        return expand_zstd(source, stored)
    return expand(source, stored, method) if method else stored


def _read_stored(source: Source, member: Member, end: int) -> None:
    head = bytes(source.data[member.start : min(end, member.start + LARGEST_COPIED_BYTES)])
    n_bytes = end - member.start
    if n_bytes > len(head):
        if holds_objects(head) is False:
            source.descend(head, member.name, n_bytes - len(head))
            return
        if head[:8] == hdf5.MAGIC:
            hdf5.read_hdf5(source.inside(source.data, member.name), member.start, end)
            return
        source.ledger.n_expanded_bytes += n_bytes
        if source.ledger.n_expanded_bytes > source.ledger.limits.expanded_bytes:
            raise source.ledger.limit("expanded_bytes", member.name)
        head = bytes(source.data[member.start : end])
    source.descend(head, member.name)


def _read_expanded(source: Source, member: Member, method: str) -> None:
    if method in ("lzma", "zstd"):
        source.descend(_content(source, member, method), member.name)
        return
    stored = source.data[member.start : member.start + member.n_stored_bytes]
    head = expand_head(source, stored, method)
    if holds_objects(head) is False:
        # the directory's word is enough: behind its content no loader reads an array
        source.descend(head, member.name, max(0, member.n_bytes - len(head)) if len(head) >= HEAD_BYTES else 0)
        return
    source.descend(expand(source, stored, method), member.name)
