"""Watches answered requests and denials off the path of the answer: what `redan.service.parts.Watching` promises.

The event loop only puts a batch into a bounded queue. A thread takes what has come in slices of `SLICE_S` and works on
whole arrays; monitors that need each request may use `MOST_SHARE` of a core. When that is not enough, rows wait, at
most `MOST_WAITING`, and are seen in turns, as many of each client. What nobody saw is counted, and told as a finding.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import RedanError
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.kernels.statistics import wilson
from redan.service.guards.detectors import Suspects
from redan.service.watching.truths import Answered, unfit
from redan.service.watching.version import EVENTS_AT_ONCE, Version, events_of
from redan.threats.operation.monitors.access import AbnormalAccess, Use

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.monitor import Event
    from redan.core.settings import Settings
    from redan.service.audit.act import Act
    from redan.service.findings import Findings
    from redan.service.gateway.call import Batch, Call
    from redan.service.models.served import Served

SLICE_S = 0.25
PATIENCE_S = 2.0
LOOK_S = 1.0
AGAIN_S = 10.0
"""The same finding is published again after so long, with its newest numbers."""
MOST_ROWS = 16_384
MOST_DENIALS = 8192
MOST_ANSWERS = 100_000
"""Answers whose truth may still be told by the request's identifier alone."""
MOST_VERSIONS = 32
MOST_SHARE = 0.25
MOST_WAITING = 4096
"""Rows of one model that wait for the monitors that need each request: a storm of one second is seen a little later."""
MOST_WAITING_BYTES = 64 << 20
UNSEEN_RATE = 0.01
LEAST_ROWS = 100
MINUTE_S = 60.0
_UNWATCHED = "RDN-OPE-205"
_ROWS, _DENIALS = _WATCHED = ("rows", "denials")


class LiveWatching:
    """The thread and everything that it feeds.

    Args:
        settings: which watchers are on.
        root: folder that detectors' paths start from.
        findings: where findings go.
        clock: seconds since the epoch, for records alone.
    """

    def __init__(
        self, settings: Settings, root: Path, findings: Findings, clock: Callable[[], float] = time.time
    ) -> None:
        self._serve, self._root, self._findings, self._clock = settings.serve, root, findings, clock
        self.suspects = Suspects()
        self._access = AbnormalAccess() if "access" in settings.serve.watch else None
        self._remembers = "performance" in settings.serve.watch
        self._batches: deque[tuple[float, Batch]] = deque()
        self._denials: deque[Act] = deque()
        self._uses: dict[tuple[str, str], int] = {}
        self._used_s = 0.0
        self._told: deque[tuple[Answered, int]] = deque()
        self._rows = self._n_batches = self._n_looked_at = 0
        self._answers: OrderedDict[str, Answered] = OrderedDict()
        self._versions: dict[str, Version] = {}
        self._broken: set[str] = set()
        self._published: dict[str, tuple[float, Severity]] = {}
        self._wake, self._stopping = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._spent_s, self._looked_s, self._worked_s, self._minute_s = 0.0, 0.0, time.monotonic(), time.monotonic()
        self._minute = {what: [0, 0] for what in _WATCHED}
        self.n_seen = 0
        """Rows that were taken from the queue."""
        self.n_unseen = dict.fromkeys(_WATCHED, 0)
        """Answered rows, and denials, that the queue could not hold or that a monitor had no time for."""
        self.cpu_s = 0.0
        """CPU that the thread has used."""

    async def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._work, name="redan-watching", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """See what is still waiting, and end."""
        self._stopping = True
        self._wake.set()
        thread = self._thread
        if thread is not None:
            await asyncio.to_thread(thread.join)

    def answered(self, batch: Batch) -> None:
        """Take an answered batch; never blocks."""
        n = len(batch.x)
        if self._rows + n > MOST_ROWS:
            self._minute[_ROWS][0] += n
            self._unseen(_ROWS, n)
            return
        self._rows += n
        self._n_batches += 1
        self._batches.append((self._clock(), batch))

    def denied(self, act: Act) -> None:
        """Take a denial; never blocks."""
        if self._access is None:
            return
        self._minute[_DENIALS][0] += 1
        if len(self._denials) >= MOST_DENIALS:
            self._unseen(_DENIALS, 1)
        else:
            self._denials.append(act)

    def truth(self, request: str, truths: Sequence[int], *, model: str, client: str = "") -> str:
        """Take the truths of one answered request, once.

        Args:
            request: its identifier.
            truths: the right class of each of its rows.
            model: name that it must have been answered by.
            client: who must have asked it; anybody when empty.

        Returns:
            Empty when it was counted; else a word for why not: ``unknown`` or ``rows``.
        """
        known = self._answers.get(request)
        why = unfit(known, truths, model=model, client=client)
        if why or known is None:
            return why
        if self._answers.pop(request, None) is None:
            return "unknown"
        self.tell(request, known, truths)
        return ""

    async def remember(self, requests: Iterable[str]) -> None:
        """Wait a moment for answers that were given and are not remembered yet: who was answered may tell at once."""
        wanted, ends_s = self._n_batches, time.monotonic() + PATIENCE_S
        if all(request in self._answers for request in requests):
            return
        while self._n_looked_at < wanted and time.monotonic() < ends_s:
            await asyncio.sleep(SLICE_S / 10)

    def remembered(self, request: str) -> Answered | None:
        """Return what is remembered of an answer whose truth was not told yet."""
        return self._answers.get(request)

    def tell(self, request: str, known: Answered, truths: Sequence[int]) -> None:
        """Count the truths of an answer; the caller has made sure that they fit and are told once."""
        self._answers.pop(request, None)
        right = sum(a == b for a, b in zip(known.labels, truths, strict=True))
        self._told.append((known, right))

    def drain(self) -> None:
        """See everything that waits, now; the thread's own work, and a test's."""
        began_s = time.thread_time()
        self._see_batches()
        self._see_waiting()
        if self._access is not None:
            self._access.count(map(use_of, _taken(self._denials)))
        for known, right in _taken(self._told):
            version = self._versions.get(known.digest)
            if version is None and known.served is not None:
                version = self._version(known.served)
            if version is not None:
                version.operation.truths(right, len(known.labels), known.time_s)
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S or self._stopping:
            self._looked_s = now_s
            for version in list(self._versions.values()):
                self._publish(version.operation.look(), version.served.digest)
            if self._access is not None:
                self._access.count(self._take_uses())
                self._publish(self._access.findings(), "")
            self._tell_unseen(now_s)
        self.cpu_s += time.thread_time() - began_s

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return numbers for `redan.service.monitoring`: family, labels, value."""
        for what, n in self.n_unseen.items():
            yield ("redan_watch_unseen", (what,), n)
        for version in list(self._versions.values()):
            labels = (version.served.settings.name, version.served.settings.version)
            for what, index in version.operation.index.items():
                yield ("redan_drift", (*labels, what, "stability_index"), index)
            right, n = version.operation.accuracy
            if n:
                yield ("redan_drift", (*labels, "truths", "accuracy"), right / n)

    def _work(self) -> None:
        while not self._stopping:
            self._wake.wait(SLICE_S)
            self._safely(self.drain)
        self._safely(self.drain)

    def _safely(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:  # noqa: BLE001  # a mistake of one monitor is shown, and the others go on watching
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))

    def _see_batches(self) -> None:
        """Show what waits to the versions' monitors, and count who asked from where until the next look."""
        taken = _taken(self._batches)
        self._rows -= sum(len(batch.x) for _, batch in taken)
        by_version: dict[Served, list[tuple[float, Batch]]] = {}
        counts, counting = self._uses, self._access is not None
        for time_s, batch in taken:
            by_version.setdefault(batch.served, []).append((time_s, batch))
            for call in batch.calls if counting else ():
                key = (call.principal.id, call.addr)
                counts[key] = counts.get(key, 0) + 1
        try:
            for served, batches in by_version.items():
                self._see(served, batches)
        finally:
            self._n_looked_at += len(taken)
        if taken:
            self._used_s = taken[-1][0]

    def _take_uses(self) -> list[Use]:
        """Return who asked since the last look: one for each client and address, however often it asked."""
        taken, self._uses = self._uses, {}
        return [Use(time_s=self._used_s, who=who, addr=addr, n=n) for (who, addr), n in taken.items()]

    def _see(self, served: Served, batches: list[tuple[float, Batch]]) -> None:
        time_s, whole = batches[-1][0], [batch for _, batch in batches if batch.labels is not None]
        version = self._version(served)
        if version is None or not whole:
            return
        x = np.concatenate([batch.x for batch in whole])
        labels = np.concatenate([np.asarray(batch.labels) for batch in whole])
        known = [batch.scores for batch in whole if batch.scores is not None]
        scores = np.concatenate(known) if len(known) == len(whole) else None
        calls = [call for batch in whole for call in batch.calls if call.refusal is None]
        self.n_seen += len(x)
        self._minute[_ROWS][0] += len(x)
        version.last_s = time_s
        self._publish(version.see(x, labels, scores, calls, time_s), served.digest)
        if self._remembers:
            self._remember(calls, time_s)
        if version.is_dear:
            version.waiting = fairly([*version.waiting, *events_of(calls, time_s)])
            most = min(MOST_WAITING, MOST_WAITING_BYTES // max(1, x[0].nbytes))
            self._unseen(_ROWS, len(version.waiting) - most)
            del version.waiting[most:]

    def _see_waiting(self) -> None:
        """Let the monitors that need each request work within their share of a core."""
        now_s = time.monotonic()
        self._spent_s = max(0.0, self._spent_s - MOST_SHARE * (now_s - self._worked_s))
        self._worked_s = now_s
        for version in list(self._versions.values()):
            while version.waiting and self._spent_s <= MOST_SHARE * LOOK_S:
                began_s = time.thread_time()
                events = version.waiting[:EVENTS_AT_ONCE]
                del version.waiting[:EVENTS_AT_ONCE]
                if self._publish(version.see_events(events), version.served.digest):
                    # who is denied already must not keep monitors from seeing the next one
                    digest = version.served.digest
                    version.waiting = [each for each in version.waiting if not self.suspects.holds(digest, each.client)]
                self._spent_s += time.thread_time() - began_s
            if self._stopping:
                self._unseen(_ROWS, len(version.waiting))

    def _version(self, served: Served) -> Version | None:
        digest = served.digest
        found = self._versions.get(digest)
        if found is None and digest not in self._broken:
            try:
                found = self._versions[digest] = Version(served, self._serve, self._root)
            except RedanError as err:
                self._broken.add(digest)
                self._publish([_unwatched(served.settings.name, f"its monitors cannot start: {err.message}", 0, 0)], "")
            if len(self._versions) > MOST_VERSIONS:
                del self._versions[min(self._versions, key=lambda each: self._versions[each].last_s)]
        return found

    def _remember(self, calls: Iterable[Call], time_s: float) -> None:
        for call in calls:
            if call.labels is not None:
                model = call.served
                told = (model.digest, model.settings.name, call.labels.tolist(), time_s, call.principal.id)
                self._answers[call.id] = Answered(*told)
        while len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)

    def _publish(self, found: Iterable[Finding], digest: str) -> bool:
        """Publish findings, deny whom they name at a model, and tell whether they named anybody."""
        now_s, named = time.monotonic(), False
        for finding in found:
            clients = [place.address for place in finding.locations if place.uri == "client"]
            if digest and self._serve.guards.monitors:
                for client in clients:
                    self.suspects.add(digest, client)
                    named = True
            before = self._published.get(finding.fingerprint)
            if before is not None and now_s - before[0] < AGAIN_S and finding.severity <= before[1]:
                continue
            if len(self._published) >= MOST_DENIALS:
                del self._published[next(iter(self._published))]
            self._published[finding.fingerprint] = (now_s, finding.severity)
            self._findings.publish(finding)
        return named

    def _unseen(self, what: str, n: int) -> None:
        n = max(0, n)
        self.n_unseen[what] += n
        self._minute[what][1] += n

    def _tell_unseen(self, now_s: float) -> None:
        if now_s - self._minute_s < MINUTE_S and not self._stopping:
            return
        minute, self._minute, self._minute_s = self._minute, {what: [0, 0] for what in _WATCHED}, now_s
        for what, (n, unseen) in minute.items():
            if unseen >= LEAST_ROWS and unseen > UNSEEN_RATE * n:
                why = "they came faster than monitors may work"
                self._publish([_unwatched("service", why, unseen, max(unseen, n), what=what)], "")


def fairly(events: Sequence[Event]) -> list[Event]:
    """Return events in turns: the first of each client, then the second of each, and so on."""
    turns: dict[str, int] = {}
    ranked = []
    for i, event in enumerate(events):
        turn = turns[event.client] = turns.get(event.client, 0) + 1
        ranked.append((turn, i))
    return [events[i] for _, i in sorted(ranked)]


def use_of(act: Act) -> Use:
    """Return a decision as the watcher of access sees it."""
    tried = act.cred if act.who == "-" and not act.ok else ""
    return Use(time_s=act.t_us / 1e6, who=act.who, addr=act.addr, ok=act.ok, why=act.why, tried=tried)


def open_watching(settings: Settings, root: Path, *, findings: Findings) -> LiveWatching:
    """Return what watches, with nothing started.

    Args:
        settings: which watchers are on.
        root: folder that relative paths start from.
        findings: where findings go.
    """
    return LiveWatching(settings, root, findings)


def _taken(queue: deque[Any]) -> list[Any]:
    """Take what is in a queue now; others may go on filling it."""
    return [queue.popleft() for _ in range(len(queue))]


def _unwatched(subject: str, why: str, unseen: int, n: int, *, what: str = _ROWS) -> Finding:
    low, high = wilson(unseen, n)
    rate = Quantity(
        name="unseen_rate", value=unseen / n if n else 1.0, unit="fraction", n=n, low=low, high=high, better="lower"
    )
    return Finding(
        rule=_UNWATCHED,
        threat="operation",
        subject=subject,
        title=f"{unseen} of {n} {what} were not watched: {why}" if n else f"{subject} is not watched: {why}",
        severity=Severity.MEDIUM,
        detail="What was not seen is unknown, not clean.",
        quantities=(rate,),
        locations=(Location(uri="stream" if what == _ROWS else what),),
        remedies=("lower the rates, calibrate cheaper detectors, or add a replica",),
        references=("cwe:778",),
    )
