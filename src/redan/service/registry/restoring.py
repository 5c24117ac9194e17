"""A registry from a backup, in an empty place, with every chain verified before anybody uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from redan.evidence.backup import require_digest
from redan.evidence.backup import restore as restore_store
from redan.evidence.places import place_of
from redan.evidence.store.database import connect
from redan.service.audit.act import Act
from redan.service.registry.history import History
from redan.service.registry.opening import database_url, open_registry

if TYPE_CHECKING:
    from redan.core.settings_service import RegistrySettings
    from redan.service.registry.pushing import Person


def restore(
    settings: RegistrySettings,
    root: Path,
    file: Path,
    digest: str | None,
    *,
    by: Person,
    record: Callable[[Act], None],
) -> dict[str, History]:
    """Make the registry again.

    Args:
        settings: where.
        root: folder that relative paths start from.
        file: what a backup wrote.
        digest: its SHA-256, where it was kept.
        by: who restores it.
        record: as in `redan.service.registry.opening.Registry`.

    Raises:
        UsageError: there is a registry already.
        SignatureRefused: the file is not exactly what was made.
        EvidenceError: a chain in it is broken, or the place cannot be written.
        Unreadable: the file cannot be read.
    """
    if digest is not None:
        require_digest(file, digest)
    (root / settings.store).mkdir(parents=True, exist_ok=True)
    database = connect(database_url(settings), root=root, create=True)
    with closing(database):
        restore_store(file, database, place_of(f"{settings.store}/blobs", root=root))
    with closing(open_registry(settings, root, record=record)) as registry:
        histories = registry.histories()
        record(Act(t_us=time.time_ns() // 1000, who=by.who, act="registry.restore", why=by.why, x=digest or ""))
        return histories
