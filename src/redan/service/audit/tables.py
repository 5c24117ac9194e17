"""Tables of audit: the searchable index of the logs, which can be made again from them at any time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from redan.service.database import metadata

sources = Table(
    "audit_sources",
    metadata,
    Column("replica", Text, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("pruned", BigInteger, nullable=False),
)
"""How far each replica's log is indexed."""

records = Table(
    "audit_records",
    metadata,
    Column("replica", Text, primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("t_us", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("addr", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Index("audit_records_when", "t_us"),
    Index("audit_records_who", "who", "t_us"),
    sqlite_with_rowid=False,
)
"""One row for each record whose text the log still holds; ``entry`` is that text."""

answers = Table(
    "audit_answers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("replica", Text, nullable=False),
    Column("index", BigInteger, nullable=False),
    Index("audit_answers_record", "replica", "index"),
    sqlite_with_rowid=False,
)
"""Where the record of an answered request stands, by the request's identifier; only where labels are kept."""
