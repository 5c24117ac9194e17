"""The service's database of another version: what grew is made, what is newer is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, update

from redan.core.errors import EvidenceError
from redan.service.database import VERSION, about, open_database
from redan.service.identity import directory
from redan.service.identity.login.tables import attempts
from redan.service.identity.tables import subjects


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_older_database_gets_the_tables_that_came_later_and_keeps_what_it_holds(
    kind: str, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_url(kind)
    old = open_database(url, root=tmp_path)
    with old.writing() as connection:
        directory.add(connection, "user:ann", by="test")
        attempts.drop(connection)
        connection.execute(update(about).values(value=1))
    old.close()
    database = open_database(url, root=tmp_path)
    with database.reading() as connection:
        assert inspect(connection).has_table(attempts.name)
        assert connection.execute(select(subjects.c.id)).scalars().all() == ["user:ann"]
        assert connection.execute(select(about.c.value)).scalar_one() == VERSION
    with database.writing() as connection:
        connection.execute(update(about).values(value=VERSION + 1))
    database.close()
    with pytest.raises(EvidenceError, match=f"of version {VERSION + 1}; this Redan writes {VERSION}"):
        open_database(url, root=tmp_path)
