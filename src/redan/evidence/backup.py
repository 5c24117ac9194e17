"""One file for a whole store, and a store from that file, in the same kind of database or another.

A backup is a tar of the blobs as they lie in their place (encrypted ones stay encrypted, with their wrapped keys),
every table as lines of JSON, a manifest with the digest of each member, and the digest of the manifest. It is one
moment of the store: rows are read in one snapshot, and a row never comes before its blob's bytes, so others may go on
writing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, MetaData, Table, func, insert, select

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, EvidenceError, SignatureRefused, Unreadable, UsageError
from redan.evidence.places import NAME, READ_BYTES, Place, durable_write, pieces_of
from redan.evidence.store import migrating, tables
from redan.evidence.store.archive import Member, packed, unpacked
from redan.evidence.store.database import Database, rows_by
from redan.evidence.store.opening import Store

SCHEMA = "redan-backup/1"
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
MOST_MEMBERS = 500_000
LARGEST_MANIFEST_BYTES = 128 << 20
LARGEST_ROW_BYTES = 1 << 20
_ROWS_AT_ONCE = 500
_BYTES_AT_ONCE = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One member of a backup."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes:
        schema: form of the backup.
        store: random name of the store.
        revision: version of the store's tables.
        key_id: key that wrapped when the backup was made; empty for a plain store.
        created: UTC time, ISO 8601.
        rows: number of rows of each table.
        members: each member but the manifest and its digest, by name.
    """

    schema: str
    store: str
    revision: str
    key_id: str
    created: str
    rows: dict[str, int]
    members: dict[str, Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that was made.

    Attributes:
        manifest: what it holds.
        sha256: digest of the whole file; kept elsewhere it proves that the file is this one.
        size_bytes: length of the file.
    """

    manifest: Manifest
    sha256: str
    size_bytes: int


def backup(store: Store, path: Path) -> Backup:
    """Write a store to one file that only its owner may read; the file appears whole or not at all.

    Raises:
        UsageError: the file exists already.
        EvidenceError: a blob is missing or was changed, or the file cannot be written.
    """
    if path.exists():
        raise UsageError(f"{str(path)!r} exists already", hint="choose another name; a backup is never replaced")
    whole, size = sha256(), 0

    def counted(pieces: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal size
        for piece in pieces:
            whole.update(piece)
            size += len(piece)
            yield piece

    with store.database.reading() as connection:
        manifest = _empty(connection)
        durable_write(path, counted(packed(_members(store, connection, manifest, path.parent))))
    return Backup(manifest=manifest, sha256=whole.hexdigest(), size_bytes=size)


def require_digest(path: Path, digest: str) -> None:
    """Accept a backup of exactly this SHA-256.

    Raises:
        Unreadable: the file cannot be read.
        SignatureRefused: it has another digest.
    """
    with _reading(path) as file:
        found = _measured(iter(lambda: file.read(READ_BYTES), b"")).sha256
    if found != digest.strip().lower():
        raise SignatureRefused(f"the backup {path.name!r} has digest {found[:16]}…; expected {digest[:16]}…")


def inspected(path: Path) -> Manifest:
    """Read a backup to its end and return what it holds.

    Raises:
        Unreadable: the file cannot be read.
        SignatureRefused: a byte was changed, a member is missing, added or twice there, or the end is missing.
    """
    parts: dict[str, Part] = {}
    kept: dict[str, bytes] = {}
    with _reading(path) as file:
        for member in unpacked(file):
            if SEAL in kept:
                raise SignatureRefused(f"the backup holds {member.name} after its end")
            if len(parts) > MOST_MEMBERS:
                raise SignatureRefused(f"the backup holds more than {MOST_MEMBERS} members")
            if member.name in parts or member.name in kept:
                raise SignatureRefused(f"the backup holds {member.name} twice")
            if member.name in (MANIFEST, SEAL):
                kept[member.name] = _whole(member)
            else:
                parts[member.name] = _measured(member.pieces)
    manifest = _manifest(kept)
    _compare(manifest.members, parts)
    return manifest


def restore(path: Path, database: Database, place: Place) -> Manifest:
    """Make the store of a backup again, in a database without a store; nothing appears in it before all was checked.

    Raises:
        Unreadable: the backup cannot be read.
        SignatureRefused: the backup is not exactly what was made.
        UsageError: the database has a store already.
        EvidenceError: the backup is of a newer release, or the store cannot be written.
    """
    manifest = inspected(path)
    _prepare(database, manifest.revision)
    with _reading(path) as file, database.writing() as connection:
        known = MetaData()
        known.reflect(connection, only=lambda name, _: name in tables.metadata.tables)
        for member in unpacked(file):
            if member.name in (MANIFEST, SEAL):
                continue
            checked = _verified(member, manifest.members[member.name])
            folder, _, name = member.name.partition("/")
            if folder == "blobs" and NAME.fullmatch(name):
                place.write(name, checked)
            elif folder == "tables" and name.removesuffix(".jsonl") in known.tables:
                table = known.tables[name.removesuffix(".jsonl")]
                if _insert(connection, table, checked, member.name) != manifest.rows.get(table.name):
                    raise SignatureRefused(f"{member.name} has another number of rows than the manifest says")
            else:
                raise SignatureRefused(f"the backup holds {member.name}, which has no place in a store")
    migrating.migrate(database)
    return manifest


def _empty(connection: Connection) -> Manifest:
    row = connection.execute(select(tables.store)).one()
    return Manifest(
        schema=SCHEMA,
        store=row.id,
        revision=migrating.NEWEST,
        key_id=row.key_id or "",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        rows={},
        members={},
    )


def _members(store: Store, connection: Connection, manifest: Manifest, folder: Path) -> Iterator[Member]:
    """Return the members in order, and enter each into the manifest as it goes by."""
    for row in rows_by(connection, tables.blobs, "object"):
        part = Part(sha256=row.stored_sha256, size_bytes=row.stored_bytes)
        name = f"blobs/{row.object}"
        if len(manifest.members) + len(tables.metadata.tables) >= MOST_MEMBERS:
            raise EvidenceError(f"the store has more than {MOST_MEMBERS} blobs, the most that one backup holds")
        manifest.members[name] = part
        stored = Member(name=name, size_bytes=row.stored_bytes, pieces=pieces_of(store.place, row.object))
        yield Member(name=name, size_bytes=row.stored_bytes, pieces=_verified(stored, part))
    for table in tables.metadata.sorted_tables:
        with tempfile.TemporaryFile(dir=folder) as file:
            manifest.rows[table.name] = _dump(connection, table, file)
            name, size = f"tables/{table.name}.jsonl", file.tell()
            file.seek(0)
            manifest.members[name] = _measured(iter(lambda: file.read(READ_BYTES), b""))
            file.seek(0)
            yield Member(name=name, size_bytes=size, pieces=iter(lambda: file.read(READ_BYTES), b""))
    text = json.dumps(encode(manifest), sort_keys=True).encode()
    yield Member(name=MANIFEST, size_bytes=len(text), pieces=[text])
    seal = sha256(text).hexdigest().encode()
    yield Member(name=SEAL, size_bytes=len(seal), pieces=[seal])


def _dump(connection: Connection, table: Table, file: BinaryIO) -> int:
    """Write every row as a line of JSON, in the order of the primary key; return how many."""
    query = select(table).order_by(*table.primary_key.columns)
    count = 0
    with connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}) as found:
        for row in found:
            file.write(json.dumps(dict(row._mapping)).encode() + b"\n")
            count += 1
    return count


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as err:
        raise Unreadable(f"cannot read the backup {str(path)!r}: {err.strerror}") from err


def _whole(member: Member) -> bytes:
    if member.size_bytes > LARGEST_MANIFEST_BYTES:
        raise SignatureRefused(
            f"{member.name} has {member.size_bytes} bytes; at most {LARGEST_MANIFEST_BYTES} are read"
        )
    return b"".join(member.pieces)


def _measured(pieces: Iterable[bytes]) -> Part:
    found, size = sha256(), 0
    for piece in pieces:
        found.update(piece)
        size += len(piece)
    return Part(sha256=found.hexdigest(), size_bytes=size)


def _verified(member: Member, part: Part) -> Iterator[bytes]:
    """Pass on the bytes of a member, and end with an error if they are not what its digest says."""
    found, size = sha256(), 0
    for piece in member.pieces:
        found.update(piece)
        size += len(piece)
        yield piece
    if (found.hexdigest(), size) != (part.sha256, part.size_bytes):
        raise SignatureRefused(f"{member.name} was changed: it does not have the digest it was stored with")


def _manifest(kept: dict[str, bytes]) -> Manifest:
    for name in (MANIFEST, SEAL):
        if name not in kept:
            raise SignatureRefused(f"the backup lacks {name}")
    if kept[SEAL] != sha256(kept[MANIFEST]).hexdigest().encode():
        raise SignatureRefused(f"{MANIFEST} was changed: it does not have the digest in {SEAL}")
    try:
        manifest = decode(Manifest, json.loads(kept[MANIFEST]), MANIFEST)
    except (ValueError, RecursionError, ConfigError) as err:
        raise SignatureRefused(f"{MANIFEST} is none: {err}") from err
    if manifest.schema != SCHEMA:
        raise SignatureRefused(f"the backup is of form {manifest.schema!r}; expected {SCHEMA}")
    return manifest


def _compare(wanted: dict[str, Part], found: dict[str, Part]) -> None:
    for name in wanted:
        if name not in found:
            raise SignatureRefused(f"the backup lacks {name}")
    for name, part in found.items():
        if name not in wanted:
            raise SignatureRefused(f"the backup holds {name}, which its manifest does not name")
        if part != wanted[name]:
            raise SignatureRefused(f"{name} was changed: it does not have the digest in {MANIFEST}")


def _prepare(database: Database, revision: str) -> None:
    """Make the tables as they were when the backup was made."""
    if revision not in migrating.REVISIONS:
        raise EvidenceError(
            f"the backup is of version {revision!r}, which this release does not know", hint="install a newer release"
        )
    found = migrating.version(database)
    if found is None:
        migrating.migrate(database, to=revision)
        return
    if found != revision:
        raise UsageError(f"there are tables of version {found} in {database.shown}", hint="restore into a new database")
    with database.reading() as connection:
        if connection.execute(select(func.count()).select_from(tables.store)).scalar_one():
            raise UsageError(f"there is a store in {database.shown} already", hint="restore into a new database")


def _insert(connection: Connection, table: Table, pieces: Iterable[bytes], what: str) -> int:
    """Insert the rows of a table; return how many there were."""
    columns, rows, count, size = {column.name for column in table.columns}, [], 0, 0
    for line in _lines(pieces, what):
        rows.append(_row(line, columns, what))
        count += 1
        size += len(line)
        if len(rows) == _ROWS_AT_ONCE or size > _BYTES_AT_ONCE:
            connection.execute(insert(table), rows)
            rows, size = [], 0
    if rows:
        connection.execute(insert(table), rows)
    return count


def _row(line: bytes, columns: set[str], what: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or set(row) != columns or not all(map(_storable, row.values())):
        raise SignatureRefused(f"{what} holds a line that is no row of its table")
    return row


def _storable(value: object) -> bool:
    """Tell whether both databases take a value: nothing, a whole number of 64 bits, or text that they can hold."""
    if isinstance(value, str):
        return "\0" not in value and value == value.encode("utf-8", "replace").decode()
    return value is None or (type(value) is int and -(1 << 63) <= value < 1 << 63)


def _lines(pieces: Iterable[bytes], what: str) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > LARGEST_ROW_BYTES:
            raise SignatureRefused(f"{what} holds a line of more than {LARGEST_ROW_BYTES} bytes")
    if rest:
        raise SignatureRefused(f"{what} does not end with a line")
