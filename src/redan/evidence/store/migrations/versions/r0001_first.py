"""Runs with their findings and evidence, blobs, statements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def upgrade() -> None:
    """Make the first tables."""
    _store_and_blobs()
    _runs()
    _statements()


def _store_and_blobs() -> None:
    op.create_table(
        "store",
        _text("id"),
        _number("created_us"),
        _text("key_id", nullable=True),
        _text("names_key", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "blobs",
        _text("name"),
        _text("object"),
        _number("size_bytes"),
        _number("stored_bytes"),
        _text("stored_sha256"),
        _text("key_id", nullable=True),
        _text("wrapped_key", nullable=True),
        _number("added_us"),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("object"),
    )
    op.create_index("ix_blobs_key_id", "blobs", ["key_id"])


def _runs() -> None:
    op.create_table(
        "runs",
        _text("id"),
        _text("report"),
        _text("subject"),
        _text("subject_sha256"),
        _text("verdict"),
        _number("gate"),
        _number("n_findings"),
        _text("tool"),
        _number("started_us"),
        _number("added_us"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("report"),
        sa.ForeignKeyConstraint(["report"], ["blobs.name"]),
    )
    op.create_index("ix_runs_subject", "runs", ["subject"])
    op.create_index("ix_runs_subject_sha256", "runs", ["subject_sha256"])
    op.create_index("ix_runs_started_us", "runs", ["started_us"])
    op.create_table(
        "run_evidence",
        _text("run"),
        _text("blob"),
        sa.PrimaryKeyConstraint("run", "blob"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
        sa.ForeignKeyConstraint(["blob"], ["blobs.name"]),
    )
    op.create_table(
        "findings",
        _text("run"),
        _number("position"),
        *(_text(name) for name in ("rule", "threat", "subject")),
        _number("severity"),
        _text("status"),
        _text("fingerprint"),
        _number("found_us"),
        sa.PrimaryKeyConstraint("run", "position"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"]),
    )
    for name in ("rule", "severity", "subject", "fingerprint"):
        op.create_index(f"findings_by_{name}", "findings", [name, "found_us"])


def _statements() -> None:
    op.create_table(
        "statements",
        _text("id"),
        _text("envelope"),
        _text("predicate_type"),
        _number("added_us"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("envelope"),
        sa.ForeignKeyConstraint(["envelope"], ["blobs.name"]),
    )
    op.create_index("ix_statements_predicate_type", "statements", ["predicate_type"])
    op.create_index("ix_statements_added_us", "statements", ["added_us"])
    op.create_table(
        "statement_subjects",
        _text("statement"),
        _number("position"),
        _text("algorithm"),
        _text("digest"),
        _text("name"),
        sa.PrimaryKeyConstraint("statement", "position", "algorithm"),
        sa.ForeignKeyConstraint(["statement"], ["statements.id"]),
    )
    op.create_index("ix_statement_subjects_digest", "statement_subjects", ["digest"])
    op.create_table(
        "statement_keys",
        _text("statement"),
        _text("key_id"),
        sa.PrimaryKeyConstraint("statement", "key_id"),
        sa.ForeignKeyConstraint(["statement"], ["statements.id"]),
    )
    op.create_index("ix_statement_keys_key_id", "statement_keys", ["key_id"])
