"""Everything a log's folder says, computed again: what was changed, removed, added, moved or rolled back, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable
from redan.evidence.log import notes, pruning, wal
from redan.evidence.log.notes import Checkpoint, NoteKey
from redan.evidence.log.reading import WAL, LogReader, Pruned, read_bounded
from redan.kernels.merkle import tiles
from redan.kernels.merkle.hashes import EMPTY_ROOT, leaves, root

Kind = Literal[
    "changed", "deleted", "inserted", "reordered", "missing", "hashes", "signature", "rollback", "fork", "wal"
]
MOST_PROBLEMS = 100
_PARTIAL = re.compile(r"tile/([0-9]|[1-5][0-9]|6[0-3]|entries)/((?:x[0-9]{3}/){0,5}[0-9]{3})\.p/([1-9][0-9]{0,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is not as it was signed.

    Attributes:
        kind: what was done.
        index: the first entry concerned; None when it cannot be told or none is.
        message: a sentence.
    """

    kind: Kind
    index: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What verification found.

    Attributes:
        checkpoint: the signed head that was verified.
        root: computed from the entries; None when they could not all be read.
        pruned: how many entries are hashes only, as the log's key signed.
        unsigned: durable entries after the checkpoint, which no signature covers yet.
        problems: at most `MOST_PROBLEMS`; none means that every entry is as it was signed.
    """

    checkpoint: Checkpoint
    root: bytes | None
    pruned: int
    unsigned: int
    problems: tuple[Problem, ...]


def verify(folder: Path, key: NoteKey, *, against: Sequence[Checkpoint] = ()) -> Verified:
    """Verify a whole log; changes nothing and stops at nothing.

    Args:
        folder: the log.
        key: of the log, from where you trust it.
        against: checkpoints of this log that were kept elsewhere; only they show that it was rolled back or rewritten
            by somebody who has its key.

    Raises:
        Unreadable: there is no log.
        SignatureRefused: a checkpoint kept elsewhere is not of this log.
    """
    reader = LogReader(folder)
    head = reader.checkpoint
    problems: list[Problem] = []
    try:
        notes.signed_by(head, key)
    except SignatureRefused as err:
        problems.append(Problem(kind="signature", index=None, message=f"checkpoint: {err.message}"))
    note = _pruned(reader, key, problems)
    noted = [note] if note is not None else []
    computed, roots = _walk(reader, sorted({c.size for c in (*against, *noted)}), problems)
    if computed is not None and computed != head.root and not problems:
        said = f"the {head.size} entries and their hashes fit each other but not the signed root: they were rewritten"
        problems.append(Problem(kind="fork", index=None, message=said))
    for other in noted:
        _compare(other, head, roots, problems)
    for other in against:
        notes.signed_by(other, key)
        _compare(other, head, roots, problems)
    problems += _partials(reader)
    unsigned = _tail(folder, reader, problems)
    return Verified(
        checkpoint=head,
        root=computed,
        pruned=min(reader.pruned, reader.size),
        unsigned=unsigned,
        problems=tuple(problems[:MOST_PROBLEMS]),
    )


def _pruned(reader: LogReader, key: NoteKey, problems: list[Problem]) -> Checkpoint | None:
    """Read which entries the log's key says were let go; what it did not sign excuses nothing."""
    try:
        note = pruning.read_note(reader.folder, key)
    except (SignatureRefused, Unreadable) as err:
        problems.append(
            Problem(kind="signature", index=0, message=f"what says that entries were pruned: {err.message}")
        )
        reader.pruned = 0
        return None
    if note is not None and note.size > reader.size:
        said = f"{note.size} entries were pruned, this log has {reader.size}: it was rolled back"
        problems.append(Problem(kind="rollback", index=reader.size, message=said))
    return note


class _Tree:
    """Roots of levels above the tiles that are being read, from the entries alone."""

    def __init__(self) -> None:
        self.levels: list[list[bytes]] = []

    def add(self, hash_: bytes) -> list[bytes]:
        """Take the root of a full tile of leaves; return the roots of the tiles above that became full, upwards."""
        filled: list[bytes] = []
        while True:
            level = len(filled) + 1
            while len(self.levels) <= level:
                self.levels.append([])
            self.levels[level].append(hash_)
            if len(self.levels[level]) < tiles.WIDTH:
                return filled
            hash_ = root(self.levels[level])
            self.levels[level] = []
            filled.append(hash_)

    def root(self, partial: list[bytes]) -> bytes:
        found = [root(partial)] if partial else []
        for hashes in self.levels[1:]:
            joined = [*hashes, *found]
            found = [root(joined)] if joined else []
        return found[0] if found else EMPTY_ROOT


def _walk(reader: LogReader, sizes: list[int], problems: list[Problem]) -> tuple[bytes | None, dict[int, bytes]]:
    """Hash every entry; return the root over all, and over the first entries for each of the sizes."""
    tree, roots = _Tree(), {0: EMPTY_ROOT}
    hashes: list[bytes] = []
    full, rest = tiles.extent(reader.size, 0)
    for n in range(full + bool(rest)):
        found = _bundle(reader, n, problems)
        if found is None or len(found) != reader.width(0, n):
            _missing(reader, n + 1, problems)
            return None, roots
        start, hashes = n * tiles.WIDTH, found
        roots |= {size: tree.root(hashes[: size - start]) for size in sizes if start < size <= start + len(hashes)}
        if len(hashes) == tiles.WIDTH:
            top = root(hashes)
            _below(reader, n, top, problems)
            for level, filled in enumerate(tree.add(top), 1):
                _stored(reader, level, start // tiles.WIDTH ** (level + 1), filled, problems)
            hashes = []
    _right_edge(reader, tree, problems)
    return tree.root(hashes), roots


def _missing(reader: LogReader, first: int, problems: list[Problem]) -> None:
    """After a bundle that gives no tree any more, compare the later ones with their own hashes only."""
    full, rest = tiles.extent(reader.size, 0)
    for n in range(first, full + bool(rest)):
        if len(problems) >= MOST_PROBLEMS:
            return
        _bundle(reader, n, problems)


def _bundle(reader: LogReader, n: int, problems: list[Problem]) -> list[bytes] | None:
    """Hash the entries of a bundle and compare them with the tile of their hashes."""
    start, width = n * tiles.WIDTH, reader.width(0, n)
    try:
        entries = reader.stored(n)
    except Pruned:
        return _kept_hashes(reader, n, problems)
    except EvidenceError as err:
        problems.append(Problem(kind="missing", index=start, message=f"entries from {start} on: {err.message}"))
        return None
    hashes = leaves(entries[:width] if width < tiles.WIDTH <= len(entries) else entries)
    try:
        stored = tiles.hashes(reader.tile(0, n))
    except EvidenceError as err:
        said = f"hashes of the entries from {start} on: {err.message}"
        problems.append(Problem(kind="hashes", index=start, message=said))
        return hashes
    if hashes != stored:
        problems.append(_culprit(reader, n, hashes, stored))
    return hashes


def _kept_hashes(reader: LogReader, n: int, problems: list[Problem]) -> list[bytes] | None:
    """Read the hashes that stand for entries which were let go."""
    try:
        return tiles.hashes(reader.tile(0, n))
    except EvidenceError as err:
        start = n * tiles.WIDTH
        said = f"hashes of the pruned entries from {start} on: {err.message}"
        problems.append(Problem(kind="hashes", index=start, message=said))
        return None


def _culprit(reader: LogReader, n: int, hashes: list[bytes], stored: list[bytes]) -> Problem:
    """Tell whether entries or their stored hashes were changed; the tile above knows where it is there."""
    start = n * tiles.WIDTH
    parent = _parent(reader, n)
    if parent is not None and root(hashes) == parent:
        said = f"{tiles.path(0, n)} was changed; the entries it covers are as they were"
        return Problem(kind="hashes", index=start, message=said)
    return _difference(start, hashes, stored)


def _partials(reader: LogReader) -> Iterator[Problem]:
    """Compare each partial file with what took its place, since whoever holds an older checkpoint may take it."""
    for path in sorted(reader.folder.glob("tile/**/*.p/*")):
        found = _PARTIAL.fullmatch(path.relative_to(reader.folder).as_posix())
        if found is None or not path.is_file():
            continue
        level, n, width = found[1], int(found[2].replace("x", "").replace("/", "")), int(found[3])
        start = n * tiles.WIDTH ** (1 + (0 if level == tiles.ENTRIES else int(level)))
        if start < reader.size:
            yield from _older(reader, path, level, n, width, start)


def _older(reader: LogReader, path: Path, level: str, n: int, width: int, start: int) -> Iterator[Problem]:
    of_entries = level == tiles.ENTRIES
    if width > reader.width(0 if of_entries else int(level), n):
        return  # left by a crash; no checkpoint speaks of it
    try:
        expected = tiles.bundle(reader.bundle(n)[:width]) if of_entries else reader.tile(int(level), n)[: width * 32]
    except EvidenceError:
        return  # told where the tiles are read
    if read_bounded(path, max(len(expected), 1) * 2) != expected:
        name = path.relative_to(reader.folder)
        yield Problem(kind="changed", index=start, message=f"{name} does not agree with the newer file of that tile")


def _parent(reader: LogReader, n: int) -> bytes | None:
    """Return the hash of a full tile that the level above keeps."""
    if reader.width(0, n) < tiles.WIDTH:
        return None
    try:
        return reader.nodes(tiles.TILE_HEIGHT, n)
    except EvidenceError:
        return None


def _difference(start: int, found: list[bytes], expected: list[bytes]) -> Problem:
    """Name what happened between two lists of hashes that differ."""
    at = next(
        (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), min(len(found), len(expected))
    )
    index = start + at
    if len(found) == len(expected) and found[at + 1 :] == expected[at + 1 :]:
        return Problem(kind="changed", index=index, message=f"entry {index} was changed")
    if sorted(found) == sorted(expected):
        other = start + found.index(expected[at], at)
        said = f"entry {index} does not stand in its place: entries were reordered (it is now entry {other})"
        return Problem(kind="reordered", index=index, message=said)
    rest = len(expected) - at - 1
    if rest >= 0 and found[at : at + rest] == expected[at + 1 :] and (rest or len(found) < len(expected)):
        return Problem(kind="deleted", index=index, message=f"entry {index} was deleted: later ones moved up")
    follow = found[at + 1 :]
    if len(found) > at and follow[: rest + 1] == expected[at : at + len(follow)] and (follow or rest < 0):
        said = f"an entry was inserted as entry {index}: later ones moved down"
        return Problem(kind="inserted", index=index, message=said)
    wrong = sum(a != b for a, b in zip(found, expected, strict=False)) + abs(len(found) - len(expected))
    said = f"entry {index} was changed, and {wrong - 1} more up to entry {start + max(len(found), len(expected)) - 1}"
    return Problem(kind="changed", index=index, message=said)


def _below(reader: LogReader, n: int, top: bytes, problems: list[Problem]) -> None:
    """Compare the root of a full tile of leaves with what the tile above keeps of it."""
    if not problems and _parent(reader, n) not in {None, top}:
        start = n * tiles.WIDTH
        above = tiles.path(1, n // tiles.WIDTH)
        said = f"entries {start} to {start + tiles.WIDTH - 1} do not fit {above}: one of them was rewritten"
        problems.append(Problem(kind="changed", index=start, message=said))


def _stored(reader: LogReader, level: int, n: int, expected: bytes, problems: list[Problem]) -> None:
    start = n * tiles.WIDTH ** (level + 1)
    try:
        found = root(tiles.hashes(reader.tile(level, n)))
    except EvidenceError as err:
        said = f"hashes over the entries from {start} on: {err.message}"
        problems.append(Problem(kind="hashes", index=start, message=said))
        return
    if found != expected and not problems:
        said = f"{tiles.path(level, n)} does not fit the entries from {start} on: one of them was rewritten"
        problems.append(Problem(kind="hashes", index=start, message=said))


def _right_edge(reader: LogReader, tree: _Tree, problems: list[Problem]) -> None:
    for level in tiles.levels(reader.size)[1:]:
        full, rest = tiles.extent(reader.size, level)
        if rest:
            _stored(reader, level, full, root(tree.levels[level]), problems)


def _compare(other: Checkpoint, head: Checkpoint, roots: dict[int, bytes], problems: list[Problem]) -> None:
    if other.size > head.size:
        said = f"rolled back: a checkpoint kept elsewhere covers {other.size} entries, this log has {head.size}"
        problems.append(Problem(kind="rollback", index=head.size, message=said))
    elif other.size in roots and roots[other.size] != other.root:
        said = f"the first {other.size} entries are not those of the checkpoint kept elsewhere: the log was rewritten"
        problems.append(Problem(kind="fork", index=None, message=said))


def _tail(folder: Path, reader: LogReader, problems: list[Problem]) -> int:
    """Check the write-ahead log: whole, without a gap, and the same entries where both have them."""
    try:
        found = wal.segments(folder / WAL)
        said = wal.faults(found)
    except (OSError, EvidenceError) as err:
        problems.append(Problem(kind="wal", index=None, message=f"write-ahead log: {err}"))
        return 0
    problems += [Problem(kind="wal", index=None, message=message) for message in said]
    if found and found[0].first > reader.size:
        said_gap = f"entries {reader.size} to {found[0].first - 1} are gone from the write-ahead log"
        problems.append(Problem(kind="missing", index=reader.size, message=said_gap))
    for segment in found:
        problems += _doubled(segment, reader)
    return max(0, found[-1].end - reader.size) if found else 0


def _doubled(segment: wal.Segment, reader: LogReader) -> Iterator[Problem]:
    entries = (entry for group in segment.groups for entry in group)
    try:
        signed = reader.entries(segment.first, segment.end)
        for index, (mine, theirs) in enumerate(zip(entries, signed, strict=False), segment.first):
            if mine != theirs:
                said = f"entry {index} differs between wal/{segment.path.name} and its bundle"
                yield Problem(kind="wal", index=index, message=said)
                return
    except EvidenceError:
        return  # the missing bundle has been told already
