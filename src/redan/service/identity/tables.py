"""Tables of identity: who there is, what roles they have, their keys and tokens, and what changed.

Secrets stand here as SHA-256 digests alone. Times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Table, Text

from redan.service.database import metadata


def _time(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


subjects = Table(
    "identity_subjects",
    metadata,
    _text("id", key=True),  # user:NAME or client:NAME
    _text("title"),
    Column("disabled", Boolean, nullable=False),
    _time("created_us"),
    _text("created_by"),
    _time("used_us", nullable=True),
    _time("tokens_from_us"),  # tokens and sessions from before are void
)

assignments = Table(
    "identity_assignments",
    metadata,
    Column("subject", Text, ForeignKey(subjects.c.id), primary_key=True),
    _text("role", key=True),
    _text("model", key=True),  # a model's name, or *
    _time("since_us"),
    _text("by"),
)

keys = Table(
    "identity_keys",
    metadata,
    _text("id", key=True),
    Column("subject", Text, ForeignKey(subjects.c.id), nullable=False),
    _text("digest"),  # SHA-256 of the secret, hexadecimal
    _text("title"),
    Column("scope", Text),  # as `redan.service.identity.scopes` writes it; NULL: whatever its owner may do
    _time("created_us"),
    _text("created_by"),
    _time("expires_us"),
    _time("revoked_us", nullable=True),
    _time("used_us", nullable=True),
    Index("identity_keys_subject", "subject"),
)

token_keys = Table(
    "identity_token_keys",
    metadata,
    _text("kid", key=True),
    _text("public"),  # 32 bytes of Ed25519, hexadecimal
    _time("since_us"),
    _time("until_us", nullable=True),
)

void_tokens = Table("identity_void_tokens", metadata, _text("jti", key=True), _time("until_us"))
spent_tokens = Table("identity_spent_tokens", metadata, _text("jti", key=True), _time("until_us"))

reviews = Table(
    "identity_reviews",
    metadata,
    _text("id", key=True),
    _time("t_us"),
    _text("by"),
    _text("subject"),
    _text("role"),
    _text("model"),
    _text("decision"),
    _text("note"),
)

counters = Table("identity_counters", metadata, _text("name", key=True), Column("value", BigInteger, nullable=False))
changes = Table(
    "identity_changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _text("what"),  # a subject's id, key:ID, token:JTI, or token-keys
)
