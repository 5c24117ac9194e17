"""What the gateway does now, sampled every second for the console; the data path pays nothing for it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from redan.kernels.statistics import wilson
from redan.service.gateway.refusal import OVERLOADED
from redan.service.monitoring.recorder import LATENCY_S
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.monitoring.health import Health
    from redan.service.monitoring.recorder import Counting
    from redan.service.parts import Parts

PART = "console"
"""Where `Feed` lies in ``Parts.more``."""
TICK_S = 1.0
KEPT = 121
"""Samples: two minutes."""
WINDOW_S = 60
MOST_STREAMS = 32
"""Pages that may be told at once; a further one is refused and works by reloading."""
MOST_OF_ONE = 4
"""Likewise of one person."""
LONGEST_S = 300.0
"""After this a page must ask again."""
RECHECK_S = 5.0
"""Who lost a session or a role is not told for longer than this."""
QUIET_S = 15.0
"""Proxies end connections on which nothing is said; this is said before that."""
Version = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Counters of one version: answered, refused, and requests by bucket of `LATENCY_S`."""

    answered: int = 0
    refused: int = 0
    latency: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A version within the last minute, or since the start where that was later.

    Attributes:
        name: of the model.
        version: as clients call it.
        answered: requests.
        refused: requests.
        share: (value, low, high) of those refused, with a 95 % interval.
        per_s: requests a second of each of the last seconds, oldest first.
        rate_per_s: requests a second in the mean.
        median: (low, high) seconds between which half of the answers came; no number is closer than its bucket.
        slow: likewise the slowest of a hundred.
    """

    name: str
    version: str
    answered: int
    refused: int
    share: tuple[float, float, float]
    per_s: tuple[float, ...]
    rate_per_s: float
    median: tuple[float, float] | None
    slow: tuple[float, float] | None


class Feed:
    """Samples the counters, and tells pages; lies in ``parts.more[PART]``.

    Args:
        parts: the service.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._samples: deque[tuple[float, dict[Version, Sample]]] = deque(maxlen=KEPT)
        self._tick = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._drawn: dict[frozenset[str], str] = {}
        self.streams: Counter[str] = Counter()

    async def start(self) -> None:
        """Begin to sample."""
        self._sample()
        self._task = asyncio.create_task(self._run(), name="redan-console")

    async def stop(self) -> None:
        """End every stream and stop."""
        self._ended = True
        self._tick.set()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        health: Health = self._parts.more["health"]
        while not self._ended:
            await asyncio.sleep(TICK_S)
            self._sample()
            self._ended = health.draining
            tick, self._tick = self._tick, asyncio.Event()
            tick.set()
        self._tick.set()

    def _sample(self) -> None:
        lanes = cast("Counting", self._parts.recorder).lanes
        taken = {version: _sample(lane.status, lane.latency) for version, lane in lanes.items()}
        self._samples.append((time.monotonic(), taken))
        self._drawn = {}

    def traffic(self) -> list[Traffic]:
        """Return what each version did within the last minute."""
        now_s, newest = self._samples[-1]
        window = [(at_s, taken) for at_s, taken in self._samples if now_s - at_s <= WINDOW_S + TICK_S / 2]
        return [_traffic(version, window) for version in sorted(newest)]

    def check_room(self, who: str) -> None:
        """Insist that somebody may be told on one more page.

        Raises:
            Refused: there are too many, or the gateway is stopping.
        """
        if self._is_full(who) or self._ended:
            raise Refused(OVERLOADED, "too many pages are told at once; reload this one to see what is new")

    def _is_full(self, who: str) -> bool:
        return self.streams.total() >= MOST_STREAMS or self.streams[who] >= MOST_OF_ONE

    async def stream(
        self, who: str, key: frozenset[str], draw: Callable[[], str], still: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """Give server-sent events: what ``draw`` returns, whenever that changed.

        Args:
            who: is told.
            key: what may be seen; those who may see the same share what is drawn in a second.
            draw: returns HTML.
            still: returns whether they may still see it.
        """
        # several may have come since room was found; an iterator that never began would not count itself out
        if self._is_full(who):
            return
        self.streams[who] += 1
        try:
            last, said_s = "", time.monotonic()
            checked_s, ends_s = said_s, said_s + LONGEST_S
            yield b"retry: 2000\n\n"
            while not self._ended and (now_s := time.monotonic()) < ends_s:
                if now_s - checked_s >= RECHECK_S:
                    checked_s = now_s
                    if not await still():
                        return
                tick = self._tick
                text = self._drawn.get(key)
                if text is None:
                    text = self._drawn[key] = draw()
                if text != last:
                    last, said_s = text, now_s
                    yield event("numbers", text)
                elif now_s - said_s >= QUIET_S:
                    said_s = now_s
                    yield b": still here\n\n"
                await tick.wait()
            if self._ended:
                yield event("end", "the gateway is stopping")
        finally:
            self.streams -= Counter({who: 1})


def event(name: str, text: str) -> bytes:
    """Return a server-sent event (WHATWG HTML, 9.2.5); each line of the text is a field of its own."""
    lines = "\n".join(f"data: {line}" for line in text.splitlines() if line)
    return f"event: {name}\n{lines}\n\n".encode()


def _sample(status: dict[int, int], latency: list[int]) -> Sample:
    answered = status.get(200, 0)
    return Sample(answered=answered, refused=sum(status.values()) - answered, latency=tuple(latency))


def _traffic(version: Version, window: list[tuple[float, dict[Version, Sample]]]) -> Traffic:
    none = Sample(latency=(0,) * (len(LATENCY_S) + 1))
    seen = [(at_s, taken.get(version, none)) for at_s, taken in window]
    (first_s, first), (last_s, last) = seen[0], seen[-1]
    answered, refused = last.answered - first.answered, last.refused - first.refused
    total = answered + refused
    per_s = tuple(
        (b.answered + b.refused - a.answered - a.refused) / max(b_s - a_s, TICK_S / 10)
        for (a_s, a), (b_s, b) in pairwise(seen)
    )
    counts = [new - old for new, old in zip(last.latency, first.latency, strict=True)]
    share = (refused / total, *wilson(refused, total)) if total else (0.0, 0.0, 1.0)
    return Traffic(
        name=version[0],
        version=version[1],
        answered=answered,
        refused=refused,
        share=share,
        per_s=per_s,
        rate_per_s=total / (last_s - first_s) if last_s > first_s else 0.0,
        median=quantile(counts, 0.5),
        slow=quantile(counts, 0.99),
    )


def quantile(counts: list[int], share: float) -> tuple[float, float] | None:
    """Return the bucket of `LATENCY_S` that a quantile lies in, in seconds; None where nothing was answered."""
    total, reached = sum(counts), 0
    if not total:
        return None
    for index, n in enumerate(counts):
        reached += n
        if reached >= share * total:
            low = LATENCY_S[index - 1] if index else 0.0
            return low, LATENCY_S[index] if index < len(LATENCY_S) else float("inf")
    return None
