"""The schema's version: new stores get the newest, older ones are brought to it on request, newer ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from redan.core.errors import EvidenceError
from redan.evidence.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("r0001", "r0002")
"""Every version that this release knows, in order; said here so that opening a store need not import Alembic."""
NEWEST = REVISIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x726564616E  # any number that no other user of the database takes for its lock


def version(database: Database) -> str | None:
    """Return the version of a database, or None when there is no store in it."""
    with database.reading() as connection:
        return _version(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def migrate(database: Database, *, to: str = "head") -> tuple[str | None, str]:
    """Bring a database to a version, in one transaction; a second process waits.

    Returns:
        The version before and after.

    Raises:
        EvidenceError: the database is newer than this release.
    """
    from alembic import command

    config = _config()
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        before = _version(connection)
        if before is not None and before not in REVISIONS:
            raise _newer(before)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        after = _version(connection)
    assert after is not None
    return before, after


def require_newest(database: Database) -> None:
    """Accept a database of exactly this release's version.

    Raises:
        EvidenceError: there is no store in it, or it is older or newer.
    """
    found = version(database)
    if found is None:
        raise EvidenceError(f"there is no store in {database.shown}", hint="redan store init")
    if found not in REVISIONS:
        raise _newer(found)
    if found != NEWEST:
        raise EvidenceError(
            f"the store in {database.shown} has version {found}; this release works with {NEWEST}",
            hint="redan store backup, then redan store migrate",
        )


def _newer(found: str) -> EvidenceError:
    return EvidenceError(
        f"the store has version {found}, which this release of Redan does not know; it was made by a newer one",
        hint="install the newer release",
    )


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
