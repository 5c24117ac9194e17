"""The tables as SQLAlchemy Core knows them; only text and whole numbers, so that rows travel between databases.

Times are microseconds since 1970 in UTC. A blob is known by its *name*: the SHA-256 of its content in a plain store,
and in an encrypted store an HMAC of that digest, so that the database does not tell which contents it holds. Its
*object* is the name of its bytes in the place of blobs; ``stored_sha256`` is the digest of those bytes as they lie
there, and ``wrapped_key`` the data key under the key ``key_id``.

``store`` has one row: the store's random name, the key that wraps now, and the wrapped key of the HMAC. The keys of a
statement are what its envelope claims and prove nothing by themselves.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table, Text

metadata = MetaData()

store = Table(
    "store",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("key_id", Text),
    Column("names_key", Text),
)

blobs = Table(
    "blobs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("object", Text, nullable=False, unique=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("stored_sha256", Text, nullable=False),
    Column("key_id", Text, index=True),
    Column("wrapped_key", Text),
    Column("added_us", BigInteger, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("report", Text, ForeignKey("blobs.name"), nullable=False, unique=True),
    Column("subject", Text, nullable=False, index=True),
    Column("subject_sha256", Text, nullable=False, index=True),
    Column("verdict", Text, nullable=False),
    Column("gate", BigInteger, nullable=False),
    Column("n_findings", BigInteger, nullable=False),
    Column("tool", Text, nullable=False),
    Column("started_us", BigInteger, nullable=False, index=True),
    Column("added_us", BigInteger, nullable=False),
)

run_evidence = Table(
    "run_evidence",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    Column("blob", Text, ForeignKey("blobs.name"), primary_key=True),
)

findings = Table(
    "findings",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("rule", Text, nullable=False),
    Column("threat", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("found_us", BigInteger, nullable=False),
    Index("findings_by_rule", "rule", "found_us"),
    Index("findings_by_severity", "severity", "found_us"),
    Index("findings_by_subject", "subject", "found_us"),
    Index("findings_by_fingerprint", "fingerprint", "found_us"),
)

statements = Table(
    "statements",
    metadata,
    Column("id", Text, primary_key=True),
    Column("envelope", Text, ForeignKey("blobs.name"), nullable=False, unique=True),
    Column("predicate_type", Text, nullable=False, index=True),
    Column("added_us", BigInteger, nullable=False, index=True),
)

statement_subjects = Table(
    "statement_subjects",
    metadata,
    Column("statement", Text, ForeignKey("statements.id"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("algorithm", Text, primary_key=True),
    Column("digest", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
)

statement_keys = Table(
    "statement_keys",
    metadata,
    Column("statement", Text, ForeignKey("statements.id"), primary_key=True),
    Column("key_id", Text, primary_key=True, index=True),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root_sha256", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("added_us", BigInteger, nullable=False),
)
