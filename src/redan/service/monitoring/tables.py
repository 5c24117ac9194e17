"""Tables of monitoring: which replica tells people of a finding, so that the others do not."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from redan.service.database import metadata

claims = Table(
    "alert_claims",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("severity", BigInteger, primary_key=True, autoincrement=False),
    Column("replica", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False, index=True),
    Column("tried_us", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""One row for each alert that a replica sends or has sent; an old one counts no more."""
