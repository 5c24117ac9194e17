"""Tables of models: which version is live by decision, what was taken out of service; all replicas follow them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from redan.service.database import metadata

turns = Table(
    "model_turns",
    metadata,
    Column("name", Text, primary_key=True),
    Column("configured", Text, nullable=False),  # version that redan.toml called live when this was decided
    Column("versions", Text, nullable=False),  # JSON list of versions that were live, the newest last
    Column("standby", Text, nullable=False),  # JSON list of versions that lost their place and wait
    Column("turn", BigInteger, nullable=False),  # counts decisions, so that two at once do not both succeed
    Column("since_us", BigInteger, nullable=False),
)

quarantined = Table(
    "model_quarantines",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
)

secrets = Table(
    "model_secrets",
    metadata,
    Column("name", Text, primary_key=True),  # of the one row
    Column("key", LargeBinary, nullable=False),  # places clients among canaries, the same on every replica
)
