"""The packages of an environment that somebody names beside the files that are scanned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import Unreadable
from redan.kernels.packages.gathering import read_manifests
from redan.kernels.packages.installed import read_environment
from redan.kernels.packages.toml import UnreadableError

if TYPE_CHECKING:
    from redan.kernels.packages.model import Manifest


def with_environment(files: tuple[tuple[Path, str], ...], environment: str) -> tuple[Manifest, ...]:
    """Read the package manager files among some files, and an environment where one is named.

    Raises:
        Unreadable: there are no distributions in the environment.
    """
    manifests, _ = read_manifests(files)
    if not environment:
        return manifests
    try:
        return (*manifests, read_environment(Path(environment), "environment"))
    except UnreadableError as error:
        raise Unreadable(f"{environment!r}: {error}", hint="name a virtual environment") from error
