"""From what the configuration names to bytes and statements: a path, or a version that the registry keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from redan.core.errors import ConfigError, EvidenceError, UsageError
from redan.evidence.encryption.sources import key_from
from redan.evidence.signing import signature_path
from redan.evidence.statements.bundle import Bundle, beside, read
from redan.service.models.factories import folder_of
from redan.service.models.holding import Held, held, hold
from redan.subjects.factory import split_factory

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.core.settings_service import ServedModel

PREFIX = "registry:"
MOVING = ("live", "canary", "latest")
"""Names that stand for one version now and for another later."""


class Vacant(UsageError):
    """No version of the registry is a canary now: nothing is wrong, and nothing is served from there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fetched:
    """A model as the registry gives it: plain bytes in memory, checked against the registry's own record.

    Attributes:
        name: of the model's file or folder; a file's ending tells its format.
        files: path inside the folder (the name of a single file) → its bytes.
        statements: as a bundle holds them.
        folder: whether it is a folder.
    """

    name: str
    files: Mapping[str, bytes]
    statements: Bundle
    folder: bool = False


class Registry(Protocol):
    """Where models lie that targets such as ``registry:fraud@3`` mean."""

    def fetch(self, name: str, version: str) -> Fetched:
        """Return a version; blocks.

        Raises:
            UsageError: there is none.
            Vacant: ``canary`` was asked, and no version is one.
            EvidenceError: it was changed, or cannot be decrypted.
        """

    def statements(self, name: str, version: str, digest: str) -> Bundle:
        """Return the newest statements about what was fetched; blocks. Errors as in ``fetch``.

        Args:
            name: of the model.
            version: as it was fetched; a name of `MOVING` may mean another version now.
            digest: of what was fetched, hexadecimal.
        """

    def mark(self) -> str:
        """Return a text that changes whenever a transition or statement is added; blocks, and reads one row.

        Raises:
            EvidenceError: the database does not answer.
        """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Source:
    """Where one version comes from.

    Attributes:
        settings: as the configuration names it.
        root: folder that relative paths start from.
        keys: sources of keys that may open an encrypted file.
        registry: None where there is none.
    """

    settings: ServedModel
    root: Path
    keys: tuple[str, ...] = ()
    registry: Registry | None = None

    def hold(self) -> Held:
        """Read the model once.

        Raises:
            Unreadable, EvidenceError: as `redan.service.models.holding.hold` and `Registry.fetch`.
            ConfigError: a target that names nothing that can be served.
        """
        if self.is_registered:
            registry, name, version = self._registered()
            found = registry.fetch(name, version)
            return held(found.name, found.files, path=Path(found.name), folder=found.folder)
        return hold(self.path, keys=[key_from(each, root=self.root) for each in self.keys])

    @property
    def moves(self) -> bool:
        """Whether the registry decides which version it is."""
        return self.is_registered and self.settings.target.rpartition("@")[2] in MOVING

    @property
    def is_registered(self) -> bool:
        """Whether it lies in the registry."""
        return self.settings.target.startswith(PREFIX)

    def bundles(self, about: Held | Path) -> tuple[Bundle, ...]:
        """Read the statements as they are now; those beside the model where none are named.

        Args:
            about: the model that was held, or its path.

        Raises:
            Unreadable, EvidenceError: they cannot be read.
        """
        named = self.settings.statements
        if named:
            return tuple(_named(self.root / each) for each in named)
        if self.is_registered:
            registry, name, version = self._registered()
            return (registry.statements(name, version, about.digest if isinstance(about, Held) else ""),)
        return (read(beside(about.path if isinstance(about, Held) else about), pipes=False),)

    @property
    def path(self) -> Path:
        """The file or folder on disk that is judged; with a factory the folder that its code lies in.

        Raises:
            ConfigError: a factory whose weights lie outside of its folder.
        """
        factory = split_factory(self.settings.target)
        if factory is None:
            return self.root / self.settings.target
        return folder_of(self.root / factory[0], self.settings.weights, self.root)

    @property
    def signature(self) -> Path | None:
        """Where the model's own signature lies; None for a version of the registry."""
        return None if self.is_registered else signature_path(self.path)

    def _registered(self) -> tuple[Registry, str, str]:
        name, sign, version = self.settings.target.removeprefix(PREFIX).rpartition("@")
        if not sign or not name or not version:
            raise ConfigError(f"{self.settings.target!r} names no version", hint="write registry:NAME@VERSION")
        if self.registry is None:
            raise ConfigError(
                f"{self.settings.target!r} needs a registry, and none is open", hint="set [registry] store"
            )
        return self.registry, name, version


def sources(settings: Settings, root: Path, registry: Registry | None = None) -> Sequence[Source]:
    """Return where every version in the configuration comes from, in its order."""
    return [
        Source(settings=each, root=root, keys=settings.registry.keys, registry=registry)
        for each in settings.serve.models
    ]


def _named(path: Path) -> Bundle:
    if not path.exists():
        raise EvidenceError(f"there are no statements at {path.name!r}", hint="name the bundle that redan seal wrote")
    return read(path, pipes=False)
