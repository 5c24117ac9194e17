"""Statements: signed envelopes as blobs, found again by subject digest, predicate type, key and time.

The store checks that an envelope holds an in-toto statement, not who signed it: whoever acts on a statement verifies
its signature first, with keys of their own choosing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from redan.core.errors import UnknownName, Unreadable
from redan.evidence.dsse import IN_TOTO, Envelope, from_json
from redan.evidence.store import tables
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.clear import now_us, searchable
from redan.evidence.store.database import insert_new
from redan.evidence.store.opening import Store
from redan.evidence.store.runs import ID_DIGITS, Added

STATEMENT = "https://in-toto.io/Statement/v1"
MOST_SUBJECTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """What the database knows of a statement; ``added_us`` in microseconds since 1970, UTC."""

    id: str
    envelope: str
    predicate_type: str
    added_us: int


def add(store: Store, data: bytes) -> Added:
    """Keep a DSSE envelope, its bytes as they are.

    Raises:
        Unreadable: the bytes are no envelope around an in-toto statement.
        EvidenceError: the store cannot be written.
    """
    predicate_type, subjects, keys = described(data)
    name = store.name(StoreBlobs(store).put_bytes(data))
    row = {
        "id": name[:ID_DIGITS],
        "envelope": name,
        "predicate_type": predicate_type,
        "added_us": now_us(),
    }
    with store.database.writing() as connection:
        new = bool(insert_new(connection, tables.statements, [row]))
        if new:
            insert_new(connection, tables.statement_subjects, [{"statement": row["id"], **s} for s in subjects])
            insert_new(connection, tables.statement_keys, [{"statement": row["id"], "key_id": k} for k in keys])
    return Added(id=name[:ID_DIGITS], new=new)


def search(
    store: Store,
    *,
    digest: str | None = None,
    predicate_type: str | None = None,
    key_id: str | None = None,
    since_us: int | None = None,
    limit: int = 100,
) -> list[StatementRow]:
    """Return statements, the newest first.

    Args:
        store: where.
        digest: about the subject with this digest, hexadecimal.
        predicate_type: of this type only.
        key_id: whose envelope names this key; a hint until the signature is verified.
        since_us: added at or after this time.
        limit: the most to return.
    """
    table = tables.statements
    query = select(table).order_by(table.c.added_us.desc(), table.c.id).limit(limit)
    if digest is not None:
        subjects = tables.statement_subjects
        query = query.where(table.c.id.in_(_of(subjects, "digest", digest.lower())))
    if predicate_type is not None:
        query = query.where(table.c.predicate_type == searchable(predicate_type))
    if key_id is not None:
        query = query.where(table.c.id.in_(_of(tables.statement_keys, "key_id", key_id)))
    if since_us is not None:
        query = query.where(table.c.added_us >= since_us)
    with store.database.reading() as connection:
        return [StatementRow(**row._mapping) for row in connection.execute(query)]


def envelope(store: Store, statement: str) -> Envelope:
    """Return the envelope of a statement by its id.

    Raises:
        UnknownName: there is no such statement.
        EvidenceError: its bytes are missing or were changed.
    """
    table = tables.statements
    with store.database.reading() as connection:
        name = connection.execute(select(table.c.envelope).where(table.c.id == searchable(statement))).scalar()
    if name is None:
        raise UnknownName(f"the store has no statement {statement!r}", hint="redan store list statements")
    return from_json(StoreBlobs(store).get_named(name))


def described(data: bytes) -> tuple[str, list[dict[str, Any]], list[str]]:
    """Return what the database holds of an envelope: predicate type, a row for each digest, the claimed keys in order.

    Raises:
        Unreadable: the bytes are no envelope around an in-toto statement.
    """
    found = from_json(data)
    statement = _statement(found)
    keys = sorted({searchable(signature.key_id) for signature in found.signatures})
    return searchable(statement["predicateType"]), list(_subject_rows(statement)), keys


def _subject_rows(statement: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for position, subject in enumerate(statement["subject"]):
        for algorithm, digest in sorted(subject["digest"].items()):
            yield {
                "position": position,
                "algorithm": searchable(algorithm),
                "digest": searchable(digest).lower(),
                "name": searchable(str(subject.get("name", ""))),
            }


def _of(table: Any, column: str, value: str) -> Select[Any]:
    return select(table.c.statement).where(table.c[column] == searchable(value))


def _statement(envelope: Envelope) -> dict[str, Any]:
    """Read the payload as far as the database needs it."""
    try:
        document = json.loads(envelope.payload)
    except (ValueError, RecursionError) as err:
        raise Unreadable(f"the envelope's payload is no JSON: {err}") from err
    if envelope.payload_type != IN_TOTO or not isinstance(document, dict) or document.get("_type") != STATEMENT:
        raise Unreadable(f"the envelope holds no in-toto statement; expected one of type {STATEMENT}")
    subjects = document.get("subject")
    if not isinstance(document.get("predicateType"), str) or not isinstance(subjects, list) or not subjects:
        raise Unreadable("the in-toto statement lacks its subject or predicateType")
    if len(subjects) > MOST_SUBJECTS:
        raise Unreadable(f"the statement has {len(subjects)} subjects; at most {MOST_SUBJECTS} are kept")
    for subject in subjects:
        digests = subject.get("digest") if isinstance(subject, dict) else None
        if not isinstance(digests, dict) or not all(isinstance(text, str) for text in digests.values()):
            raise Unreadable("a subject of the in-toto statement has no digests")
    return document
