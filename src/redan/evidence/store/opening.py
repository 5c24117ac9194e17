"""Making and opening a store: database, place of blobs and keys become one value that everything else is given."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sqlalchemy import func, insert, select

from redan.core.errors import EvidenceError, SignatureRefused, UsageError
from redan.evidence.encryption.sources import key_from
from redan.evidence.encryption.stream import new_key
from redan.evidence.encryption.wrapping import KeyEncryptionKey, holder
from redan.evidence.places import Place, place_of
from redan.evidence.store import migrating, tables
from redan.evidence.store.clear import now_us
from redan.evidence.store.database import Database, connect


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Store:
    """An open store.

    Attributes:
        id: its random name.
        database: where rows lie.
        place: where blobs lie.
        keys: key-encryption keys at hand; which of them wraps is written in the database.
        encrypted: whether blobs are encrypted.
        names_key: key of the HMAC that names blobs; None in a plain store, or when no key at hand opens it.
    """

    id: str
    database: Database
    place: Place
    keys: tuple[KeyEncryptionKey, ...]
    encrypted: bool
    names_key: bytes | None

    def name(self, digest: str) -> str:
        """Return the name of the blob with this SHA-256 digest.

        Raises:
            EvidenceError: the store is encrypted and none of its keys is at hand.
        """
        if len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest):
            raise EvidenceError(f"{digest[:80]!r} is no SHA-256 digest")
        if not self.encrypted:
            return digest
        if self.names_key is None:
            holder(self.keys, self.key_id() or "")
            raise EvidenceError("the store was encrypted after it was opened", hint="open it again")
        return hmac.new(self.names_key, bytes.fromhex(digest), sha256).hexdigest()

    def key_id(self) -> str | None:
        """Return the name of the key that wraps now, None in a plain store."""
        with self.database.reading() as connection:
            found: str | None = connection.execute(select(tables.store.c.key_id)).scalar_one()
        return found

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_store(*, url: str, blobs: str, keys: Sequence[str] = (), root: Path) -> Store:
    """Open an existing store.

    Args:
        url: path of a SQLite file, or a postgresql:// URL.
        blobs: folder, or a URL of fsspec.
        keys: where its keys come from (`redan.evidence.encryption.sources.FORMS`); none is needed to list.
        root: folder that relative paths start from.

    Raises:
        EvidenceError: there is no store there, or it is of another version.
        ConfigError: one of the words does not fit.
        Unreadable: a file or key is not there.
    """
    held = tuple(key_from(source, root=root) for source in keys)
    return opened(connect(url, root=root), place_of(blobs, root=root), held)


def opened(database: Database, place: Place, keys: Sequence[KeyEncryptionKey]) -> Store:
    """Open the store in a database.

    Raises:
        EvidenceError: there is none, or it is of another version.
        SignatureRefused: a key has the right name and does not fit.
    """
    migrating.require_newest(database)
    with database.reading() as connection:
        row = connection.execute(select(tables.store)).one_or_none()
    if row is None:
        raise EvidenceError(f"the store in {database.shown} was never finished", hint="redan store init, or restore")
    fitting = next((key for key in keys if row.key_id is not None and key.knows(row.key_id)), None)
    return Store(
        id=row.id,
        database=database,
        place=place,
        keys=tuple(keys),
        encrypted=row.key_id is not None,
        names_key=fitting.unwrap(row.names_key, names_context(row.id)) if fitting else None,
    )


def create_store(*, url: str, blobs: str, keys: Sequence[str] = (), root: Path) -> Store:
    """Make a new store; the first key wraps, and without one the store is plain for ever.

    Args:
        url: path of a SQLite file that is made, or URL of an existing PostgreSQL database.
        blobs: folder, or a URL of fsspec.
        keys: where its keys come from.
        root: folder that relative paths start from.

    Raises:
        UsageError: there is a store already.
        ConfigError: one of the words does not fit.
        Unreadable: a key is not there, or the file cannot be made.
    """
    held = tuple(key_from(source, root=root) for source in keys)
    place = place_of(blobs, root=root)
    return created(connect(url, root=root, create=True), place, held)


def created(database: Database, place: Place, keys: Sequence[KeyEncryptionKey]) -> Store:
    """Make a store in a database that has none.

    Raises:
        UsageError: there is one already.
    """
    migrating.migrate(database)
    name = secrets.token_hex(16)
    wrapping = keys[0] if keys else None
    names_key = wrapping.wrap(new_key(), names_context(name)) if wrapping else None
    with database.writing() as connection:
        if connection.execute(select(func.count()).select_from(tables.store)).scalar_one():
            raise UsageError(f"there is a store in {database.shown} already", hint="redan store list")
        key_id = wrapping.key_id if wrapping else None
        row = {"id": name, "created_us": now_us(), "key_id": key_id, "names_key": names_key}
        connection.execute(insert(tables.store).values(row))
    return opened(database, place, keys)


def names_context(store_id: str) -> str:
    """Return what the wrapped key of the names is bound to."""
    return f"redan/1 names of {store_id}"


def wrap_context(name_of_object: str) -> str:
    """Return what a wrapped data key is bound to."""
    return f"redan/1 object {name_of_object}"


def refused_key(found: str) -> SignatureRefused:
    """Say that a row names no key although the store is encrypted."""
    return SignatureRefused(f"the blob {found[:12]}… has no key although the store is encrypted; its row was changed")
