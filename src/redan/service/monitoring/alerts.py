"""Findings to people: each once, again when it lasts, once more when it is gone; one channel never waits for another.

Which alerts were sent is kept in the shared database, so that of replicas one sends, and a restart sends none again
(`redan.service.monitoring.claims`). What waits is kept in files (`redan.service.monitoring.undelivered`) and sent after
the next start, also after a crash. Every queue has a bound, and what is dropped or fails is counted and told on
standard error.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Literal, TypeVar

from redan.core.errors import EvidenceError
from redan.core.settings import age_s
from redan.service.monitoring.channel import Channel, Later, Undeliverable
from redan.service.monitoring.claims import RELIEF_S
from redan.service.monitoring.notice import Notice, State, notice_of
from redan.service.monitoring.undelivered import Kept

if TYPE_CHECKING:
    from redan.core.finding import Finding, Severity
    from redan.core.settings_service import Alerts
    from redan.service.monitoring.claims import Claims
    from redan.service.monitoring.recorder import Counting, Reading
    from redan.service.monitoring.undelivered import Undelivered

MOST_WAITING = 256
"""Notices that wait for one channel."""
MOST_KNOWN = 1000
"""Findings that are remembered, so that they are not sent again at once."""
OUTCOMES = ("sent", "retried", "failed", "dropped", "shared", "kept")
TRIES = 6
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
AGAIN_S = 300.0
"""A receiver that was away for all tries is tried again after so long, as long as the alert is kept and young."""
YOUNG_S = 86_400.0
STOP_S = 5.0
PATIENCE_S = 30.0
"""How long one try may take, whatever trickles in."""
BURST = 30
"""New notices of one severity at once; then one every `EVERY_S`, so that a flood of small ones hides no great one."""
EVERY_S = 20.0
_jitter = SystemRandom().uniform
Waiting = tuple[Notice, bool]
"""A notice, and whether every replica has the same to say, so that one of them does."""
Outcome = Literal["sent", "away", "never"]
"""What came of an alert's tries: its receiver did not answer, or will never take it."""
Told = TypeVar("Told")


@dataclass(slots=True)
class _Known:
    """A finding that was sent."""

    finding: Finding
    sent_s: float
    seen_s: float
    times: int


class Alerting:
    """Listens to findings and sends those at or above a level.

    Args:
        settings: ``[alerts]``.
        channels: where to (`channels_of`).
        counting: counts what became of each notice.
        replica: name of this replica.
        claims: which replica sends; None where there is one alone.
        undelivered: keeps what waits over a crash; None forgets it.
        clock: seconds that only ever grow.
        first_wait_s: wait before the second try; doubles each time.
        relief_s: after how long it is looked whether another replica has sent what it claimed.
        again_s: after how long a receiver that was away is tried anew.
    """

    def __init__(
        self,
        settings: Alerts,
        channels: Sequence[Channel],
        counting: Counting,
        replica: str,
        *,
        claims: Claims | None = None,
        undelivered: Undelivered | None = None,
        clock: Callable[[], float] = time.monotonic,
        first_wait_s: float = FIRST_WAIT_S,
        relief_s: float = RELIEF_S + 1,
        again_s: float = AGAIN_S,
    ) -> None:
        self._relief_s, self._again_s = relief_s, again_s
        self._level = settings.level
        self._repeat_s = float(age_s(settings.repeat) or 0)
        self._resolved_s = float(age_s(settings.resolved) or 0)
        self._counting, self._replica, self._clock, self._first_wait_s = counting, replica, clock, first_wait_s
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._allowed: dict[Severity, tuple[float, float]] = {}
        self._guard = threading.Lock()
        self._channels, self._claims, self._undelivered = tuple(channels), claims, undelivered
        self._later: set[asyncio.TimerHandle] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: list[asyncio.Queue[Waiting]] = []
        self._tasks: list[asyncio.Task[None]] = []
        # other parts start first, and may have something to say already
        self._early: deque[Waiting] = deque(maxlen=MOST_WAITING)
        # threads of its own: a receiver that hangs must not take those that ask the database
        self._threads = {channel.name: ThreadPoolExecutor(1, f"alerts-{channel.name}") for channel in self._channels}

    async def start(self) -> None:
        """Begin to send, with what an earlier run could not deliver."""
        undelivered = self._undelivered
        kept = await asyncio.to_thread(undelivered.all) if undelivered is not None else []
        self._loop = asyncio.get_running_loop()
        self._queues = [asyncio.Queue(MOST_WAITING) for _ in self._channels]
        for channel in self._channels:
            for outcome in OUTCOMES:
                # a counter that is born with its first failure would never be seen to rise
                self._count(channel, outcome, 0)
        for each in kept:
            self._take_up(each)
        while self._early:
            self._put(self._early.popleft())
        pairs = zip(self._channels, self._queues, strict=True)
        self._tasks = [asyncio.create_task(self._deliver(channel, queue)) for channel, queue in pairs]
        if self._channels and self._resolved_s:
            self._tasks.append(asyncio.create_task(self._sweep()))

    async def stop(self) -> None:
        """Send what waits, for a few seconds at most; what is left is kept for the next start, and counted."""
        if self._queues:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await asyncio.gather(*(queue.join() for queue in self._queues))
        for timer in self._later:
            timer.cancel()
        self._later.clear()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)
        left = "dropped"
        if self._undelivered is not None:
            left = "kept"
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await asyncio.to_thread(self._undelivered.settle)
            self._undelivered.end()
        for channel, queue in zip(self._channels, self._queues, strict=True):
            if queue.qsize():
                self._count(channel, left, queue.qsize())
        self._loop, self._queues, self._tasks = None, [], []

    def notice(self, finding: Finding) -> None:
        """Take a finding (`redan.service.findings.Findings.listen`); from any thread, never blocks."""
        if finding.severity < self._level or not self._channels:
            return
        now_s = self._clock()
        with self._guard:
            state, known = self._judge(finding, now_s)
        if state is not None:
            self._say(known.finding, state, known.times)

    def send(self, notice: Notice) -> None:
        """Send a notice of somebody else, such as a step of a playbook, to every channel; from any thread."""
        self._send((notice, False))

    def _send(self, waiting: Waiting) -> None:
        loop = self._loop
        if loop is None:
            self._early.append(waiting)
            return
        with suppress(RuntimeError):  # the loop closed between the two lines: the service has ended
            loop.call_soon_threadsafe(self._put, waiting)

    def _judge(self, finding: Finding, now_s: float) -> tuple[State | None, _Known]:
        key = finding.fingerprint
        known = self._known.get(key)
        if finding.status != "open":
            gone = self._known.pop(key, None)
            return ("resolved" if gone is not None and finding.status == "mitigated" else None), gone or _Known(
                finding, now_s, now_s, 0
            )
        if known is None:
            if not self._may(finding.severity, now_s):
                self._counting.add("redan_alerts", ("all", "limited"))
                return None, _Known(finding, now_s, now_s, 0)
            known = self._known[key] = _Known(finding, now_s, now_s, 1)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
                self._counting.add("redan_alerts", ("all", "forgotten"))
            return "open", known
        worse = finding.severity > known.finding.severity
        known.finding, known.seen_s, known.times = finding, now_s, known.times + 1
        self._known.move_to_end(key)
        if worse or now_s - known.sent_s >= self._repeat_s:
            known.sent_s = now_s
            return "open", known
        return None, known

    def _may(self, severity: Severity, now_s: float) -> bool:
        left, at_s = self._allowed.get(severity, (float(BURST), now_s))
        left = min(float(BURST), left + (now_s - at_s) / EVERY_S)
        self._allowed[severity] = (left - 1 if left >= 1 else left, now_s)
        return left >= 1

    def sweep(self) -> None:
        """Call resolved what was not found again for long enough."""
        now_s = self._clock()
        with self._guard:
            gone = [key for key, known in self._known.items() if now_s - known.seen_s >= self._resolved_s]
            over = [self._known.pop(key) for key in gone]
        for known in over:
            self._say(known.finding, "resolved", known.times)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(60.0, self._resolved_s / 2))
            self.sweep()

    def _say(self, finding: Finding, state: State, times: int) -> None:
        notice = notice_of(finding, state=state, at_s=time.time(), times=times, replica=self._replica)
        self._send((notice, self._claims is not None))

    def _take_up(self, kept: Kept) -> None:
        """Let an alert of an earlier run wait again, where its channel is still there."""
        waiting = kept.notice, kept.shared
        for channel, queue in zip(self._channels, self._queues, strict=True):
            if channel.name == kept.channel and self._put_one(channel, queue, waiting):
                return
        if self._undelivered is not None:
            self._undelivered.remove(kept)

    def _put(self, waiting: Waiting) -> None:
        for channel, queue in zip(self._channels, self._queues, strict=True):
            if self._put_one(channel, queue, waiting) and self._undelivered is not None:
                self._undelivered.put(_kept(channel, waiting))

    def _put_one(self, channel: Channel, queue: asyncio.Queue[Waiting], waiting: Waiting) -> bool:
        try:
            queue.put_nowait(waiting)
        except asyncio.QueueFull:
            self._count(channel, "dropped")
            _tell(channel, "too many alerts wait; one was dropped")
            return False
        return True

    async def _deliver(self, channel: Channel, queue: asyncio.Queue[Waiting]) -> None:
        while True:
            waiting = await queue.get()
            try:
                if await self._one(channel, queue, waiting):
                    self._forget(channel, waiting)
            finally:
                queue.task_done()

    def _forget(self, channel: Channel, waiting: Waiting) -> None:
        if self._undelivered is not None:
            self._undelivered.remove(_kept(channel, waiting))

    async def _one(self, channel: Channel, queue: asyncio.Queue[Waiting], waiting: Waiting) -> bool:
        """Send an alert where it is ours; False: nobody may have it yet, and it is looked at again later."""
        notice, shared = waiting
        claims = self._claims if shared else None
        if claims is None:
            return self._is_over(channel, queue, waiting, await self._try(channel, notice))
        answer = await _asked(claims.take, channel, notice) or "mine"
        if answer == "sent":
            self._count(channel, "shared")
        elif answer == "mine":
            outcome = await self._try(channel, notice)
            await _asked(claims.done if outcome == "sent" else claims.release, channel, notice)
            return self._is_over(channel, queue, waiting, outcome)
        elif len(self._later) >= MOST_WAITING:
            self._count(channel, "dropped")
        else:
            self._look_again(channel, queue, waiting, self._relief_s)
            return False
        return True

    def _is_over(self, channel: Channel, queue: asyncio.Queue[Waiting], waiting: Waiting, outcome: Outcome) -> bool:
        """Return whether nothing more is to be done about an alert; else it waits for its receiver to come back."""
        is_old = time.time() - waiting[0].at_s > YOUNG_S
        if outcome != "away" or self._undelivered is None or is_old or len(self._later) >= MOST_WAITING:
            return True
        self._look_again(channel, queue, waiting, self._again_s)
        return False

    def _look_again(self, channel: Channel, queue: asyncio.Queue[Waiting], waiting: Waiting, after_s: float) -> None:
        def look() -> None:
            self._later.discard(timer)
            if not self._put_one(channel, queue, waiting):
                self._forget(channel, waiting)

        timer = asyncio.get_running_loop().call_later(after_s, look)
        self._later.add(timer)

    async def _try(self, channel: Channel, notice: Notice) -> Outcome:
        wait_s = self._first_wait_s
        outcome: Outcome = "never"
        for attempt in range(1, TRIES + 1):
            try:
                await self._once(channel, notice)
            except Later as err:
                _tell(channel, f"{err}; try {attempt} of {TRIES}")
                if attempt == TRIES:
                    outcome = "away"
                    break
                self._count(channel, "retried")
                await asyncio.sleep(min(LONGEST_WAIT_S, max(wait_s * _jitter(0.8, 1.2), err.after_s)))
                wait_s *= 2
            except Undeliverable as err:
                _tell(channel, str(err))
                break
            except Exception as err:  # noqa: BLE001  # a mistake in one channel must not end its task for ever
                _tell(channel, f"a bug: {type(err).__name__}")
                break
            else:
                self._count(channel, "sent")
                return "sent"
        self._count(channel, "failed")
        return outcome

    async def _once(self, channel: Channel, notice: Notice) -> None:
        sending = asyncio.get_running_loop().run_in_executor(self._threads[channel.name], channel.send, notice)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await sending
        except TimeoutError:
            raise Later(f"nothing came of it within {PATIENCE_S:.0f} s") from None

    def _count(self, channel: Channel, outcome: str, number: int = 1) -> None:
        self._counting.add("redan_alerts", (channel.name, outcome), number)

    def readings(self) -> Iterator[Reading]:
        """Return how many notices wait, by channel."""
        for channel, queue in zip(self._channels, self._queues, strict=False):
            yield ("redan_alerts_waiting", (channel.name,), queue.qsize())


def channels_of(settings: Alerts) -> tuple[Channel, ...]:
    """Make the channels that a configuration names.

    Raises:
        ConfigError: an address does not fit, or a secret is missing.
    """
    channels: list[Channel] = []
    if settings.webhook:
        from redan.service.monitoring.webhook import Webhook

        channels.append(Webhook(settings.webhook))
    if settings.email:
        from redan.service.monitoring.mail import Mail

        channels.append(Mail(settings))
    if settings.syslog:
        from redan.service.monitoring.syslog import Syslog

        channels.append(Syslog(settings.syslog))
    return tuple(channels)


async def _asked(question: Callable[[str, Notice], Told], channel: Channel, notice: Notice) -> Told | None:
    """Ask the claims; None when the database does not answer."""
    try:
        return await asyncio.to_thread(question, channel.name, notice)
    except EvidenceError as err:
        _tell(channel, f"{err.message}; other replicas may send the same")
        return None


def _kept(channel: Channel, waiting: Waiting) -> Kept:
    return Kept(channel=channel.name, shared=waiting[1], notice=waiting[0])


def _tell(channel: Channel, words: str) -> None:
    sys.stderr.write(f"alerts by {channel.name}: {words}\n")
