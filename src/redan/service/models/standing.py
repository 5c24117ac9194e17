"""What was decided about versions, kept where replicas and restarts find it: the shared database, or memory.

A decision stands over the roles of redan.toml until redan.toml itself calls another version live.
"""

from __future__ import annotations

import json
import secrets as random
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update

from redan.core.errors import UsageError
from redan.evidence.store.database import Database, insert_new
from redan.service.models import tables

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_TURNS = 50
"""Versions that were live, kept for going back."""
_KEY_BYTES = 32
_KEY_NAME = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Who is live by decision.

    Attributes:
        configured: version that redan.toml called live when it was decided; empty for none.
        versions: that were live, the newest last; the last one is.
        standby: versions that lost their place; they answer nobody until they are promoted, whatever redan.toml says.
        turn: number of the decision.
    """

    configured: str
    versions: tuple[str, ...]
    standby: tuple[str, ...] = ()
    turn: int

    @property
    def live(self) -> str:
        """The version that is live."""
        return self.versions[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Everything that was decided and stands.

    Attributes:
        turns: model → who is live.
        quarantined: (model, version) pairs that are out of service.
    """

    turns: Mapping[str, Turn] = field(default_factory=dict)
    quarantined: frozenset[tuple[str, str]] = frozenset()


class Standing:
    """Decisions in the service's database; every method blocks.

    Args:
        database: the service's own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def key(self) -> bytes:
        """Return the key that places clients among canaries, made once for all replicas.

        Raises:
            EvidenceError: the database does not answer.
        """
        with self._database.writing() as connection:
            made = {"name": _KEY_NAME, "key": random.token_bytes(_KEY_BYTES)}
            insert_new(connection, tables.secrets, [made])
            wanted = select(tables.secrets.c.key).where(tables.secrets.c.name == _KEY_NAME)
            return bytes(connection.execute(wanted).scalar_one())

    def read(self) -> Decided:
        """Return what stands.

        Raises:
            EvidenceError: the database does not answer.
        """
        with self._database.reading() as connection:
            return _read(connection)

    def make_live(
        self, name: str, version: str, *, configured: str, before: str, known: Collection[tuple[str, str]]
    ) -> Decided:
        """Make a version live and lift its quarantine.

        Args:
            name: of the model.
            version: to become live.
            configured: version that redan.toml calls live.
            before: version that is live now, for going back; empty for none.
            known: quarantines of when this was decided; one that somebody put meanwhile is not lifted.

        Raises:
            UsageError: another one was made live meanwhile, or this one was quarantined.
            EvidenceError: the database does not answer.
        """

        def changed(old: Turn | None) -> Turn:
            _insist(name, before, old, configured)
            valid = old is not None and old.configured == configured
            known = old.versions if old is not None and valid else tuple(filter(None, [before]))
            waiting = (*(old.standby if old is not None and valid else ()), before)
            return Turn(
                configured=configured,
                versions=(*_without(known, version), version)[-MOST_TURNS:],
                standby=_without(dict.fromkeys(waiting), version)[-MOST_TURNS:],
                turn=old.turn + 1 if old else 1,
            )

        return self._turned(name, changed, made=version, lifts=(name, version) in known)

    def go_back(self, name: str, *, configured: str, live: str) -> Decided:
        """Make the version live that was so before.

        Args:
            name: of the model.
            configured: version that redan.toml calls live.
            live: version that is live now.

        Raises:
            UsageError: there is none before, or another one was made live meanwhile.
            EvidenceError: the database does not answer.
        """

        def changed(old: Turn | None) -> Turn:
            _insist(name, live, old, configured)
            if old is None or len(old.versions) < 2:
                raise UsageError(f"{name} has no version before {live or 'this one'}", hint="promote one by its name")
            versions = old.versions[:-1]
            waiting = _without(dict.fromkeys((*old.standby, live)), versions[-1])
            return Turn(configured=configured, versions=versions, standby=waiting, turn=old.turn + 1)

        return self._turned(name, changed)

    def quarantine(self, pairs: Collection[tuple[str, str]]) -> Decided:
        """Take versions out of service, each a model's name and a version.

        Raises:
            EvidenceError: the database does not answer.
        """
        now_us = time.time_ns() // 1000
        rows = [{"name": name, "version": version, "since_us": now_us} for name, version in sorted(pairs)]
        with self._database.writing() as connection:
            insert_new(connection, tables.quarantined, rows)
            return _read(connection)

    def _turned(
        self, name: str, changed: Callable[[Turn | None], Turn], *, made: str = "", lifts: bool = False
    ) -> Decided:
        with self._database.writing() as connection:
            if not self._database.is_sqlite:
                # two replicas at once: the second sees what the first decided
                connection.exec_driver_sql("LOCK TABLE model_turns IN EXCLUSIVE MODE")
            stands = _read(connection)
            if made and not lifts and (name, made) in stands.quarantined:
                raise UsageError(
                    f"{name}@{made} was taken out of service meanwhile", hint="look why, then decide again"
                )
            new = changed(stands.turns.get(name))
            values = {
                "configured": new.configured,
                "versions": json.dumps(new.versions),
                "standby": json.dumps(new.standby),
                "turn": new.turn,
                "since_us": time.time_ns() // 1000,
            }
            if new.turn == 1:
                connection.execute(insert(tables.turns).values(name=name, **values))
            else:
                connection.execute(update(tables.turns).where(tables.turns.c.name == name).values(**values))
            if lifts:
                of_version = (tables.quarantined.c.name == name) & (tables.quarantined.c.version == made)
                connection.execute(delete(tables.quarantined).where(of_version))
            return _read(connection)


def _without(versions: Iterable[str], version: str) -> tuple[str, ...]:
    return tuple(each for each in versions if each and each != version)


def _insist(name: str, before: str, old: Turn | None, configured: str) -> None:
    """Refuse a decision that was made looking at another state than the database has."""
    stands = old.live if old is not None and old.configured == configured else configured
    if before != stands:
        raise UsageError(
            f"{name}: version {stands or 'none'} was made live meanwhile", hint="look again, then decide again"
        )


def _read(connection: Connection) -> Decided:
    turns = {
        row.name: Turn(
            configured=row.configured,
            versions=tuple(json.loads(row.versions)),
            standby=tuple(json.loads(row.standby)),
            turn=row.turn,
        )
        for row in connection.execute(select(tables.turns))
    }
    rows = connection.execute(select(tables.quarantined.c.name, tables.quarantined.c.version))
    return Decided(turns=turns, quarantined=frozenset((row.name, row.version) for row in rows))
