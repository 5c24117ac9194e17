"""The writing end of a transparency log: durable appends, and checkpoints that follow.

Two threads besides the caller's: one makes groups of entries durable in the write-ahead log, one turns them into tiles
and signs a checkpoint now and then. An entry is acknowledged when its group is durable; it is under a signed checkpoint
a second or so later, or when `Log.checkpoint` is called.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from redan.core.errors import EvidenceError, UsageError
from redan.evidence.keys import Signer
from redan.evidence.log import notes, pruning, wal
from redan.evidence.log.commit import Committer, Ticket
from redan.evidence.log.disk import Disk
from redan.evidence.log.notes import Checkpoint
from redan.evidence.log.opening import locked, opened
from redan.evidence.log.reading import CHECKPOINT, KEY, LOCK, PRUNED, WAL, LogReader
from redan.kernels.merkle import tiles
from redan.kernels.merkle.hashes import EMPTY_ROOT

MOST_PENDING = 16_384
CHECKPOINT_EVERY_S = 1.0
MOST_UNPUBLISHED = 65_536
MOST_UNPUBLISHED_BYTES = 64 << 20


def create_log(folder: Path, signer: Signer, origin: str, *, disk: Disk | None = None) -> Checkpoint:
    """Make an empty log and return its first checkpoint, over nothing.

    Args:
        folder: new or empty.
        signer: an Ed25519 key.
        origin: the log's name, for example ``example.com/models``; it can never change.
        disk: the file system.

    Raises:
        UsageError: the folder holds something, the key is of another kind, or the name does not fit.
    """
    disk = disk or Disk()
    key = notes.key_of(origin, signer.verifier)
    checkpoint = notes.sign(Checkpoint(origin=origin, size=0, root=EMPTY_ROOT), signer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{str(folder)!r} is not empty", hint="choose a new folder; logs are never replaced")
        disk.make_folder(folder / WAL)
        disk.publish({folder / KEY: key.text().encode() + b"\n", folder / LOCK: b""})
        disk.publish({folder / CHECKPOINT: checkpoint.text().encode()})
        disk.sync_folder(folder.parent)
    except OSError as err:
        raise UsageError(f"cannot make a log in {str(folder)!r}: {err.strerror}") from err
    return checkpoint


class Log:
    """A log open for writing; one at a time. Every method may be called from any thread. Made by `open_log`."""

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        lock: int,
        *,
        disk: Disk,
        most_pending: int,
        every_s: float,
        linger_s: float = 0.0,
    ) -> None:
        self.folder = folder
        self._signer = signer
        self._lock = lock
        self._disk = disk
        self._every_s = every_s
        self._publishing = threading.Lock()
        self._state = threading.Condition()
        self._trouble: EvidenceError | None = None
        self._closed = False
        self._checkpoint, self._edge, self._fresh, old = opened(folder, signer, disk)
        self._base = self._checkpoint.size
        self._fresh_bytes = sum(map(len, self._fresh))
        self._files: dict[str, bytes] = {}
        self._wal = wal.Wal(folder / WAL, disk, self._base + len(self._fresh), old)
        self.checkpoint()
        self._committer = Committer(self._wal, most_pending, self._room, self._committed, linger_s=linger_s)
        self._thread = threading.Thread(target=self._publish_now_and_then, name="redan-log-publisher", daemon=True)
        self._thread.start()

    @property
    def size(self) -> int:
        """Durable entries."""
        with self._state:
            return self._base + len(self._fresh)

    @property
    def pending(self) -> int:
        """Entries handed in and not yet durable: what a crash now would lose, at most the log's ``most_pending``."""
        return self._committer.pending

    @property
    def broken(self) -> bool:
        """Whether nothing can be recorded until the log is closed and opened again."""
        return self._committer.ended

    def append(self, entry: bytes) -> int:
        """Record an entry and return its index when it is durable.

        Raises:
            UsageError: it is larger than 65 535 bytes.
            EvidenceError: it could not be recorded.
        """
        return self.append_async(entry).index()

    def append_async(self, entry: bytes) -> Ticket:
        """Hand in an entry and go on; the ticket tells when it is durable.

        A crash loses at most what was handed in and is not durable yet: never more than ``most_pending`` entries, since
        this waits while so many wait already.

        Raises:
            UsageError: it is larger than 65 535 bytes.
            EvidenceError: the log is closed.
        """
        _fits(entry)
        return self._committer.add(entry)

    def append_group(self, entries: Sequence[bytes]) -> Ticket:
        """Hand in entries that become durable together or not at all, side by side; the ticket is the first one's.

        Unlike `append_async` this never waits, so that an event loop may call it.

        Raises:
            UsageError: one is larger than 65 535 bytes, there is none, or together they are more than one group holds.
            EvidenceError: as many as may wait do already, or the log is closed.
        """
        n_bytes = sum(map(len, entries))
        if not 0 < len(entries) <= wal.MOST_IN_GROUP or n_bytes > wal.GROUP_BYTES:
            raise UsageError(
                f"{len(entries)} entries of {n_bytes} bytes are no group",
                hint=f"1 to {wal.MOST_IN_GROUP} entries of at most {wal.GROUP_BYTES} bytes together",
            )
        if n_bytes > tiles.LARGEST_ENTRY_BYTES:
            _fits(max(entries, key=len))
        return self._committer.add_group(entries, n_bytes)

    def append_many(self, entries: Iterable[bytes]) -> list[int]:
        """Record entries in their order and return their indexes when all are durable.

        Other threads' entries may stand between them. When this raises, a first part may have been recorded.

        Raises:
            UsageError: one is larger than 65 535 bytes; nothing was recorded.
            EvidenceError: some could not be recorded.
        """
        given = list(entries)
        for entry in given:
            _fits(entry)
        found: list[int] = []
        for group, place, count in self._committer.add_all(given):
            group.wait()
            found += range(group.first + place, group.first + place + count)
        return found

    def entry(self, index: int) -> bytes:
        """Return a durable entry; reads one bundle at most.

        Raises:
            UsageError: there is no such entry.
        """
        with self._state:
            if 0 <= index - self._base < len(self._fresh):
                return self._fresh[index - self._base]
            checkpoint = self._checkpoint
        return LogReader(self.folder, checkpoint).entry(index)

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Give the durable entries from ``start`` up to ``stop``, in order."""
        with self._state:
            checkpoint, fresh = self._checkpoint, list(self._fresh)
        stop = checkpoint.size + len(fresh) if stop is None else stop
        yield from LogReader(self.folder, checkpoint).entries(start, stop)
        yield from fresh[max(0, start - checkpoint.size) : max(0, stop - checkpoint.size)]

    def reader(self) -> LogReader:
        """Return a reader of the latest checkpoint."""
        return LogReader(self.folder, self._checkpoint)

    def proof(self, index: int) -> str:
        """Return a file that proves offline that an entry stands in the log.

        Raises:
            UsageError: there is no such entry.
        """
        from redan.evidence.log.proving import inclusion_file

        if index >= self._checkpoint.size:
            self.checkpoint()
        return inclusion_file(self.reader(), index)

    def checkpoint(self) -> Checkpoint:
        """Publish and sign everything that is durable now, and return the checkpoint.

        Raises:
            EvidenceError: the files cannot be written; no entry is lost, and the next checkpoint tries again.
        """
        with self._publishing:
            with self._state:
                fresh = self._fresh[self._edge.size - self._base :]
            if not fresh and not self._files and self._edge.size == self._checkpoint.size:
                return self._checkpoint
            self._files |= self._edge.extend(fresh)
            head = Checkpoint(origin=self._checkpoint.origin, size=self._edge.size, root=self._edge.root())
            signed = notes.sign(head, self._signer)
            try:
                self._publish(signed)
            except OSError as err:
                self._trouble = EvidenceError(f"cannot write the log's tiles: {err.strerror}", hint="make room")
                raise self._trouble from err
            finally:
                with self._state:
                    self._state.notify_all()
            self._trouble = None
            return signed

    def prune(self, size: int) -> int:
        """Let go of the first ``size`` entries, as far as they fill whole bundles; hashes, proofs and root stay.

        Returns:
            How many of the first entries are hashes only now; never fewer than before.

        Raises:
            EvidenceError: the files cannot be changed; asking again goes on.
        """
        head = self.checkpoint()
        reader = self.reader()
        wanted = max(reader.pruned, min(size, head.size) // tiles.WIDTH * tiles.WIDTH)
        try:
            if wanted > reader.pruned:
                note = pruning.note_of(reader, wanted, self._signer)
                self._disk.publish({self.folder / PRUNED: note.text().encode()})
            pruning.remove_bundles(self.folder, wanted, self._disk)
        except OSError as err:
            raise EvidenceError(f"cannot prune the log: {err.strerror}", hint="prune again") from err
        return wanted

    def _publish(self, signed: Checkpoint) -> None:
        """Write tiles, then the checkpoint that promises them, then let go of what nobody needs any more."""
        files = self._files | self._edge.partial()
        self._disk.publish({self.folder / name: data for name, data in files.items()})
        self._disk.publish({self.folder / CHECKPOINT: signed.text().encode()})
        full, self._files = self._files, {}
        with self._state:
            n = signed.size - self._base
            self._fresh_bytes -= sum(map(len, self._fresh[:n]))
            del self._fresh[:n]
            self._base, self._checkpoint = signed.size, signed
        self._wal.retire(signed.size)
        for name in full:
            self._remove_partials((self.folder / name).with_name(Path(name).name + ".p"))

    def _remove_partials(self, folder: Path) -> None:
        if folder.is_dir():
            for path in folder.iterdir():
                self._disk.remove(path)
            self._disk.remove_folder(folder)

    def _room(self) -> EvidenceError | None:
        """Wait while too much is unpublished; after an unsuccessful attempt to publish, say why instead."""
        with self._state:
            while self._crowded():
                if self._trouble is not None:
                    return self._trouble
                self._state.notify_all()
                self._state.wait()
        return None

    def _crowded(self) -> bool:
        return len(self._fresh) >= MOST_UNPUBLISHED or self._fresh_bytes >= MOST_UNPUBLISHED_BYTES

    def _committed(self, entries: list[bytes]) -> None:
        with self._state:
            if not self._fresh or self._crowded():
                self._state.notify_all()
            self._fresh += entries
            self._fresh_bytes += sum(map(len, entries))

    def _publish_now_and_then(self) -> None:
        while self._due():
            try:
                self.checkpoint()
            except EvidenceError:
                with self._state:  # `_trouble` tells the appenders; try again after a while
                    self._state.wait_for(lambda: self._closed, timeout=self._every_s)

    def _due(self) -> bool:
        """Wait until there is something to publish and it is time; False when the log is being closed."""
        with self._state:
            self._state.wait_for(lambda: self._fresh or self._closed)
            self._state.wait_for(lambda: self._closed or self._crowded(), timeout=self._every_s)
            return not self._closed

    def close(self) -> None:
        """Make durable what waits, sign a last checkpoint, and let another process write.

        Raises:
            EvidenceError: the last checkpoint could not be written; the entries are safe in the write-ahead log.
        """
        if self._closed:
            return
        self._committer.close()
        with self._state:
            self._closed = True
            self._state.notify_all()
        self._thread.join()
        try:
            self.checkpoint()
            self._wal.end()
            self._wal.retire(self._checkpoint.size)
        except OSError as err:
            raise EvidenceError(f"cannot tidy up the log: {err.strerror}", hint="no entry is lost") from err
        finally:
            self._wal.end()
            os.close(self._lock)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fits(entry: bytes) -> None:
    if len(entry) > tiles.LARGEST_ENTRY_BYTES:
        raise UsageError(
            f"an entry has {len(entry)} bytes; a log takes at most {tiles.LARGEST_ENTRY_BYTES}",
            hint="record the digest of what is larger",
        )


def open_log(
    folder: Path,
    signer: Signer,
    *,
    most_pending: int = MOST_PENDING,
    checkpoint_every_s: float = CHECKPOINT_EVERY_S,
    linger_s: float = 0.0,
    disk: Disk | None = None,
) -> Log:
    """Open a log for writing; what a crash left half-written is put right.

    Args:
        folder: made by `create_log`.
        signer: the key that signed its checkpoints.
        most_pending: entries that may wait to become durable: the most that a crash can lose of asynchronous appends.
        checkpoint_every_s: how long a durable entry may wait for a signed checkpoint while the log is open.
        linger_s: how long the first entry of a group waits for others before they are synced together; 0 syncs at once.
        disk: the file system; tests record its calls.

    Raises:
        Unreadable: there is no log.
        LogBusy: somebody else writes to it.
        UsageError: it may not be written to.
        SignatureRefused: its checkpoint is not of this key.
        EvidenceError: it was damaged or tampered with.
    """
    lock = locked(folder)
    try:
        return Log(
            folder,
            signer,
            lock,
            disk=disk or Disk(),
            most_pending=max(1, most_pending),
            every_s=checkpoint_every_s,
            linger_s=linger_s,
        )
    except OSError as err:
        os.close(lock)
        raise EvidenceError(f"cannot open the log {str(folder)!r}: {err.strerror}") from err
    except BaseException:
        os.close(lock)
        raise
