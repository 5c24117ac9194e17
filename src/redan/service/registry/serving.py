"""The registry as the gateway sees it: versions in memory, with every statement that is known about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from redan.evidence.statements.bundle import Bundle
from redan.service.models.source import Fetched
from redan.service.registry.opening import Registry
from redan.service.registry.pulling import held
from redan.service.registry.stated import known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Shelf:
    """Fulfils `redan.service.models.source.Registry`."""

    registry: Registry

    def fetch(self, name: str, version: str) -> Fetched:
        """Return a version, decrypted in memory alone; ``live`` and ``latest`` stand for what they say.

        Raises:
            UsageError: there is none, or it is retired.
            EvidenceError: it was changed, or cannot be decrypted.
        """
        found = held(self.registry, name, version)
        push = found.version.push.transition
        return Fetched(
            name=Path(found.model.name).name,
            files=found.files,
            statements=known(self.registry, found.version),
            folder=push.folder,
        )

    def statements(self, name: str, version: str) -> Bundle:
        """Return the newest statements about a version; errors as in `fetch`."""
        return known(self.registry, self.registry.history(name).version(version))
