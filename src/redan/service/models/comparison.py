"""Whether another version differs from the live one beyond noise: the same rows asked of both, off the answer's path.

A shadow is asked for every batch that the live version answered, as long as there is time; of a canary's batches and
the live version's a sample is asked of the other, so that agreement rests on pairs for canaries too. Both are asked
here, so what guards did to the answer that left, such as noise for privacy, is no disagreement.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Literal

import numpy as np

from redan.core.errors import RedanError
from redan.core.finding import Quantity
from redan.kernels.statistics import median_interval, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.service.gateway.call import Batch
    from redan.service.models.served import Served
    from redan.service.parts import Models

MOST_WAITING = 64
"""Batches that may wait to be compared; further ones are dropped and counted."""
MOST_TIMES = 2000
"""Latencies kept of each version, the newest."""
MOST_PAIRS = 256
"""Pairs of versions compared at once; further ones are dropped and counted."""
EVERY_CANARY = 10
"""Of so many batches one is asked of canaries as well."""
LEAST_ROWS = 100
"""With fewer rows nothing is said."""
LEAST_BATCHES = 30
"""With fewer batches nothing is said of latency."""
SLOWER = 1.1
"""A version this many times as slow, or as fast, is told; less is the machine's mood."""
Verdict = Literal["too few rows", "within noise", "differs beyond noise"]
Pace = Literal["too few batches", "within noise", "slower beyond noise", "faster beyond noise"]


@dataclass(slots=True, kw_only=True)
class Pair:
    """What was seen of two versions on the same rows.

    Attributes:
        digests: of both; with other bytes under the same names counting begins anew.
        rows: asked of both.
        agreed: of these, answered with the same class.
        failed: batches that the other could not answer.
        live_us: microseconds a row of the live version, the newest.
        other_us: likewise of the other.
        turn: whether the version that answered is asked before the other, next time.
    """

    digests: tuple[str, str] = ("", "")
    rows: int = 0
    agreed: int = 0
    failed: int = 0
    live_us: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_TIMES))
    other_us: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_TIMES))
    turn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One version against the live one.

    Attributes:
        live: ``name@version``.
        other: ``name@version``.
        digests: of what both names stood for, hexadecimal.
        verdict: whether their answers differ by more than chance would let 1 % differ.
        quantities: agreement, latency of both, and how many batches the other could not answer.
        pace: whether the other is slower or faster by more than chance and 10 %: the whole 95 % interval of the median
            ratio says so.
        slowdown: how many times the live version's CPU time the other takes for the same batch, the median.
    """

    live: str
    other: str
    digests: tuple[str, str]
    verdict: Verdict
    quantities: tuple[Quantity, ...]
    pace: Pace
    slowdown: Quantity


def compared(live: str, other: str, pair: Pair, *, tolerated: float = 0.01) -> Compared:
    """Say what two versions' answers to the same rows show.

    Args:
        live: ``name@version``.
        other: ``name@version``.
        pair: what was seen.
        tolerated: share of rows that may be answered otherwise; beyond noise means that the whole 95 % interval of the
            share lies above it.
    """
    low, high = wilson(pair.agreed, pair.rows)
    verdict: Verdict = "too few rows"
    if pair.rows >= LEAST_ROWS:
        verdict = "differs beyond noise" if high < 1 - tolerated else "within noise"
    rate = pair.agreed / pair.rows if pair.rows else float("nan")
    agreement = Quantity(
        name="agreement", value=rate, unit="fraction", n=pair.rows, low=low, high=high, better="higher"
    )
    failed = Quantity(
        name="failed_batches", value=pair.failed, unit="count", n=pair.failed, low=pair.failed, high=pair.failed,
        better="lower",
    )  # fmt: skip
    quantities = (agreement, _latency("live_latency", pair.live_us), _latency("latency", pair.other_us), failed)
    slowdown = _slowdown(pair)
    return Compared(
        live=live,
        other=other,
        digests=pair.digests,
        verdict=verdict,
        quantities=quantities,
        pace=_pace(slowdown),
        slowdown=slowdown,
    )


def _slowdown(pair: Pair) -> Quantity:
    """Return the median of the ratios batch by batch, so that a busy machine slows both of a pair."""
    ratios = [float(other / live) for live, other in zip(pair.live_us, pair.other_us, strict=True) if live > 0]
    low, high = median_interval(ratios)
    value = float(np.median(ratios)) if ratios else float("nan")
    return Quantity(name="slowdown", value=value, unit="ratio", n=len(ratios), low=low, high=high, better="lower")


def _pace(slowdown: Quantity) -> Pace:
    if slowdown.n < LEAST_BATCHES or slowdown.low is None or slowdown.high is None:
        return "too few batches"
    if slowdown.low > SLOWER:
        return "slower beyond noise"
    return "faster beyond noise" if slowdown.high < 1 / SLOWER else "within noise"


def _latency(name: str, times_us: Sequence[float]) -> Quantity:
    seconds = [each / 1e6 for each in times_us]
    low, high = median_interval(seconds)
    value = float(np.median(seconds)) if seconds else float("nan")
    return Quantity(name=name, value=value, unit="s", n=len(seconds), low=low, high=high, better="lower")


class Comparing:
    """Asks shadows, and now and then canaries, what the live version was asked; one thread, a bounded queue.

    Args:
        models: the served versions.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self._waiting: Queue[tuple[Served, NDArray[np.generic]] | None] = Queue(MOST_WAITING)
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._lock = threading.Lock()
        self._turn = 0
        self._thread: threading.Thread | None = None
        self.dropped = 0

    async def start(self) -> None:
        """Begin to compare."""
        self._thread = threading.Thread(target=self._run, name="redan-comparison", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop; what waits is dropped."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        while True:
            try:
                self._waiting.put_nowait(None)
                break
            except Full:
                self._drop_one()
        thread.join()

    def answered(self, batch: Batch) -> None:
        """Take an answered batch; never blocks, costs nothing where there is nobody to compare with."""
        if batch.labels is None or not self._wanted(batch.served):
            return
        try:
            self._waiting.put_nowait((batch.served, batch.x))
        except Full:
            self.dropped += 1

    def results(self) -> list[Compared]:
        """Return every comparison, by the names of its versions."""
        with self._lock:
            return [compared(live, other, pair) for (live, other), pair in sorted(self._pairs.items())]

    def _drop_one(self) -> None:
        try:
            self._waiting.get_nowait()
            self.dropped += 1
        except Empty:
            pass

    def _wanted(self, served: Served) -> bool:
        name = served.settings.name
        if self._models.shadows(name):
            return True
        self._turn += 1
        return self._turn % EVERY_CANARY == 0 and any(
            role == "canary" and each.settings.name == name for each, role in self._models.all()
        )

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            served, x = item
            roles = {each: role for each, role in self._models.all() if each.settings.name == served.settings.name}
            is_live = roles.get(served) == "live"
            # a pair is the live version and another: what a canary answered is held against the live version alone
            wanted = ("canary", "shadow") if is_live else ("live",)
            for other, role in roles.items():
                if role in wanted:
                    self._compare(served, other, x, is_live=is_live)

    def _compare(self, served: Served, other: Served, x: NDArray[np.generic], *, is_live: bool) -> None:
        first, second = (served, other) if is_live else (other, served)
        key, digests = (first.label, second.label), (first.digest, second.digest)
        with self._lock:
            if key not in self._pairs and len(self._pairs) >= MOST_PAIRS:
                self.dropped += 1
                return
            if key not in self._pairs or self._pairs[key].digests != digests:
                self._pairs[key] = Pair(digests=digests)
            pair = self._pairs[key]
        try:
            rows = x.astype(other.dtype, copy=False)
            # who is asked first finds cold caches, so they take turns
            if pair.turn:
                again_us, again = _timed(served, x)
            took_us, answered = _timed(other, rows)
            if not pair.turn:
                again_us, again = _timed(served, x)
        except RedanError:
            with self._lock:
                pair.failed += 1
            return
        with self._lock:
            pair.turn = not pair.turn
            pair.rows += len(x)
            pair.agreed += int((answered == again).sum())
            pair.live_us.append(again_us if is_live else took_us)
            pair.other_us.append(took_us if is_live else again_us)


def _timed(served: Served, x: NDArray[np.generic]) -> tuple[float, NDArray[np.generic]]:
    """Return CPU microseconds a row and the classes."""
    begin = time.thread_time_ns()
    labels = served.answer(x).labels
    return (time.thread_time_ns() - begin) / 1e3 / len(x), labels
