"""The service's own database: identities, incidents, index of the audit log.

It is a SQLite file, or one PostgreSQL for all replicas. Every room keeps its tables in its own ``tables.py``
on the one `metadata` here and is named in `_ROOMS`. Calls block: from the event loop go through ``asyncio.to_thread``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, insert, select, update
from sqlalchemy import inspect as inspection

from redan.core.errors import EvidenceError
from redan.evidence.store.database import Database, connect

VERSION = 2
_GROWN_FROM = 1
"""A database of this version lacks tables alone (``login_attempts``), which are made."""
metadata = MetaData()
_ROOMS = ("guards", "identity", "models", "audit", "incidents", "monitoring", "watching", "identity.login")

about = Table("service", metadata, Column("key", Text, primary_key=True), Column("value", BigInteger, nullable=False))


def open_database(url: str, *, root: Path) -> Database:
    """Open the database, and make its tables where there are none.

    Args:
        url: path of a SQLite file, made when missing, or a postgresql:// URL.
        root: folder that a relative path starts from.

    Raises:
        ConfigError: neither of these.
        Unreadable: the file cannot be made.
        EvidenceError: the database does not answer, or is of another version.
    """
    for room in _ROOMS:
        import_module(f"redan.service.{room}.tables")
    database = connect(url, root=root, create=True)
    with database.writing() as connection:
        if not database.is_sqlite:
            # two replicas may start at once: one makes the tables, the other waits and finds them
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7265646)")
        if not inspection(connection).has_table(about.name):
            metadata.create_all(connection)
            connection.execute(insert(about).values(key="version", value=VERSION))
        found = connection.execute(select(about.c.value).where(about.c.key == "version")).scalar_one_or_none()
        if found == _GROWN_FROM:
            metadata.create_all(connection)
            connection.execute(update(about).where(about.c.key == "version").values(value=VERSION))
            found = VERSION
    if found != VERSION:
        database.close()
        raise EvidenceError(
            f"the service's database {database.shown} is of version {found}; this Redan writes {VERSION}",
            hint="use the release that made it, or a new database",
        )
    return database
