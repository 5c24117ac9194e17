"""Zip-based model files: torch, NumPy, Keras, skops, TorchServe, and archives of anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.readers import zips
from redan.kernels.artifacts.readers.compressed import expand, expand_head
from redan.kernels.artifacts.readers.npy import holds_objects
from redan.kernels.artifacts.readers.paths import escapes

if TYPE_CHECKING:
    from redan.kernels.artifacts.readers.zips import Directory, Member
    from redan.kernels.artifacts.source import Source

_TORCH_SIDE_FILES = frozenset({"version", "byteorder", ".format_version", ".storage_alignment", "data/serialization_id"})

LARGEST_COPIED_BYTES = 1 << 20
"""A stored member up to this size is copied without counting as expanded."""


def read_zip(source: Source) -> str:
    """Read a zip archive, and what stands before it.

    Returns:
        `torch-zip`, `torchscript`, `npz`, `keras`, `skops`, `mar` or `zip`.
    """
    directory = zips.read_directory(source)
    if not directory.members:
        source.unknown("empty-archive", "the archive has no member that can be read")
        return "zip"
    if directory.start > 0:
        _read_prefix(source, directory)
    slug, skipped = _dialect(directory.members)
    for member in directory.members:
        source.ledger.member(f"{source.where}/{member.name}" if source.where else member.name)
        _check_name(source, member)
        if member.name.endswith("/") or member.start in skipped:
            continue
        _read_member(source, member)
    return slug


def _read_prefix(source: Source, directory: Directory) -> None:
    """What stands before an archive is what a loader that looks at the start of the file would take."""
    prefix = source.data[: min(directory.start, source.ledger.limits.header_bytes)]
    if any(prefix):
        slug = source.descend(bytes(prefix), "prefix")
        source.unknown("prefixed-archive", f"{directory.start} bytes of {slug} stand before the archive")


def _dialect(members: list[Member]) -> tuple[str, frozenset[int]]:
    """The format's slug and the members that hold raw tensors, by the offset of their content."""
    names = {member.name for member in members}
    roots = {name[: -len("data.pkl")] for name in names if name.endswith("/data.pkl") or name == "data.pkl"}
    if roots:
        storage = re.compile("(?:" + "|".join(re.escape(root) for root in roots) + r")(?:data|\.data)/[\w.+-]+")
        raw = {m.start for m in members if storage.fullmatch(m.name) and m.name == m.local_name and _is_raw(m.name)}
        sides = {m.start for m in members if any(m.name == root + side for root in roots for side in _TORCH_SIDE_FILES)}
        script = any(name.endswith("constants.pkl") for name in names)
        return ("torchscript" if script else "torch-zip"), frozenset(raw | sides)
    if "MAR-INF/MANIFEST.json" in names:
        return "mar", frozenset()
    if "schema.json" in names:
        return "skops", frozenset()
    if "config.json" in names and any("metadata.json" in name for name in names):
        return "keras", frozenset()
    return ("npz" if all(name.endswith(".npy") for name in names) else "zip"), frozenset()


def _is_raw(name: str) -> bool:
    return not name.endswith((".pkl", ".py", "extern_modules"))


def _check_name(source: Source, member: Member) -> None:
    for name in {member.name, member.local_name}:
        if escapes(name) or "\0" in name:
            source.unsafe("path-traversal", f"member {name!r} would be written outside the folder it is unpacked into")
    if member.name != member.local_name:
        message = f"the directory says {member.name!r}, the local header {member.local_name!r}"
        source.unknown("ambiguous-archive", message, member.start)


def _read_member(source: Source, member: Member) -> None:
    if member.is_encrypted:
        source.unknown("encrypted", f"member {member.name!r} is encrypted", member.start)
        return
    method = zips.METHODS.get(member.method)
    if method is None:
        source.unknown("unread-compression", f"member {member.name!r} is stored by method {member.method}", member.start)
        return
    end = member.start + member.n_stored_bytes
    if end > len(source.data):
        source.unknown("truncated", f"member {member.name!r} reaches beyond the end", member.start)
    try:
        if method:
            _read_expanded(source, member, method)
        else:
            _read_stored(source, member, min(end, len(source.data)))
    except LimitReached:
        # The limit is in the ledger; the other members may still be worth reading.
        return


def _read_stored(source: Source, member: Member, end: int) -> None:
    head = bytes(source.data[member.start : min(end, member.start + LARGEST_COPIED_BYTES)])
    n_bytes = end - member.start
    if n_bytes > len(head):
        if holds_objects(head) is False or head[:8] == b"\x89HDF\r\n\x1a\n":
            source.descend(head, member.name)
            return
        source.ledger.n_expanded_bytes += n_bytes
        if source.ledger.n_expanded_bytes > source.ledger.limits.expanded_bytes:
            raise source.ledger.limit("expanded_bytes", member.name)
        head = bytes(source.data[member.start : end])
    source.descend(head, member.name)


def _read_expanded(source: Source, member: Member, method: str) -> None:
    stored = source.data[member.start : member.start + member.n_stored_bytes]
    head = expand_head(source, stored, method)
    if holds_objects(head) is False:
        source.descend(head, member.name)
        return
    source.descend(expand(source, stored, method), member.name)
