"""Databases: who may read the file, what a reader sees, versions of the schema."""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text

from redan.core.errors import ConfigError, EvidenceError, Unreadable, UsageError
from redan.evidence.places import Folder
from redan.evidence.store import migrating, tables
from redan.evidence.store.database import PATIENCE, Database, connect
from redan.evidence.store.opening import Store, created, open_store, opened

ROW = {"id": "x", "created_us": 1, "key_id": None, "names_key": None}


def test_a_database_file_is_its_owners_alone(tmp_path: Path) -> None:
    database = connect("deep/store.db", root=tmp_path, create=True)
    migrating.migrate(database)
    with database.writing() as connection:
        connection.execute(insert(tables.store).values(ROW))
        files = [*(tmp_path / "deep").iterdir()]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert {file.name for file in files} == {"store.db", "store.db-wal", "store.db-shm"}
    database.close()


def test_sqlite_writes_ahead_with_foreign_keys_and_full_syncing(tmp_path: Path) -> None:
    database = connect("store.db", root=tmp_path, create=True)
    with database.reading() as connection:
        asked = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert asked == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 60_000}
    database.close()


def test_a_postgresql_that_went_away_is_not_waited_for_without_end(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    database = connect(new_url("postgresql") + "&keepalives_idle=3", root=tmp_path)
    with database.reading() as connection:
        driver: Any = connection.connection.driver_connection
        in_force = driver.info.get_parameters()
    database.close()
    assert (
        in_force.items() >= {**{name: str(value) for name, value in PATIENCE.items()}, "keepalives_idle": "3"}.items()
    )


def test_a_server_that_takes_connections_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = connect(f"postgresql://redan@127.0.0.1:{port}/postgres?connect_timeout=2", root=tmp_path)
        began_s = time.monotonic()
        with pytest.raises(EvidenceError, match=r"127\.0\.0\.1"), database.reading():
            pass
        assert 1 < time.monotonic() - began_s < 10
    database.close()


def test_a_reader_sees_one_moment(database: Database) -> None:
    migrating.migrate(database)
    with database.reading() as reading:
        assert reading.execute(select(tables.store)).all() == []
        with database.writing() as writing:
            writing.execute(insert(tables.store).values(ROW))
        assert reading.execute(select(tables.store)).all() == []
    with database.reading() as reading:
        assert len(reading.execute(select(tables.store)).all()) == 1


def test_what_raises_was_never_written(database: Database) -> None:
    migrating.migrate(database)

    def broken_off() -> None:
        with database.writing() as connection:
            connection.execute(insert(tables.store).values(ROW))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        broken_off()
    with database.reading() as connection:
        assert connection.execute(select(tables.store)).all() == []


def test_foreign_keys_hold(database: Database) -> None:
    migrating.migrate(database)
    with pytest.raises(EvidenceError, match=r"the database .* says"), database.writing() as connection:
        connection.execute(insert(tables.run_evidence).values(run="no such run", blob="no such blob"))


def test_migrations_make_exactly_the_tables(database: Database) -> None:
    assert migrating.migrate(database) == (None, migrating.NEWEST)
    assert migrating.migrate(database) == (migrating.NEWEST, migrating.NEWEST)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_every_migration_is_known_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrating.MIGRATIONS))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == migrating.REVISIONS


def test_an_older_store_keeps_its_rows_when_it_is_migrated(database: Database, tmp_path: Path) -> None:
    migrating.migrate(database, to="r0001")
    with database.writing() as connection:
        connection.execute(insert(tables.store).values(ROW))
    with pytest.raises(EvidenceError, match="has version r0001; this release works with") as refused:
        opened(database, Folder(tmp_path), [])
    assert "redan store migrate" in refused.value.hint
    assert migrating.migrate(database) == ("r0001", migrating.NEWEST)
    assert opened(database, Folder(tmp_path), []).id == "x"


def test_a_newer_store_is_refused_and_left_alone(database: Database, tmp_path: Path) -> None:
    migrating.migrate(database)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(EvidenceError, match="made by a newer one"):
        opened(database, Folder(tmp_path), [])
    with pytest.raises(EvidenceError, match="made by a newer one"):
        migrating.migrate(database)
    assert migrating.version(database) == "r9999"


def test_a_second_store_is_not_made_over_the_first(store: Store) -> None:
    with pytest.raises(UsageError, match=r"there is a store in .* already"):
        created(store.database, store.place, [])
    assert opened(store.database, store.place, []).id == store.id


def test_a_database_without_a_store_says_so(database: Database, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="there is no store in"):
        opened(database, Folder(tmp_path), [])


def test_a_missing_file_is_not_made_by_opening(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="there is no store at"):
        open_store(url="store.db", blobs="blobs", root=tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("url", ["mysql://u:secret@h/x", "oracle://h", "sqlite://", "nonsense://", "http://h/x"])
def test_other_databases_are_refused_without_telling_the_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be of kind") as refused:
        connect(url, root=tmp_path, create=True)
    assert "secret" not in refused.value.diagnostics()


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    database = connect(f"postgresql://redan:secret@/x?host={tmp_path}&password=secret", root=tmp_path)
    with pytest.raises(EvidenceError) as refused, database.reading():
        pass
    assert "the database postgresql+psycopg://redan:***@/x" in refused.value.message
    assert "secret" not in refused.value.diagnostics()


def test_a_broken_file_is_no_traceback(tmp_path: Path, new_url: Callable[[str], str]) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database at all, and long enough to be looked at" * 100)
    with pytest.raises(EvidenceError, match="file is not a database"):
        open_store(url="store.db", blobs="blobs", root=tmp_path)
