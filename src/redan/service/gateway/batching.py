"""Puts requests for one version together, and takes each batch through guards, model, audit and answers.

A batch is closed on the event loop's next turn, so that whatever arrived together is answered together and nothing
waits for company; ``wait_ms`` lets the first row wait longer. While one batch waits for its record to be durable, the
next ones collect and are computed. While every worker process computes, whatever arrives collects into one batch for
the first that is free.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from time import perf_counter, thread_time_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import EvidenceError, RedanError
from redan.service.gateway.acts import acts_of
from redan.service.gateway.call import Batch, BatchGuard, Call
from redan.service.gateway.computing import WorkerLost
from redan.service.gateway.refusal import DRAINING, FAILED, OVERLOADED, QUARANTINED, UNAUDITED, Refusal
from redan.service.models.served import Answers

if TYPE_CHECKING:
    from redan.service.gateway.prices import Prices
    from redan.service.models.served import Served
    from redan.service.parts import Parts

Compute = Callable[[Batch], "Answers | Awaitable[Answers]"]
Chain = Callable[["Served"], Sequence[BatchGuard]]


class _Lot:
    """Calls for one version that wait for the turn's end."""

    __slots__ = ("calls", "rows")

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.rows = 0


class Batcher:
    """Answers calls.

    Args:
        parts: the service.
        chain: the guards of a version, in order.
        compute: asks the model, at once or in time.
        prices: where steps are timed when that is asked for.
        shadow: takes every answered batch, to ask other versions too; never blocks.
        width: batches that ``compute`` takes at once when it answers later; 0 where it does not say.
    """

    def __init__(
        self,
        parts: Parts,
        chain: Chain,
        compute: Compute,
        prices: Prices,
        shadow: Callable[[Batch], None] = lambda batch: None,
        width: int = 0,
    ) -> None:
        self._width, self._under_way = width, 0
        self._parts, self._chain, self._compute, self._prices, self._shadow = parts, chain, compute, prices, shadow
        serve = parts.settings.serve
        self._most_rows, self._wait_s = serve.batching.rows, serve.batching.wait_ms / 1000
        self._most_waiting = serve.limits.waiting
        self._keep = parts.settings.audit.keep
        self._lots: dict[Served, _Lot] = {}
        self._chains: dict[Served, tuple[BatchGuard, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.TimerHandle | asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.waiting = 0
        self.stopped = False

    def submit(self, call: Call) -> Refusal | None:
        """Take a call, whose ``done`` will be called, or say why not."""
        if self.waiting >= self._most_waiting:
            return OVERLOADED
        if self.stopped:
            return DRAINING
        self.waiting += 1
        lot = self._lots.get(call.served)
        if lot is None:
            lot = self._lots[call.served] = _Lot()
        lot.calls.append(call)
        lot.rows += len(call.x)
        if lot.rows >= self._most_rows:
            del self._lots[call.served]
            self._run(lot.calls)
        elif self._closing is None and not self._is_full():
            self._close_later()
        return None

    async def stop(self) -> None:
        """Take no more calls; return when all that were taken are answered."""
        self.stopped = True
        self._close()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def guards(self, served: Served) -> tuple[BatchGuard, ...]:
        """Return the guards of a version; those of versions that left service are forgotten."""
        found = self._chains.get(served)
        if found is None:
            serving = {one for one, _ in self._parts.models.all()}
            self._chains = {one: chain for one, chain in self._chains.items() if one in serving}
            found = self._chains[served] = tuple(self._chain(served))
        return found

    def _close_later(self) -> None:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        self._closing = loop.call_later(self._wait_s, self._close) if self._wait_s else loop.call_soon(self._close)

    def _close(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._is_full():
            return
        lots, self._lots = self._lots, {}
        for lot in lots.values():
            self._run(lot.calls)

    def _is_full(self) -> bool:
        return 0 < self._width <= self._under_way and not self.stopped

    def _run(self, calls: list[Call]) -> None:
        """Guard and compute a batch; whatever goes wrong, every call of it is answered."""
        began_s = perf_counter()
        here = [call for call in calls if not call.link.lost]
        batch: Batch | None = None
        try:
            batch = self._guarded(here)
            answers = self._compute(batch) if batch is not None else None
        except Exception as error:  # noqa: BLE001  # the calls must be answered, whatever a guard or model did
            self._later(self._alone(calls, batch, began_s, error))
            return
        if isinstance(answers, Answers) or answers is None:
            self._settle(calls, batch, answers, began_s)
        else:
            self._under_way += 1
            self._later(self._computed(calls, batch, answers, began_s))

    def _guarded(self, calls: list[Call]) -> Batch | None:
        """Return the batch of those calls that no guard refused, or None."""
        if not calls:
            return None
        if not self._is_in_service(calls[0].served):
            for call in calls:
                call.refusal = QUARANTINED
            return None
        batch = Batch(calls[0].served, calls)
        if any(call.trace is not None for call in calls):
            batch.steps = []
        for guard in self.guards(batch.served):
            self._step(guard.name, guard.before, batch)
        kept = [call for call in calls if call.refusal is None]
        if len(kept) == len(calls):
            return batch
        if not kept:
            return None
        steps, batch = batch.steps, Batch(batch.served, kept)
        batch.steps = steps
        return batch

    def _is_in_service(self, served: Served) -> bool:
        """Return whether a version may answer still: bodies and streams take time, in which it may have been taken out.

        Newer bytes under the same name take nothing back from those that were chosen before.
        """
        name, version = served.settings.name, served.settings.version
        return any(
            role != "quarantined" and one.settings.name == name and one.settings.version == version
            for one, role in self._parts.models.all()
        )

    def _step(self, name: str, step: Callable[[Batch], None], batch: Batch) -> None:
        if batch.steps is not None:
            began_s = perf_counter()
            step(batch)
            batch.steps.append((name, began_s, perf_counter()))
        elif self._prices.measuring:
            self._prices.timed(name, step, batch)
        else:
            step(batch)

    async def _computed(
        self, calls: list[Call], batch: Batch | None, coming: Awaitable[Answers], began_s: float
    ) -> None:
        try:
            answers = await coming
        except Exception as error:  # noqa: BLE001  # as above
            await self._alone(calls, batch, began_s, error)
            return
        finally:
            self._under_way -= 1
            if self._lots:
                self._close()
        self._settle(calls, batch, answers, began_s)

    async def _alone(self, calls: list[Call], batch: Batch | None, began_s: float, error: Exception) -> None:
        """After a failure: ask for each call by itself, so that one client's rows do not fail the others."""
        _tell(error)
        tried = batch.calls if batch is not None else calls
        for call in tried:
            if call.refusal is not None:
                continue
            one = Batch(call.served, [call])
            try:
                if len(tried) == 1 or batch is None or isinstance(error, WorkerLost):
                    raise error
                answers = self._compute(one)
                one_answers = answers if isinstance(answers, Answers) else await answers
                self._after(one, one_answers)
            except Exception as again:  # noqa: BLE001  # as above
                if again is not error:
                    _tell(again)
                call.refusal = FAILED
        self._commit(calls, batch, began_s)

    def _settle(self, calls: list[Call], batch: Batch | None, answers: Answers | None, began_s: float) -> None:
        if batch is not None and answers is not None:
            try:
                self._after(batch, answers)
            except Exception as error:  # noqa: BLE001  # as above
                _tell(error)
                for call in batch.calls:
                    call.refusal = call.refusal or FAILED
        self._commit(calls, batch, began_s)

    def _after(self, batch: Batch, answers: Answers) -> None:
        """Take answers through the guards of the way out, and to the calls that they belong to."""
        if len(answers.labels) != len(batch.x):
            raise ValueError(f"{batch.served.label} answered {len(answers.labels)} labels to {len(batch.x)} rows")
        batch.labels, batch.scores = answers.labels, answers.scores
        for guard in self.guards(batch.served):
            self._step(guard.name, guard.after, batch)
        labels, scores, at = batch.labels, batch.scores, 0
        for call in batch.calls:
            ends = at + len(call.x)
            call.labels = labels[at:ends]
            call.scores = scores[at:ends] if scores is not None else None
            at = ends
            if call.refusal is None:
                call.reply = call.write(call)

    def _commit(self, calls: list[Call], batch: Batch | None, began_s: float) -> None:
        """Record every call, then answer: at once, or when the record is durable."""
        measuring = self._prices.measuring
        began_ns = thread_time_ns() if measuring else 0
        try:
            acts = acts_of(calls, self._parts.replica, self._keep)
            committed = self._parts.auditor.commit(acts)
        except Exception as error:  # noqa: BLE001  # the calls must be answered, whatever the log did
            self._unaudited(calls, error)
            committed = None
        else:
            for call, act in zip(calls, acts, strict=True):
                if call.refusal is not None:
                    self._parts.watching.denied(act)
        if measuring:
            self._prices.add("audit", thread_time_ns() - began_ns, sum(len(call.x) for call in calls))
        if committed is None:
            self._answer(calls, batch, began_s)
        else:
            self._later(self._durable(calls, batch, committed, began_s))

    async def _durable(
        self, calls: list[Call], batch: Batch | None, committed: Awaitable[None], began_s: float
    ) -> None:
        waits_s = perf_counter()
        try:
            await committed
        except Exception as error:  # noqa: BLE001  # as above
            self._unaudited(calls, error)
        if batch is not None and batch.steps is not None:
            batch.steps.append(("audit", waits_s, perf_counter()))
        self._answer(calls, batch, began_s)

    def _answer(self, calls: list[Call], batch: Batch | None, began_s: float) -> None:
        self.waiting -= len(calls)
        for call in calls:
            call.done(call)
        parts = self._parts
        whole = batch if batch is not None and len(batch.calls) == len(calls) else Batch(calls[0].served, calls)
        if batch is not None and whole is not batch:
            whole.steps = batch.steps
        parts.recorder.answered(whole, perf_counter() - began_s)
        if batch is None or batch.labels is None or any(call.refusal is not None for call in batch.calls):
            batch = _answered(calls)
        if batch is not None:
            parts.watching.answered(batch)
            self._shadow(batch)

    def _unaudited(self, calls: Sequence[Call], error: Exception) -> None:
        if not isinstance(error, EvidenceError):
            _tell(error)
        for call in calls:
            call.refusal = call.refusal or UNAUDITED
            call.reply = b""

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _answered(calls: Sequence[Call]) -> Batch | None:
    """Return the batch of those calls that were answered, or None."""
    good = [call for call in calls if call.refusal is None and call.labels is not None]
    if not good:
        return None
    batch = Batch(good[0].served, good)
    batch.labels = np.concatenate([call.labels for call in good if call.labels is not None])
    scores = [call.scores for call in good if call.scores is not None]
    batch.scores = np.concatenate(scores) if len(scores) == len(good) else None
    return batch


def _tell(error: Exception) -> None:
    """Show on standard error what clients are not told."""
    words = error.diagnostics() if isinstance(error, RedanError) else "".join(traceback.format_exception(error))
    sys.stderr.write(words.rstrip() + "\n")
