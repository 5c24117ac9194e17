"""Tables of the limiter: budgets by hour, and who is slowed down."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Table, Text

from redan.service.database import metadata

rows_asked = Table(
    "rows_asked",
    metadata,
    Column("client", Text, primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("replica", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
)
throttled = Table(
    "throttled",
    metadata,
    Column("client", Text, primary_key=True),
    Column("rate_per_s", Float, nullable=False),
    Column("until_s", Float, nullable=False),
)
