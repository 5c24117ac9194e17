"""Notices that statements on disk changed, so that a revocation takes effect in seconds and not at the next recheck."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import RedanError
from redan.evidence.statements.bundle import beside

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.core.settings_service import ServedModel
    from redan.service.models.source import Source
    from redan.service.models.versions import Version

MOST_LOOKS = 5
"""After so many looks a file that never rests is judged as it is."""
AGAIN_S = 10.0
"""After so long a registry that did not answer is asked again about a version that is out of service for that."""
Mark = tuple[tuple[int, int, int] | None, ...]
"""Change time, length and inode of each file; None for one that is not there."""


class Looking:
    """What lay on disk when each version was judged last; its methods block for a few system calls.

    Args:
        keys: files of the policy's keys.
    """

    def __init__(self, keys: Sequence[Path]) -> None:
        self._keys = tuple(keys)
        self._judged: dict[ServedModel, Mark] = {}
        self._restless: dict[ServedModel, tuple[Mark, int]] = {}
        self._asked_s = 0.0

    @classmethod
    def of(cls, settings: Settings, root: Path) -> Looking:
        """Look at the keys that ``[admission]`` names too; words that name no file change nothing."""
        names = [*settings.admission.keys, *(key for each in settings.admission.require for key in each.signed_by)]
        return cls([root / each for each in dict.fromkeys(names)])

    def judged(self, versions: Sequence[Version]) -> None:
        """Remember what is there now; call it before statements are read, so that no change falls in between."""
        for each in versions:
            settings = each.source.settings
            self._judged[settings] = self._mark(each.source)
            self._restless.pop(settings, None)

    def changed(self, versions: Sequence[Version]) -> list[Version]:
        """Return versions whose statements, signature or keys are others than when they were judged.

        A file counts as changed when it is the same at two looks, so that none is judged while it is written. A version
        whose registry did not answer is among them now and then.
        """
        known = {each.source.settings for each in versions}
        for gone in self._judged.keys() - known:
            del self._judged[gone]
        again = time.monotonic() - self._asked_s >= AGAIN_S
        if again:
            self._asked_s = time.monotonic()
        return [each for each in versions if self._is_changed(each.source) or (again and each.unheard)]

    def _is_changed(self, source: Source) -> bool:
        settings, mark = source.settings, self._mark(source)
        if mark == self._judged.setdefault(settings, mark):
            self._restless.pop(settings, None)
            return False
        before, looks = self._restless.get(settings, (None, 0))
        self._restless[settings] = (mark, looks + 1)
        return mark == before or looks + 1 >= MOST_LOOKS

    def _mark(self, source: Source) -> Mark:
        return mark_of((*_files(source), *self._keys))


def _files(source: Source) -> list[Path]:
    """Return where a version's statements and signature lie on disk; those in the registry have a mark of their own."""
    found = [source.root / each for each in source.settings.statements]
    if source.is_registered:
        return found
    try:
        if not found:
            found.append(beside(source.path))
        if source.signature is not None:
            found.append(source.signature)
    except (RedanError, OSError, ValueError):
        return found  # a target that names nothing is refused by whoever judges it
    return found


def mark_of(paths: Iterable[Path]) -> Mark:
    """Return what the file system says of files."""
    return tuple(_facts(path) for path in paths)


def _facts(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
