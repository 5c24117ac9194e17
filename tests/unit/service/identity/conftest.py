"""Databases of identities: SQLite always, a real PostgreSQL where its programs are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from redan.core.settings import Settings
from redan.core.settings_service import Identity
from redan.evidence.store.database import Database
from redan.service.database import open_database
from redan.service.identity import directory
from redan.service.identity.roles import Roles, roles_of

ROLES: Roles = roles_of(Identity())


@pytest.fixture
def settings() -> Settings:
    return replace(Settings(), identity=Identity(token_key="token.key"))


@pytest.fixture
def new_service(new_url: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Make the service's database of a kind; given a URL that is one already, open it once more."""
    made: list[Database] = []

    def make(kind_or_url: str) -> Database:
        url = new_url(kind_or_url) if kind_or_url in ("sqlite", "postgresql") else kind_or_url
        made.append(open_database(url, root=tmp_path))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(new_service: Callable[[str], Database]) -> Database:
    """A SQLite database with an administrator, a client and an operator of one model."""
    database = new_service("sqlite")
    people(database)
    return database


def people(database: Database) -> None:
    with database.writing() as connection:
        for id in ("user:root", "user:ann", "client:shop"):
            directory.add(connection, id, by="test")
        directory.grant(connection, ROLES, "user:root", "administrator", by="test")
        directory.grant(connection, ROLES, "user:ann", "operator", "fraud", by="test")
        directory.grant(connection, ROLES, "client:shop", "client", "fraud", by="test")


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return str(request.param)
