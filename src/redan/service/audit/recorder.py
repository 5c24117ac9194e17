"""The auditor of a running gateway: every decision into this replica's own log, nothing served that is not recorded.

Each replica has its own log under its own name, so that no replica waits for another and none can stop the others.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from redan.core.errors import EvidenceError, RedanError
from redan.core.settings import age_s
from redan.evidence.log import Log, LogBusy, Ticket, open_log
from redan.evidence.log.wal import GROUP_BYTES, MOST_IN_GROUP
from redan.kernels.merkle.tiles import LARGEST_ENTRY_BYTES
from redan.service.audit import places, spool
from redan.service.audit.act import Act
from redan.service.audit.answers import Answers
from redan.service.audit.keeping import Keeper, Kept
from redan.service.audit.redaction import Redaction
from redan.service.audit.retention import Clock, prune
from redan.service.audit.strangers import Strangers
from redan.service.audit.telling import Telling

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.service.findings import Findings

LINGER_S = 0.01
"""How long an asynchronous record waits for others before they are synced together; a client never waits for it."""
LOOK_EVERY_S = 0.25
PRUNE_EVERY_S = 3600.0
PRUNE_FIRST_S = 900.0
"""A machine that starts with a wrong clock has been told the time by then, which `Clock` notices."""
MOST_WAITING_DURABLE = 16_384
_ALWAYS_FIT = GROUP_BYTES // LARGEST_ENTRY_BYTES


def open_auditor(settings: Settings, root: Path, replica: str, *, findings: Findings | None = None) -> LogAuditor:
    """Make the auditor of a replica; `LogAuditor.start` opens its log.

    Args:
        settings: redan.toml.
        root: folder that its relative paths start from.
        replica: name of this replica.
        findings: is shown when nothing can be recorded, or something was lost; None where nobody asks.
    """
    return LogAuditor(settings, root, replica, Telling(findings, replica) if findings is not None else None)


class LogAuditor:
    """`redan.service.parts.Auditor` over one transparency log."""

    def __init__(self, settings: Settings, root: Path, replica: str, telling: Telling | None = None) -> None:
        self._settings, self._root, self._replica, self._telling = settings, root, replica, telling
        self._durable = settings.audit.mode == "durable"
        self._most = MOST_WAITING_DURABLE if self._durable else settings.audit.most_lost
        self._log: Log | None = None
        self._trouble: RedanError | None = EvidenceError("the audit log is not open yet")
        self._lost = self._untold = self._committed = 0
        self._counting = threading.Lock()
        self._strangers = Strangers(settings.audit.strangers_per_s)
        self._stopping = threading.Event()
        self._look = threading.Event()
        self._thread: threading.Thread | None = None
        self._keeper: Keeper | None = None
        self._answers: Answers | None = None
        self.redaction: Redaction | None = None

    @property
    def pending(self) -> int:
        """Records handed in and not on disk: what a crash now would lose of acknowledged ones in async mode."""
        return self._log.pending if self._log is not None else 0

    @property
    def lost(self) -> int:
        """Records whose caller was told to go on (async mode) and which a failing disk then did not take."""
        return self._lost

    @property
    def dropped(self) -> int:
        """Bodies that the policy keeps and that were too many to write; their digests are in the log."""
        return self._keeper.dropped if self._keeper is not None else 0

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return numbers for `redan.service.monitoring`: family, labels, value."""
        yield ("redan_audit_committed", (), self._committed)
        yield ("redan_audit_kept_dropped", (), self.dropped)

    async def start(self) -> None:
        """Open the log; it and its key are made at the first start.

        Raises:
            UsageError: another process writes to it, or the folder cannot be made.
            EvidenceError: it was damaged or tampered with.
        """
        self._answers = Answers(asyncio.get_running_loop())
        await asyncio.to_thread(self._open)
        if self._settings.audit.keep in ("answers", "inputs"):
            self._keeper = Keeper(self._folder_of_kept())
            await self._keeper.start()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._keep_in_order, name="redan-audit", daemon=True)
        self._thread.start()

    def _folder_of_kept(self) -> Kept:
        secret = places.secret(self._settings, self._root)
        return Kept(places.kept_folder(self._settings, self._root), secret)

    def _open(self) -> None:
        if self.redaction is None:
            secret = places.secret(self._settings, self._root)
            self.redaction = Redaction(self._settings.audit, secret.secret)
        folder, signer = places.made_log(self._settings, self._root, self._replica)
        linger_s = 0.0 if self._durable else LINGER_S
        self._log = open_log(folder, signer, most_pending=self._most, linger_s=linger_s)
        self._trouble = None

    async def stop(self) -> None:
        """Make durable what waits, sign a last checkpoint and let go of the log.

        Raises:
            EvidenceError: the last checkpoint could not be written; no record is lost.
        """
        self._stopping.set()
        self._look.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        if self._keeper is not None:
            await self._keeper.stop()
        with suppress(EvidenceError):
            await asyncio.to_thread(partial(self._sum_up, now=True))
        log, self._log = self._log, None
        self._trouble = EvidenceError("the audit log was closed")
        if log is not None:
            await asyncio.to_thread(log.close)

    def healthy(self) -> bool:
        """Return whether decisions can be recorded."""
        log = self._log
        return self._trouble is None and log is not None and log.pending < self._most

    def commit(self, acts: Sequence[Act]) -> Awaitable[None] | None:
        """Record acts together; never waits.

        Returns:
            None in async mode; in durable mode what to await before answering.

        Raises:
            EvidenceError: nothing can be recorded now, or too much waits (also from the awaitable).
        """
        trouble, log, redaction = self._trouble, self._log, self.redaction
        if trouble is not None or log is None or redaction is None:
            raise EvidenceError(trouble.message if trouble is not None else "the audit log is not open")
        acts = self._strangers.sorted_out(acts)
        if self._keeper is not None:
            acts = [self._keeper.put_aside(act) for act in acts]
        entry = redaction.entry
        entries = [entry(act) for act in acts]
        if not entries:
            return None
        if len(entries) <= _ALWAYS_FIT or (len(entries) <= MOST_IN_GROUP and sum(map(len, entries)) <= GROUP_BYTES):
            return self._hand_in(log, entries)
        return self._all_of([self._hand_in(log, part) for part in _parts(entries)])

    def record(self, act: Act) -> None:
        """Record one act and return when it is durable, in either mode; blocks, so never from the event loop.

        Raises:
            EvidenceError: it is not recorded.
        """
        trouble, log, redaction = self._trouble, self._log, self.redaction
        if trouble is not None or log is None or redaction is None:
            raise EvidenceError(trouble.message if trouble is not None else "the audit log is not open")
        try:
            self._append(log, redaction.entry(act))
        except EvidenceError as err:
            self._failed(err)
            raise

    def _hand_in(self, log: Log, entries: list[bytes]) -> Awaitable[None] | None:
        ticket = log.append_group(entries)
        if not self._durable:
            ticket.then(lambda: self._written(ticket, len(entries)))
            return None
        answers = self._answers
        assert answers is not None
        future = answers.future()

        def settled() -> None:
            error = ticket.error
            if error is not None:
                self._failed(error)
            else:
                self._durable_now(len(entries))
            answers.give(future, error)

        ticket.then(settled)
        return future

    def _written(self, ticket: Ticket, count: int) -> None:
        if ticket.error is not None:
            self._lost += count
            self._untold += count
            self._failed(ticket.error)
        else:
            self._durable_now(count)

    def _append(self, log: Log, entry: bytes) -> int:
        index = log.append(entry)
        self._durable_now(1)
        return index

    def _durable_now(self, count: int) -> None:
        with self._counting:
            self._committed += count

    def _failed(self, error: RedanError) -> None:
        """Record nothing more until the keeper has shown that it can be recorded."""
        self._trouble = error
        self._look.set()

    def _all_of(self, parts: list[Awaitable[None] | None]) -> Awaitable[None] | None:
        waited = [part for part in parts if part is not None]
        if not waited:
            return None

        async def every() -> None:
            for part in waited:
                await part

        return every()

    def _keep_in_order(self) -> None:
        """Recover, take what verbs handed over, prune: all that takes time, in a thread of its own."""
        clock = Clock()
        next_s = time.monotonic() + PRUNE_FIRST_S
        while not self._stopping.is_set():
            self._look.wait(LOOK_EVERY_S)
            self._look.clear()
            if self._stopping.is_set():
                return
            self._told_of()
            try:
                if self._trouble is not None:
                    self._recover()
                self._take_spool()
                self._sum_up()
                if time.monotonic() >= next_s:
                    next_s = time.monotonic() + PRUNE_EVERY_S
                    self._prune(clock)
            except Exception as err:  # noqa: BLE001  # without this thread nothing would ever be recorded again after a failure
                # told once for each kind of trouble by `_tell`; the next look tries again
                self._tell(err)
                self._stopping.wait(LOOK_EVERY_S)

    def _sum_up(self, *, now: bool = False) -> None:
        """Record how many requests of callers whom nobody knows were only counted."""
        log, redaction = self._log, self.redaction
        if log is not None and redaction is not None and self._trouble is None:
            for act in self._strangers.sums(now=now):
                log.append(redaction.entry(msgspec.structs.replace(act, by=self._replica)))

    def _told_of(self) -> None:
        """Publish what happens to the record; its room is looked at before anything is mended."""
        if self._telling is not None:
            trouble = self._trouble
            full = self.pending >= self._most
            self._telling.look("" if trouble is None else trouble.message, full=full, lost=self._lost)

    _told = ""

    def _tell(self, err: Exception) -> None:
        if isinstance(err, RedanError):
            words = err.diagnostics()
        else:
            words = str(err) if isinstance(err, OSError) else "".join(traceback.format_exception(err)).rstrip()
        if words != self._told:
            sys.stderr.write(f"audit: {words}\n")
            self._told = words

    def _recover(self) -> None:
        """Open a log that was closed by a failed sync, and show by an entry that there is room again."""
        log = self._log
        if log is None or log.broken:
            self._log = None
            if log is not None:
                _closed(log)
            self._open_again()
            log = self._log
        assert log is not None
        assert self.redaction is not None
        untold = self._untold
        self._append(log, self.redaction.entry(self._own_act("audit.gap", why="recovered", rows=untold)))
        self._untold -= untold
        self._trouble = None
        self._tell(EvidenceError(f"recording again; {untold} records that were acknowledged before are lost"))

    def _open_again(self) -> None:
        trouble = self._trouble
        try:
            self._open()
        finally:
            self._trouble = trouble

    def _take_spool(self) -> None:
        log, redaction = self._log, self.redaction
        if log is not None and redaction is not None and self._trouble is None:
            folder = places.spool_folder(self._settings, self._root)
            spool.drain(folder, partial(self._append, log), redaction, by=self._replica)

    def _prune(self, clock: Clock) -> None:
        age = age_s(self._settings.audit.retention)
        if age is None or self._log is None:
            return
        if clock.jumped():
            raise EvidenceError(
                "the wall clock jumped since the start, so nothing is pruned by age", hint="restart when it is right"
            )
        prune(self._log, older_than_s=age, act=self._own_act("audit.prune"))
        self._folder_of_kept().forget(older_than_s=age)

    def _own_act(self, name: str, *, why: str = "", rows: int = 0) -> Act:
        return Act(t_us=time.time_ns() // 1000, who="system:audit", act=name, why=why, rows=rows, by=self._replica)


def _closed(log: Log) -> None:
    try:
        log.close()
    except EvidenceError:
        return  # its write-ahead log keeps what was acknowledged; opening again reads it


def _parts(entries: list[bytes]) -> list[list[bytes]]:
    """Cut entries into groups that the log takes."""
    parts: list[list[bytes]] = [[]]
    n_bytes = 0
    for entry in entries:
        if len(parts[-1]) == MOST_IN_GROUP or n_bytes + len(entry) > GROUP_BYTES:
            parts.append([])
            n_bytes = 0
        parts[-1].append(entry)
        n_bytes += len(entry)
    return parts


def record_once(settings: Settings, root: Path, act: Act) -> None:
    """Record one act of a verb: into the log where no server writes, else into the spool that the server drains.

    Raises:
        UsageError: the log cannot be made or written to.
        EvidenceError: the act cannot be recorded.
    """
    redaction = Redaction(settings.audit, places.secret(settings, root).secret)
    replica = places.replica_name(settings)
    folder, signer = places.made_log(settings, root, replica)
    waiting = places.spool_folder(settings, root)
    try:
        log = open_log(folder, signer)
    except LogBusy:
        spool.hand_over(waiting, act, redaction)
        return
    with log:
        spool.drain(waiting, log.append, redaction, by=replica)
        log.append(redaction.entry(act))
