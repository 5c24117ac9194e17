"""What the verbs of `redan identity` share: the settings, the database, who acts, and the record of what they did."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.core import config as configuration
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.core.config import Config
    from redan.evidence.store.database import Database
    from redan.service.identity.roles import Roles

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where somebody with the service's files and database administers it.

    Attributes:
        config: the settings in force.
        database: the service's.
        roles: every role.
        by: who acts: the account of this machine.
    """

    config: Config
    database: Database
    roles: Roles
    by: str

    @contextmanager
    def changing(self, did: str, **facts: object) -> Iterator[Connection]:
        """A transaction that is recorded in the audit log before it is kept; without a record nothing is done."""
        from redan.service.audit.recorder import record_once

        with self.database.writing() as connection:
            yield connection
            record_once(self.config.settings, self.config.root, self._act(did, facts))

    def _act(self, did: str, facts: dict[str, object]) -> Any:
        import time

        from redan.service.audit.act import Act

        return Act(t_us=time.time_ns() // 1000, who=self.by, act="identity.write", more={"did": did, **facts})

    @property
    def token_key(self) -> Path:
        """File of the key that signs tokens."""
        return self.config.path(self.config.settings.identity.token_key)


def configured(function: Function) -> Function:
    """Add ``--config``, and give the settings in force instead of it."""

    def wrapped(*, config: Path | None, **rest: Any) -> int:
        read = configuration.load(file=config or configuration.find(Path.cwd()), root=Path.cwd(), environ=os.environ)
        code: int = function(config=read, **rest)
        return code

    made: Callable[..., int] = update_wrapper(wrapped, function)
    return click.option("--config", type=PATH, help="A redan.toml other than the nearest.")(made)  # type: ignore[return-value]  # click calls it by its flags


def at_desk(function: Function) -> Function:
    """Add ``--config``, and give the desk instead of it."""

    def wrapped(*, config: Config, **rest: Any) -> int:
        with opened(config) as desk:
            code: int = function(desk=desk, **rest)
        return code

    made: Callable[..., int] = update_wrapper(wrapped, function)
    return configured(made)  # type: ignore[return-value]  # as above


@contextmanager
def opened(config: Config, *, create: bool = False) -> Iterator[Desk]:
    """Open the service's database.

    Raises:
        UsageError: there is none yet.
    """
    url = config.settings.serve.database
    if not create and "://" not in url and not config.path(url).is_file():
        raise UsageError(f"there are no identities at {url!r} yet", hint="redan identity init")
    from redan.service.database import open_database
    from redan.service.identity.roles import roles_of

    database = open_database(url, root=config.root)
    try:
        roles = roles_of(config.settings.identity)
        yield Desk(config=config, database=database, roles=roles, by=f"local:{getpass.getuser()}")
    finally:
        database.close()


def seconds(text: str, flag: str) -> int:
    """Read a time such as 90d.

    Raises:
        UsageError: it is none.
    """
    from redan.core.settings import age_s

    found = age_s(text)
    if found is None:
        raise UsageError(f"{flag} is empty", hint=f"write {flag} 90d")
    return found


def shown(at_us: int | None) -> str | None:
    """Return a time as UTC words, or None."""
    from datetime import UTC, datetime

    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
