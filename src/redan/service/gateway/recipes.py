"""How a version that was admitted here is made in a worker process: from the same bytes, handed over in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from redan.core.errors import SubjectFailed
from redan.service.models.holding import Held, held
from redan.service.models.loading import Extras, load

if TYPE_CHECKING:
    from redan.core.settings_service import ServedModel
    from redan.service.gateway.workers import Recipe
    from redan.service.models.served import Answers, Served
    from redan.service.models.versions import Version


class Keeper(Protocol):
    """Keeps the bytes of what it loaded: `redan.service.models.pool.Pool`."""

    def versions(self) -> Sequence[Version]:
        """Return every version, loaded or not."""


def recipes(keeper: Keeper) -> Callable[[Served], Recipe]:
    """Return what `redan.service.gateway.workers.Crew` asks for a version.

    Raises:
        SubjectFailed: (what is returned) the version left service meanwhile.
    """

    def recipe(served: Served) -> Recipe:
        for version in keeper.versions():
            if version.served is served and version.about is not None:
                return recipe_of(served, version.about.held)
        raise SubjectFailed(f"{served.label} is not in service any more")

    return recipe


def recipe_of(served: Served, bytes_of: Held) -> Recipe:
    """Return how to make a version of the bytes that were judged."""
    settings = replace(served.settings, detectors=(), sample="", schema="")
    sample = np.zeros((2, *served.shape), served.dtype)
    arguments = (settings, bytes_of.path, dict(bytes_of.files), bytes_of.folder, bytes_of.encrypted, sample)
    return make, arguments


def make(
    settings: ServedModel, path: Path, files: Mapping[str, bytes], folder: bool, encrypted: bool, sample: Any
) -> Callable[[Any], Answers]:
    """Load a model in this process; return what answers.

    Raises:
        RedanError: it cannot be loaded here.
    """
    bytes_of = held(path.name, files, path=path, folder=folder, encrypted=encrypted)
    return load(settings, bytes_of, Extras(sample=sample), None).answer
