"""The schema's version: new stores get the newest, older ones are brought to it on request, newer ones are refused."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from redan.core.errors import EvidenceError
from redan.evidence.store.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x726564616E  # any number that no other user of the database takes for its lock


def newest() -> str:
    """Return the version that this release of Redan works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def version(database: Database) -> str | None:
    """Return the version of a database, or None when there is no store in it."""
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def known(revision: str) -> bool:
    """Tell whether this release knows a version."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def migrate(database: Database, *, to: str = "head") -> tuple[str | None, str]:
    """Bring a database to a version, in one transaction; a second process waits.

    Returns:
        The version before and after.

    Raises:
        EvidenceError: the database is newer than this release.
    """
    config = _config()
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        if before is not None and not known(before):
            raise _newer(before)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        after = MigrationContext.configure(connection).get_current_revision()
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
    if not known(found):
        raise _newer(found)
    if found != newest():
        raise EvidenceError(
            f"the store in {database.shown} has version {found}; this release works with {newest()}",
            hint="redan store backup, then redan store migrate",
        )


def _newer(found: str) -> EvidenceError:
    return EvidenceError(
        f"the store has version {found}, which this release of Redan does not know; it was made by a newer one",
        hint="install the newer release",
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
