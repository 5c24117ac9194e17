"""The transparency log: append-only, durable, signed, checkable by anybody (RFC 6962 trees, C2SP tlog-tiles)."""

from redan.evidence.log.commit import Ticket
from redan.evidence.log.notes import Checkpoint, NoteKey
from redan.evidence.log.opening import LogBusy
from redan.evidence.log.reading import LogReader
from redan.evidence.log.writing import Log, create_log, open_log

__all__ = ["Checkpoint", "Log", "LogBusy", "LogReader", "NoteKey", "Ticket", "create_log", "open_log"]
