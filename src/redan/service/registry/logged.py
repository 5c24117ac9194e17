"""The registry held against the audit log: what was done once and is no more in it was taken away.

Each chain shows by itself that nothing in its middle was changed. Its last transitions, and statements that were
attached, can be missing without a trace in it: somebody deletes rows, or restores an older backup. The log has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from redan.evidence.log import LogReader
from redan.evidence.store import tables
from redan.service.audit.act import Act
from redan.service.audit.index import act_of
from redan.service.registry.opening import Registry

# most entries of a log are about requests: looking for the word costs a tenth of reading them
_MARK = b'"registry.'


def missing(registry: Registry, folders: Iterable[Path]) -> list[str]:
    """Return a sentence for each transition and statement that the logs name and the registry lacks, oldest first.

    Args:
        registry: to be held against them.
        folders: of the logs; what their retention let go of is not asked for.

    Raises:
        EvidenceError: a log was damaged, or a chain is broken.
    """
    made = {each.sha256 for found in registry.histories().values() for each in found.transitions}
    with registry.store.database.reading() as connection:
        kept = set(connection.execute(select(tables.statements.c.id)).scalars())
    said: dict[str, str] = {}
    for folder in folders:
        for act in _acts(folder):
            more = act.more or {}
            for what, names, known in (
                ("transition", _texts([more.get("transition")]), made),
                ("statement", _texts(more.get("statements")), kept),
            ):
                said |= {
                    name: f"{what} {name[:16]}: {act.act} {act.model} by {act.who} is in the log {folder.name} alone"
                    for name in names
                    if name not in known
                }
    return list(said.values())


def _acts(folder: Path) -> Iterator[Act]:
    reader = LogReader(folder)
    for entry in reader.entries(reader.pruned):
        if _MARK in entry:
            act = act_of(entry)
            if act.act.startswith("registry.") and act.ok:
                yield act


def _texts(given: Any) -> list[str]:
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
