"""Tables of login. Times are seconds since the epoch; a secret is stored hashed, or sealed where it must be used."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, LargeBinary, Table, Text, UniqueConstraint

from redan.service.database import metadata

passwords = Table(
    "login_passwords",
    metadata,
    Column("person", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("changed_s", Float, nullable=False),
)

sessions = Table(
    "login_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("person", Text, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("proved_s", Float, nullable=False),
    Column("mfa_s", Float),
    Column("created_s", Float, nullable=False),
    Column("seen_s", Float, nullable=False),
    Column("ends_s", Float, nullable=False, index=True),
    Column("tries", BigInteger, nullable=False),
    Column("addr", Text, nullable=False),
    Column("agent", Text, nullable=False),
)

totps = Table(
    "login_totps",
    metadata,
    Column("person", Text, primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("last_step", BigInteger, nullable=False),
)

attempts = Table(
    "login_attempts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("failures", BigInteger, nullable=False),
    Column("last_s", Float, nullable=False),
    Column("until_s", Float, nullable=False),
)

places = Table(
    "login_places",
    metadata,
    Column("place", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("used_s", Float, nullable=False),
)

recovery_codes = Table(
    "login_recovery_codes",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("used_s", Float),
)

passkeys = Table(
    "login_passkeys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("handle", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("used_s", Float),
)

links = Table(
    "login_links",
    metadata,
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("person", Text, nullable=False, index=True),
    Column("created_s", Float, nullable=False),
    UniqueConstraint("issuer", "subject"),
)

spent = Table(
    "login_spent",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("until_s", Float, nullable=False, index=True),
)

data_keys = Table(
    "login_data_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("wrapped", Text, nullable=False),
)
