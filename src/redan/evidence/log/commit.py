"""Group commit: many threads hand in entries, one thread writes and syncs them together.

While one group is being synced the next one collects, so groups grow as the load does and nobody waits for a timer.
"""

from __future__ import annotations

import errno
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence

from redan.core.errors import EvidenceError, RedanError
from redan.evidence.log.wal import GROUP_BYTES, MOST_IN_GROUP, Wal

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Group:
    """Entries that become durable together."""

    __slots__ = ("_callbacks", "_done", "_lock", "entries", "error", "first", "n_bytes")

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.n_bytes = 0
        self.first = -1
        self.error: RedanError | None = None
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def full(self) -> bool:
        """Whether further entries belong into the next group."""
        return len(self.entries) >= MOST_IN_GROUP or self.n_bytes >= GROUP_BYTES

    def put(self, entry: bytes) -> None:
        """Add an entry at the end."""
        self.entries.append(entry)
        self.n_bytes += len(entry)

    def fits(self, count: int, n_bytes: int) -> bool:
        """Whether so many more entries still belong into this group, all of them."""
        return len(self.entries) + count <= MOST_IN_GROUP and self.n_bytes + n_bytes <= GROUP_BYTES

    def put_all(self, entries: Sequence[bytes], n_bytes: int) -> None:
        """Add entries at the end."""
        self.entries += entries
        self.n_bytes += n_bytes

    def wait(self) -> None:
        """Return when the group is durable.

        Raises:
            EvidenceError: it is not; none of its entries is in the log.
        """
        self._done.wait()
        if self.error is not None:
            raise type(self.error)(self.error.message, hint=self.error.hint) from self.error

    def then(self, callback: Callable[[], None]) -> None:
        """Call back once, from the writing thread, when the group is durable or refused; at once when it is by now."""
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def settle(self, first: int, error: RedanError | None) -> None:
        """Tell everybody who waits."""
        with self._lock:
            self.first, self.error = first, error
            self._done.set()
            called, self._callbacks = self._callbacks, []
        for callback in called:
            try:
                callback()
            except Exception:  # noqa: BLE001  # a caller's mistake is shown, but must not end everybody's log
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


class Ticket:
    """The promise of one entry's place in the log."""

    __slots__ = ("_group", "_place")

    def __init__(self, group: Group, place: int) -> None:
        self._group = group
        self._place = place

    def index(self) -> int:
        """Wait until the entry is durable and return its index.

        Raises:
            EvidenceError: it could not be written and is not in the log.
        """
        self._group.wait()
        return self._group.first + self._place

    def then(self, callback: Callable[[], None]) -> None:
        """Call back once, from the writing thread, when `index` would no longer wait; it must be quick."""
        self._group.then(callback)

    @property
    def error(self) -> RedanError | None:
        """Why the entry is not in the log, once `index` would no longer wait; None: it is, or nobody knows yet."""
        return self._group.error


class Committer:
    """The queue and its one writing thread.

    Args:
        wal: where groups go.
        most_pending: entries that may wait; whoever hands in more waits with them.
        room: is asked before each group is written; it may wait, and gives the error when there can be no room.
        committed: is told, in order, what became durable.
        linger_s: how long the first entry of a group waits for others, so that fewer syncs are made.
    """

    def __init__(
        self,
        wal: Wal,
        most_pending: int,
        room: Callable[[], RedanError | None],
        committed: Callable[[list[bytes]], None],
        *,
        linger_s: float = 0.0,
    ) -> None:
        self._wal = wal
        self._most = most_pending
        self._linger_s = linger_s
        self._ready = room
        self._committed = committed
        self._state = threading.Condition()
        self._groups: deque[Group] = deque()
        self._pending = 0
        self._waiting = 0
        self._idle = False
        self._ended: RedanError | None = None
        self._thread = threading.Thread(target=self._write, name="redan-log-writer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Entries handed in and not durable yet: what a crash now would lose."""
        return self._pending

    @property
    def ended(self) -> bool:
        """Whether nothing more is taken."""
        return self._ended is not None

    def add(self, entry: bytes) -> Ticket:
        """Hand in one entry; waits only when too many wait already.

        Raises:
            EvidenceError: the log is closed, or a failed sync ended it.
        """
        with self._state:
            self._room()
            group = self._open()
            group.put(entry)
            self._pending += 1
            if self._idle:
                self._state.notify_all()
            return Ticket(group, len(group.entries) - 1)

    def add_group(self, entries: Sequence[bytes], n_bytes: int) -> Ticket:
        """Hand in entries, of so many bytes together, that become durable together or not at all; never waits.

        Raises:
            EvidenceError: too many wait already, the log is closed, or a failed sync ended it.
        """
        count = len(entries)
        with self._state:
            if self._ended is not None:
                raise type(self._ended)(self._ended.message, hint=self._ended.hint)
            if self._pending + count > self._most:
                raise EvidenceError(
                    f"{self._pending} entries wait to be recorded and {count} more were handed in; the log lets "
                    f"{self._most} wait",
                    hint="hand them in again when the disk has caught up",
                )
            group = self._groups[-1] if self._groups else None
            if group is None or not group.fits(count, n_bytes):
                group = Group()
                self._groups.append(group)
            place = len(group.entries)
            group.put_all(entries, n_bytes)
            self._pending += count
            if self._idle:
                self._state.notify_all()
        return Ticket(group, place)

    def add_all(self, entries: list[bytes]) -> list[tuple[Group, int, int]]:
        """Hand in entries in this order; between those of two groups others' entries may stand.

        Returns:
            The groups, in order, each with the place of our first entry in it and how many of ours follow.
        """
        parts: list[tuple[Group, int, int]] = []
        at = 0
        while at < len(entries):
            with self._state:
                self._room()
                group, start = self._open(), at
                place = len(group.entries)
                while at < len(entries) and not group.full and self._pending < self._most:
                    group.put(entries[at])
                    self._pending += 1
                    at += 1
                parts.append((group, place, at - start))
                if self._idle:
                    self._state.notify_all()
        return parts

    def _room(self) -> None:
        while self._pending >= self._most and self._ended is None:
            self._waiting += 1
            self._state.wait()
            self._waiting -= 1
        if self._ended is not None:
            raise type(self._ended)(self._ended.message, hint=self._ended.hint)

    def _open(self) -> Group:
        last = self._groups[-1] if self._groups else None
        if last is None or last.full:
            last = Group()
            self._groups.append(last)
        return last

    def _write(self) -> None:
        while (group := self._next()) is not None:
            first = self._wal.size
            error = self._commit(group)
            with self._state:
                self._pending -= len(group.entries)
                if self._waiting:
                    self._state.notify_all()
            group.settle(first, error)

    def _next(self) -> Group | None:
        with self._state:
            while not self._groups and self._ended is None:
                self._idle = True
                self._state.wait()
                self._idle = False
            if self._linger_s and len(self._groups) == 1 and self._ended is None:
                # nobody notifies before a group is full or somebody waits for room, so this is one wait, not a loop
                self._state.wait_for(self._enough, timeout=self._linger_s)
            return self._groups.popleft() if self._groups else None

    def _enough(self) -> bool:
        return len(self._groups) > 1 or self._waiting > 0 or self._ended is not None

    def _commit(self, group: Group) -> RedanError | None:
        if isinstance(self._ended, _Lost):
            return self._ended
        if (error := self._ready()) is not None:
            return error
        try:
            self._wal.commit(group.entries)
        except OSError as err:
            return self._failed(err)
        self._committed(group.entries)
        return None

    def _failed(self, err: OSError) -> RedanError:
        """Make the file end where it did before the disk was full.

        After any other error nobody knows what the file holds, so that nothing more is written.
        """
        said = f"the entry was not recorded: {err.strerror or err}"
        try:
            if err.errno not in _FULL:
                raise err
            self._wal.undo()
        except OSError as again:
            lost = _Lost(f"{said}; the log is closed for writing ({again.strerror})", hint="open the log again")
            with self._state:
                self._ended = lost
                self._state.notify_all()
            return lost
        return EvidenceError(said, hint="make room; what was acknowledged before is safe")

    def close(self) -> None:
        """Write what waits, then stop; later entries are refused."""
        with self._state:
            if self._ended is None:
                self._ended = EvidenceError("this log was closed", hint="open it again")
            self._state.notify_all()
        self._thread.join()


class _Lost(EvidenceError):
    """A sync failed and the file could not be put right."""
