"""A new key-encryption key for a store: every data key is wrapped again, no blob is touched.

First the store itself turns to the new key, in one row, so that whoever writes from then on wraps under it. Then the
rows follow in batches, each batch a transaction. Whatever is committed can be read with one of the two keys at every
moment; when nothing is left under another key, the old key may be destroyed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from redan.core.errors import UsageError
from redan.evidence.encryption.wrapping import KeyEncryptionKey, holder
from redan.evidence.store import tables
from redan.evidence.store.opening import Store, names_context, refused_key, wrap_context

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did.

    Attributes:
        key_id: the key that wraps now.
        n_wrapped: data keys that were wrapped again.
    """

    key_id: str
    n_wrapped: int


def rotate(
    store: Store, new: KeyEncryptionKey, *, told: Callable[[int], None] = lambda done: None, batch: int = BATCH
) -> Rotated:
    """Wrap everything under another key; a rotation that was broken off is finished by the same call.

    Args:
        store: opened with every key that still wraps something in it.
        new: the key that shall wrap from now on.
        told: is told after each batch how many data keys were wrapped again.
        batch: data keys in one transaction.

    Raises:
        UsageError: the store is not encrypted.
        EvidenceError: a key that wraps something is not at hand.
        SignatureRefused: a wrapped key was changed.
    """
    if not store.encrypted:
        raise UsageError("the store is not encrypted, so it has no key to rotate", hint="redan store init --key …")
    keys = (*store.keys, new)
    _turn(store, keys, new)
    done = 0
    while wrapped := _wrap_batch(store, keys, new, batch):
        done += wrapped
        told(done)
    return Rotated(key_id=new.key_id, n_wrapped=done)


def under_other_keys(store: Store, key_id: str) -> int:
    """Return how many data keys are wrapped under another key than this."""
    blobs = tables.blobs
    query = select(func.count()).select_from(blobs).where(blobs.c.key_id.is_distinct_from(key_id))
    with store.database.reading() as connection:
        return connection.execute(query).scalar_one()


def _turn(store: Store, keys: tuple[KeyEncryptionKey, ...], new: KeyEncryptionKey) -> None:
    """Make the new key the one that wraps."""
    table = tables.store
    with store.database.writing() as connection:
        row = connection.execute(select(table).with_for_update()).one()
        if row.key_id == new.key_id:
            return
        names_key = holder(keys, row.key_id).unwrap(row.names_key, names_context(row.id))
        wrapped = new.wrap(names_key, names_context(row.id))
        connection.execute(update(table).values(key_id=new.key_id, names_key=wrapped))


def _wrap_batch(store: Store, keys: tuple[KeyEncryptionKey, ...], new: KeyEncryptionKey, batch: int) -> int:
    blobs = tables.blobs
    query = select(blobs.c.name, blobs.c.object, blobs.c.key_id, blobs.c.wrapped_key)
    query = query.where(blobs.c.key_id.is_distinct_from(new.key_id)).order_by(blobs.c.name).limit(batch)
    with store.database.reading() as connection:
        rows = connection.execute(query).all()
    wrapped = []
    for row in rows:
        if row.key_id is None or row.wrapped_key is None:
            raise refused_key(row.name)
        data_key = holder(keys, row.key_id).unwrap(row.wrapped_key, wrap_context(row.object))
        wrapped.append((row.name, row.key_id, new.wrap(data_key, wrap_context(row.object))))
    with store.database.writing() as connection:
        for name, before, text in wrapped:
            _replace(connection, name, before, new.key_id, text)
    return len(wrapped)


def _replace(connection: Connection, name: str, before: str, key_id: str, wrapped_key: str) -> None:
    """Write the new wrapping of one data key, unless another rotation did so meanwhile."""
    blobs = tables.blobs
    where = (blobs.c.name == name, blobs.c.key_id == before)
    connection.execute(update(blobs).where(*where).values(key_id=key_id, wrapped_key=wrapped_key))
