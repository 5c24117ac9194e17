"""Stores to test with: SQLite always, and a real PostgreSQL server where its programs are installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from redan.evidence.encryption.wrapping import LocalKey
from redan.evidence.places import Folder
from redan.evidence.store.database import Database
from redan.evidence.store.opening import Store, created

KEY = LocalKey(bytes(range(32)))
OTHER = LocalKey(bytes(range(1, 33)))


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return str(request.param)


@pytest.fixture
def database(kind: str, new_database: Callable[[str], Database]) -> Database:
    """An empty database of each kind."""
    return new_database(kind)


@pytest.fixture(params=["encrypted", "plain"])
def store(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Store:
    """A new store of each kind, encrypted and plain."""
    return created(database, Folder(tmp_path / "blobs"), [KEY] if request.param == "encrypted" else [])


@pytest.fixture
def encrypted(database: Database, tmp_path: Path) -> Store:
    """A new encrypted store of each kind."""
    return created(database, Folder(tmp_path / "blobs"), [KEY])
