"""Tables of watching: whose truth was told, so that a restart lets nobody tell it twice."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from redan.service.database import metadata

told = Table(
    "watch_told",
    metadata,
    Column("id", Text, primary_key=True),
    Column("t_us", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""Requests whose truths were counted, with the time of the request; older ones than truths may be are forgotten."""
