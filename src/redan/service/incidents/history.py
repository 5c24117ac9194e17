"""What the audit logs say of clients: how much they were told, and everything they did, with proofs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from redan.evidence.log import LogReader
from redan.service.audit import places
from redan.service.audit.act import Act, decode
from redan.service.audit.redaction import Redaction

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.service.incidents.incident import Incident

ANSWERING = frozenset({"predict", "explain"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """How much clients were told, as the logs of this machine say.

    Attributes:
        first_us: when they were first answered, or None.
        queries_before: answered requests before the incident was opened.
        rows_before: rows in them.
        queries_after: answered requests from its opening to containment (or to now).
        rows_after: rows in them.
        queries_contained: answered requests after containment.
        refused: refused requests from its opening on.
        n_logs: logs that were read.
    """

    first_us: int | None = None
    queries_before: int = 0
    rows_before: int = 0
    queries_after: int = 0
    rows_after: int = 0
    queries_contained: int = 0
    refused: int = 0
    n_logs: int = 0


class History:
    """The audit logs of this machine, read from their folders; the index is not asked, since it may lag.

    Args:
        settings: of the gateway.
        root: folder that its paths start from.
    """

    def __init__(self, settings: Settings, root: Path) -> None:
        self._settings, self._root = settings, root

    def folders(self) -> list[Path]:
        """Return the logs that are there."""
        return places.log_folders(self._settings, self._root)

    def names(self, clients: Sequence[str]) -> frozenset[str]:
        """Return everything that clients may be called in the logs, pseudonyms too."""
        if not self._settings.audit.redact:
            return frozenset(clients)
        redaction = Redaction(self._settings.audit, places.secret(self._settings, self._root, make=False).secret)
        return frozenset(name for client in clients for name in redaction.names("client", client))

    def acts(self, reader: LogReader, clients: Sequence[str]) -> Iterator[tuple[int, bytes, Act]]:
        """Give index, entry and act of everything that clients did, oldest first; odd and pruned entries are skipped.

        Raises:
            EvidenceError: the log is damaged.
        """
        names = self.names(clients)
        marks = [msgspec.json.encode(name) for name in sorted(names)]
        for index, entry in enumerate(reader.entries(reader.pruned), reader.pruned):
            # most entries are somebody else's: looking for the name costs a tenth of decoding
            if not any(mark in entry for mark in marks):
                continue
            try:
                act = decode(entry)
            except msgspec.DecodeError:
                continue
            if act.who in names:
                yield index, entry, act

    def leak(self, incident: Incident, now_us: int) -> Leak:
        """Count what an incident's clients were told before and after it was opened.

        Raises:
            EvidenceError: a log is damaged.
        """
        counts = dict.fromkeys(Leak.__dataclass_fields__, 0)
        until_us = incident.contained_us or now_us
        first: int | None = None
        folders = self.folders()
        for folder in folders if incident.clients else ():
            for _, _, act in self.acts(LogReader(folder), incident.clients):
                if act.act not in ANSWERING:
                    continue
                if not act.ok:
                    counts["refused"] += act.t_us >= incident.opened_us
                    continue
                first = act.t_us if first is None else min(first, act.t_us)
                when = _when(act.t_us, incident.opened_us, until_us)
                counts[f"queries_{when}"] += 1
                if when != "contained":
                    counts[f"rows_{when}"] += act.rows
        return Leak(**{**counts, "first_us": first, "n_logs": len(folders)})  # type: ignore[arg-type]  # counts are whole numbers, only first_us may lack


def _when(t_us: int, opened_us: int, until_us: int) -> str:
    if t_us < opened_us:
        return "before"
    return "after" if t_us <= until_us else "contained"
