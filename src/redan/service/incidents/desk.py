"""Where findings become incidents and incidents become deeds: one desk in each replica, all over one database."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from redan.core.errors import EvidenceError, RedanError
from redan.service.incidents import acting, holds, timeline
from redan.service.incidents.doing import Doing

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.core.settings_service import Incidents
    from redan.evidence.store.database import Database
    from redan.service.audit.act import Act
    from redan.service.incidents.doing import Collect
    from redan.service.incidents.hands import Hands
    from redan.service.incidents.incident import Incident
    from redan.service.incidents.playbook import Playbook

MOST_WAITING = 1000
MOST_AT_ONCE = 32
PULSE_S = 1.0
REPEAT_S = 60.0
"""A finding that comes again is looked up once in this time; in between it is counted."""
Commit = Callable[[Sequence["Act"]], Awaitable[None] | None]


class Desk:
    """Takes findings, opens incidents, runs what is automatic and what people ordered; `start` it in an event loop.

    Whatever was ordered at another replica or at the command line is done within `PULSE_S` by one of them; clients that
    are held back are held back at every replica within the same time, and again after a restart.

    Args:
        settings: [incidents].
        database: of the service.
        playbooks: by name.
        hands: what steps do.
        collect: makes a bundle of evidence; blocks.
        commit: records acts in the audit log.
        replica: name of this one.
    """

    def __init__(
        self,
        settings: Incidents,
        database: Database,
        playbooks: dict[str, Playbook],
        hands: Hands,
        *,
        collect: Collect,
        commit: Commit | None,
        replica: str,
    ) -> None:
        self.settings, self.database, self.playbooks, self.hands = settings, database, playbooks, hands
        self.replica = replica
        self.n_dropped = self.n_repeated = 0
        self._commit = commit
        self._doing = Doing(settings, database, hands, collect, replica)
        self._lock = threading.Lock()
        self._queue: deque[tuple[Finding, float]] = deque()
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def notice(self, finding: Finding) -> None:
        """Take a finding from any thread; returns at once (a sink of `Findings.listen`)."""
        if not finding.gates(self.settings.level):
            return
        now_s = time.monotonic()
        with self._lock:
            last, severity = self._seen.get(finding.fingerprint, (-REPEAT_S, -1))
            if now_s - last < REPEAT_S and finding.severity <= severity:
                self.n_repeated += 1
                return
            if len(self._queue) >= MOST_WAITING:
                self.n_dropped += 1
                return
            self._seen[finding.fingerprint] = (now_s, int(finding.severity))
            self._seen.move_to_end(finding.fingerprint)
            if len(self._seen) > MOST_WAITING:
                self._seen.popitem(last=False)
            self._queue.append((finding, now_s))
        self._hurry("contain")

    async def start(self) -> None:
        """Begin to work on what is waiting."""
        self._loop = asyncio.get_running_loop()
        turns = {"contain": self._contain_turn, "rest": self._rest_turn}
        self._wake = {name: asyncio.Event() for name in turns}
        self._tasks = [asyncio.create_task(self._turns(name, turn)) for name, turn in turns.items()]
        self._hurry("contain")

    async def stop(self) -> None:
        """Stop; what is under way is begun again by another replica or at the next start."""
        self._loop = None
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        with contextlib.suppress(EvidenceError):
            await self._audit()

    def hurry(self) -> None:
        """Have what was just ordered in the database done now instead of at the next pulse."""
        self._hurry("contain")

    def _hurry(self, name: str) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended between the two lines
                loop.call_soon_threadsafe(self._wake[name].set)

    async def _turns(self, name: str, turn: Callable[[], Coroutine[Any, Any, None]]) -> None:
        wake = self._wake[name]
        while self._loop is not None:
            try:
                await turn()
            except RedanError as err:
                # the database may be away for a while; everything waits in it or in the queue
                sys.stderr.write(f"incidents: {err.message}\n")
            except Exception:  # noqa: BLE001  # a mistake of ours is shown; it must not end containment for ever
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
            with contextlib.suppress(TimeoutError):
                # wait_for would now and then lose a cancellation that comes with the event
                async with asyncio.timeout(PULSE_S):
                    await wake.wait()
            wake.clear()

    async def _contain_turn(self) -> None:
        """Findings, then what contains, then what others hold; findings go first in small portions."""
        while True:
            batch = self._portion()
            try:
                numbers = await asyncio.to_thread(self._take, [finding for finding, _ in batch])
            except EvidenceError:
                with self._lock:
                    self._queue.extendleft(reversed(batch))
                raise
            for number, (_, at_s) in zip(numbers, batch, strict=True):
                self._doing.found(number, at_s)
            await self._run(containing=True)
            if len(batch) < MOST_AT_ONCE:
                break
        await self._doing.hold_back()
        self._hurry("rest")

    async def _rest_turn(self) -> None:
        await self._run(containing=False)
        await self._audit()

    def _portion(self) -> list[tuple[Finding, float]]:
        with self._lock:
            return [self._queue.popleft() for _ in range(min(MOST_AT_ONCE, len(self._queue)))]

    def _take(self, findings: list[Finding]) -> list[int]:
        """Take findings in one transaction and return the number of each one's incident."""
        if not findings:
            return []
        known: dict[int, Incident] = {}
        with self.database.writing() as connection:
            taken = [timeline.take(connection, finding, known=known) for finding in findings]
            for number in dict.fromkeys(each.incident.number for each in taken if each.what != "known"):
                acting.order_automatic(connection, known[number], self.playbooks, self.settings.automatic)
        return [each.incident.number for each in taken]

    async def _run(self, *, containing: bool) -> None:
        for again in [c for c in self._doing.unfinished.values() if c.step.contains == containing]:
            await self._doing.do(again)
        for _ in range(MOST_AT_ONCE):
            claimed = await asyncio.to_thread(
                acting.claim, self.database, self.playbooks, who=self.replica, containing=containing
            )
            if claimed is None:
                return
            await self._doing.do(claimed)

    async def _audit(self) -> None:
        if self._commit is None:
            return
        while waiting := await asyncio.to_thread(self._unaudited):
            written = self._commit([act for _, act in waiting])
            if written is not None:
                await written
            await asyncio.to_thread(self._audited, [key for key, _ in waiting])

    def _unaudited(self) -> list[tuple[tuple[int, int], Act]]:
        with self.database.reading() as connection:
            return timeline.unaudited(connection, self.replica)

    def _audited(self, keys: list[tuple[int, int]]) -> None:
        with self.database.writing() as connection:
            timeline.audited(connection, keys)

    def held(self) -> dict[str, holds.Hold]:
        """Return who is held back now, as this replica has told its limiter."""
        return dict(self._doing.told)
