"""The registry as the gateway sees it: versions in memory, with every statement that is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from redan.evidence.statements.bundle import Bundle
from redan.evidence.store import tables
from redan.service.models.source import Fetched, Vacant
from redan.service.registry.history import History, Version
from redan.service.registry.opening import Registry
from redan.service.registry.pulling import held
from redan.service.registry.stated import known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Shelf:
    """Fulfils `redan.service.models.source.Registry`."""

    registry: Registry

    def fetch(self, name: str, version: str) -> Fetched:
        """Return a version, decrypted in memory alone; ``live``, ``canary`` and ``latest`` stand for what they say.

        Raises:
            UsageError: there is none, or it is retired.
            Vacant: ``canary`` was asked, and no version is one.
            EvidenceError: it was changed, or cannot be decrypted.
        """
        self._vacant(self.registry.history(name), version)
        found = held(self.registry, name, version)
        push = found.version.push.transition
        return Fetched(
            name=Path(found.model.name).name,
            files=found.files,
            statements=known(self.registry, found.version),
            folder=push.folder,
        )

    def statements(self, name: str, version: str, digest: str) -> Bundle:
        """Return the newest statements about what was fetched; errors as in `fetch`.

        They are those about the version with this digest, also when the name means another version meanwhile.
        """
        found = self.registry.history(name)
        fetched = next((each for each in reversed(found.versions) if digest_of(each) == digest), None)
        if fetched is None:
            self._vacant(found, version)
        return known(self.registry, fetched or found.version(version))

    def mark(self) -> str:
        """Return how many statements the registry holds, and when the last one came.

        Raises:
            EvidenceError: the database does not answer.
        """
        column = tables.statements.c
        with self.registry.store.database.reading() as connection:
            n, newest_us = connection.execute(select(func.count(column.id), func.max(column.added_us))).one()
        return f"{n} {newest_us}"

    def _vacant(self, found: History, version: str) -> None:
        if version == "canary" and found.canary is None:
            raise Vacant(
                f"no version of {found.name!r} is a canary", hint=f"redan registry canary {found.name}@VERSION"
            )


def digest_of(version: Version) -> str:
    """Return the digest that a served version is known by, hexadecimal."""
    return next(iter(version.push.model.digest.values()))
