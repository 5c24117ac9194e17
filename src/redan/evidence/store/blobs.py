"""Blobs of a store: kept once, encrypted under their own key where the store has keys, checked on every read.

The bytes are written first and their row after them, so that every row has its bytes; a crash in between leaves bytes
that no row names, and that nobody can read where they are encrypted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from redan.core.errors import EvidenceError, Unreadable
from redan.core.finding import Evidence
from redan.evidence.blobs import decoded
from redan.evidence.encryption.stream import new_key, opened, sealed
from redan.evidence.encryption.wrapping import holder
from redan.evidence.places import READ_BYTES, pieces_of
from redan.evidence.store import tables
from redan.evidence.store.clear import now_us
from redan.evidence.store.database import insert_new
from redan.evidence.store.opening import Store, refused_key, wrap_context

_TRIES = 8


@dataclass(slots=True, eq=False, repr=False)
class _Measured:
    """Bytes on their way, counted and hashed."""

    pieces: Iterable[bytes]
    size_bytes: int = 0
    hash: Any = field(default_factory=sha256)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.size_bytes += len(piece)
            self.hash.update(piece)
            yield piece


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StoreBlobs:
    """The blobs of a store, by the SHA-256 of their content; fulfils `redan.core.report.Blobs`."""

    store: Store

    def put(self, evidence: Evidence) -> None:
        """Keep the payload of a piece of evidence.

        Raises:
            EvidenceError: it cannot be written, or is not what its digest says.
        """
        payload = evidence.payload
        if payload is not None:
            self._keep(evidence.sha256, lambda: [payload])

    def put_bytes(self, data: bytes) -> str:
        """Keep bytes and return their digest."""
        digest = sha256(data).hexdigest()
        self._keep(digest, lambda: [data])
        return digest

    def put_file(self, path: Path) -> str:
        """Keep a file of any size and return its digest; it is read twice, a piece at a time.

        Raises:
            Unreadable: the file cannot be read.
            EvidenceError: it changed between the two readings, or cannot be written.
        """
        try:
            digest = _last_hash(_pieces(path))
            self._keep(digest, lambda: _pieces(path))
        except OSError as err:
            raise Unreadable(f"cannot read {str(path)!r}: {err.strerror}") from err
        return digest

    def holds(self, sha256: str) -> bool:
        """Tell whether a blob of that digest is in the store."""
        return self._row(self.store.name(sha256)) is not None

    def get(self, sha256: str) -> bytes:
        """Return the bytes of that digest, checked against it.

        Raises:
            EvidenceError: missing or changed.
        """
        return b"".join(self.stream(sha256))

    def stream(self, sha256: str) -> Iterator[bytes]:
        """Return the bytes of that digest piece by piece, decrypted in memory only.

        Nothing may be concluded from a part: only the end of the iterator says that all of it fits the digest.

        Raises:
            EvidenceError: missing or changed.
        """
        yield from self._stream(self.store.name(sha256), f"evidence {sha256[:12]}…")

    def get_named(self, name: str) -> bytes:
        """Return the bytes of the blob with that name in the database, checked against it.

        Raises:
            EvidenceError: missing or changed.
        """
        return b"".join(self._stream(name, f"the blob {name[:12]}…"))

    def _stream(self, name: str, what: str) -> Iterator[bytes]:
        row = self._row(name)
        if row is None:
            raise EvidenceError(f"{what} is not in the store")
        measured = _Measured(plain_pieces(self.store, row))
        for piece in measured:
            if measured.size_bytes > row.size_bytes:
                break
            yield piece
        if measured.size_bytes != row.size_bytes or self.store.name(measured.hash.hexdigest()) != name:
            raise EvidenceError(f"{what} was changed after it was stored", hint="restore the store from a backup")

    def decode(self, evidence: Evidence) -> Any:
        """Return the evidence as the tensor, array, text or bytes it stands for."""
        return decoded(evidence, self.get(evidence.sha256))

    def _row(self, name: str) -> Row[Any] | None:
        with self.store.database.reading() as connection:
            return connection.execute(select(tables.blobs).where(tables.blobs.c.name == name)).one_or_none()

    def _keep(self, digest: str, pieces: Callable[[], Iterable[bytes]]) -> None:
        name = self.store.name(digest)
        if self._row(name) is not None:
            return
        if self.store.encrypted:
            self._keep_encrypted(name, digest, pieces())
            return
        stored = _object(digest)
        measured = _checked(_Measured(pieces()), digest)
        self.store.place.write(stored, measured[1])
        size = measured[0].size_bytes
        self._record(_row_of(name, stored, size, size, digest))

    def _keep_encrypted(self, name: str, digest: str, pieces: Iterable[bytes]) -> None:
        stored, data_key = _object(secrets.token_hex(16)), new_key()
        plain, checked = _checked(_Measured(pieces), digest)
        cipher = _Measured(sealed(checked, data_key, context=stored.encode()))
        self.store.place.write(stored, cipher)
        row = _row_of(name, stored, plain.size_bytes, cipher.size_bytes, cipher.hash.hexdigest())
        for _ in range(_TRIES):
            key_id = self.store.key_id() or ""
            key = holder(self.store.keys, key_id)
            # the key's own name says more than the store's where a key has versions
            row |= {"key_id": key.key_id, "wrapped_key": key.wrap(data_key, wrap_context(stored))}
            outcome = self._record(row, while_key_is=key_id)
            if outcome == "kept":
                return
            if outcome == "there already":
                self.store.place.remove(stored)
                return
        raise EvidenceError("the store's key changed again and again while a blob was written", hint="try once more")

    def _record(self, row: dict[str, Any], *, while_key_is: str | None = None) -> str:
        """Insert the row of a blob, unless the store has come to wrap under another key since."""
        with self.store.database.writing() as connection:
            # the shared lock lets writers through side by side and makes a rotation wait for them
            current = connection.execute(select(tables.store.c.key_id).with_for_update(read=True)).scalar_one()
            if current != while_key_is:
                return "key changed"
            return "kept" if insert_new(connection, tables.blobs, [row]) else "there already"


def plain_pieces(store: Store, row: Row[Any]) -> Iterator[bytes]:
    """Return the content of a blob piece by piece; its digest is for the caller to check.

    Raises:
        SignatureRefused: the encrypted bytes or their key were changed.
        EvidenceError: the bytes are missing, or the key is not at hand.
    """
    if not store.encrypted:
        yield from pieces_of(store.place, row.object)
        return
    if row.key_id is None or row.wrapped_key is None:
        raise refused_key(row.name)
    data_key = holder(store.keys, row.key_id).unwrap(row.wrapped_key, wrap_context(row.object))
    try:
        with store.place.open(row.object) as file:
            yield from opened(file, data_key, context=row.object.encode())
    except OSError as err:
        raise EvidenceError(f"the stored object {row.object} cannot be read: {err}") from err


def _row_of(name: str, stored: str, size_bytes: int, stored_bytes: int, stored_sha256: str) -> dict[str, Any]:
    return {
        "name": name,
        "object": stored,
        "size_bytes": size_bytes,
        "stored_bytes": stored_bytes,
        "stored_sha256": stored_sha256,
        "key_id": None,
        "wrapped_key": None,
        "added_us": now_us(),
    }


def _checked(measured: _Measured, digest: str) -> tuple[_Measured, Iterator[bytes]]:
    """Return pieces that end with an error when they are not what the digest says, so that nothing wrong is kept."""

    def pieces() -> Iterator[bytes]:
        yield from measured
        found = measured.hash.hexdigest()
        if found != digest:
            raise EvidenceError(f"the bytes to keep have digest {found[:12]}…; expected {digest[:12]}…")

    return measured, pieces()


def _object(name: str) -> str:
    return f"{name[:2]}/{name[2:]}"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(READ_BYTES), b"")


def _last_hash(pieces: Iterable[bytes]) -> str:
    found = sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()
