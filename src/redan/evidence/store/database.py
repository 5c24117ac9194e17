"""One database, SQLite by default and PostgreSQL by URL, entered by snapshots and transactions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, create_engine, event, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from redan.core.errors import ConfigError, EvidenceError, MissingDependency, Unreadable

BUSY_MS = 60_000
PAGE_ROWS = 200
PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
"""How long a PostgreSQL that went away without a word is waited for, in libpq's words and units: 5 s for a connection,
10 s for what was sent, 20 s for an answer of a machine that is gone. A URL may say otherwise."""
_BEGIN = "redan_begin"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Database:
    """An engine and the words for it.

    Attributes:
        engine: SQLAlchemy's pool of connections.
        shown: the URL without its password, for messages.
    """

    engine: Engine
    shown: str

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only look at one moment: nothing that is committed later is seen.

        Raises:
            EvidenceError: the database does not answer.
        """
        level = {_BEGIN: "BEGIN"} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._speaking(), self.engine.connect() as plain:
            connection = plain.execution_options(**level)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and never was when it raises.

        SQLite takes its one write lock at the start, so that two writers wait for each other instead of failing.

        Raises:
            EvidenceError: the database does not answer, or refuses the rows.
        """
        with self._speaking(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as err:
            words = str(err.orig).strip().splitlines() or [type(err).__name__]
            raise EvidenceError(f"the database {self.shown} says: {words[0]}") from err
        except SQLAlchemyError as err:
            raise EvidenceError(f"the database {self.shown} cannot be used: {type(err).__name__}") from err


def connect(url: str, *, root: Path, create: bool = False) -> Database:
    """Open a database.

    Args:
        url: path of a SQLite file, or a postgresql:// URL.
        root: folder that a relative path starts from.
        create: make the SQLite file, which only its owner may read; a PostgreSQL database must exist.

    Raises:
        ConfigError: neither a path nor a URL of these two databases.
        Unreadable: there is no such file, or it cannot be made.
        MissingDependency: the driver is not installed.
    """
    parsed = _parsed(url, root)
    if parsed.get_backend_name() == "sqlite":
        _sqlite_file(Path(parsed.database or ""), create=create)
    patience = {} if parsed.get_backend_name() == "sqlite" else PATIENCE
    said = {name: value for name, value in patience.items() if name not in parsed.query}
    try:
        engine = create_engine(parsed, hide_parameters=True, connect_args=said)
    except ImportError as err:
        raise MissingDependency.of("psycopg", "store", "a store in PostgreSQL") from err
    database = Database(engine=engine, shown=_shown(parsed))
    if database.is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        if create:
            # the journal mode is a property of the file; it cannot be changed inside a transaction
            with database._speaking(), engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("PRAGMA journal_mode=WAL"))
    return database


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose primary or unique key is not there yet; return how many were."""
    if not rows:
        return 0
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    # what comes back is counted, since drivers do not agree on the row count of several rows
    statement = make(table).on_conflict_do_nothing().returning(literal(1))
    return len(connection.execute(statement, [*rows]).all())


def rows_by(connection: Connection, table: Table, key: str) -> Iterator[Row[Any]]:
    """Return the rows of a table in the order of a unique column of text, a page at a time."""
    column, after = table.c[key], ""
    while page := connection.execute(select(table).where(column > after).order_by(column).limit(PAGE_ROWS)).all():
        yield from page
        after = page[-1]._mapping[key]


def _parsed(url: str, root: Path) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=str((root / url).resolve()))
    try:
        parsed = make_url(url)
        name = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        name = ""
    if name == "sqlite" and parsed.database:
        return URL.create("sqlite", database=str((root / parsed.database).resolve()))
    if name == "postgresql" or url.startswith("postgres://"):
        return parsed.set(drivername="postgresql+psycopg")
    kind = url.partition("://")[0]
    raise ConfigError(
        f"the store's database cannot be of kind {kind!r}", hint="give the path of a SQLite file, or postgresql://…"
    )


def _shown(url: URL) -> str:
    """Return the URL without its password, wherever it stands."""
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)


def _sqlite_file(path: Path, *, create: bool) -> None:
    if path.is_file():
        return
    if not create:
        raise Unreadable(f"there is no store at {str(path)!r}", hint="redan store init")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as err:
        raise Unreadable(f"cannot make the store {str(path)!r}: {err.strerror}") from err


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    for words in ("foreign_keys=ON", f"busy_timeout={BUSY_MS}", "synchronous=FULL"):
        connection.execute(f"PRAGMA {words}")


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
