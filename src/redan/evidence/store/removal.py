"""Taking blobs out of a store for good: those that no run and no statement needs any more."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, exists, select

from redan.evidence.store import tables
from redan.evidence.store.opening import Store


def remove(store: Store, digests: Iterable[str]) -> int:
    """Remove blobs by the SHA-256 of their content; return how many are gone.

    The row goes first, and with it the wrapped key, so that what a crash leaves of an encrypted blob can never be read.
    One that a run, its evidence or a statement names stays, and so does one that is not there.

    Raises:
        EvidenceError: the store is encrypted and no key is at hand, or it cannot be written.
    """
    gone = 0
    for digest in dict.fromkeys(digests):
        name = store.name(digest)
        blobs = tables.blobs
        needed = (
            exists().where(tables.runs.c.report == name),
            exists().where(tables.run_evidence.c.blob == name),
            exists().where(tables.statements.c.envelope == name),
        )
        with store.database.writing() as connection:
            row = connection.execute(select(blobs.c.object).where(blobs.c.name == name, *(~n for n in needed))).scalar()
            if row is not None:
                connection.execute(delete(blobs).where(blobs.c.name == name))
        if row is not None:
            store.place.remove(row)
            gone += 1
    return gone
