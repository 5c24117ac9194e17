"""Processes that compute predictions, so that the server's event loop never waits for a model.

Each has one batch at a time. One that ends or takes too long fails its batch alone, is killed, and is started again
after a pause that grows while this repeats.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redan.core.errors import SubjectFailed
from redan.service.gateway.computing import WorkerLost
from redan.service.gateway.frames import ASK, HEADER, LOAD, Load, Nonsense, Rows, answers_of, packed, sizes

if TYPE_CHECKING:
    from redan.service.gateway.call import Batch
    from redan.service.models.served import Answers, Served

ANSWER_S = 30.0
"""How long a batch may take."""
LOAD_S = 300.0
"""How long loading one model may take, with the libraries that it needs."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_KEPT_BEGINNINGS = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "CUDA_", "ORT_")
Recipe = tuple[Callable[..., Callable[[Any], "Answers"]], tuple[Any, ...]]
"""A function of a module and its arguments, both picklable: what makes a version's ``answer`` in another process."""


class _Worker:
    """One process and the socket to it."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the process."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "redan.service.gateway.worker_process",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                env=_environment(),
            )
        self._reader, self._writer = await asyncio.open_connection(sock=ours)

    async def load(self, key: str, recipe: Recipe, serving: Sequence[str]) -> None:
        """Hand a model over.

        Raises:
            SubjectFailed: it cannot be loaded there.
        """
        frame = packed(LOAD, Load(key=key, serving=[*serving, key]), pickle.dumps(recipe))
        await self._asked(frame, 0)
        self.loaded = (self.loaded & set(serving)) | {key}

    async def ask(self, key: str, x: Any) -> Answers:
        """Ask a model.

        Raises:
            SubjectFailed: it failed.
        """
        return await self._asked(packed(ASK, Rows(key=key, dtype=x.dtype.str, shape=x.shape), x.tobytes()), len(x))

    async def end(self) -> None:
        """Kill the process, wherever it is."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._writer is not None:
            self._writer.close()
            self._writer.transport.abort()

    async def _asked(self, frame: bytes, rows: int) -> Answers:
        assert self._writer is not None
        self._writer.write(frame)
        await self._writer.drain()
        kind, head_bytes, body_bytes = sizes(await self._reader.readexactly(HEADER.size))
        head = await self._reader.readexactly(head_bytes)
        return answers_of(kind, head, await self._reader.readexactly(body_bytes), rows)


class Crew:
    """The worker processes of one server; call it with a batch.

    Args:
        count: how many.
        recipe: how a version is made in another process.
        serving: versions that are served now; workers forget others when they load another.
        answer_s: how long a batch may take, its wait for a worker included.

    Attributes:
        lost: how often a process ended or was killed.
    """

    def __init__(
        self,
        count: int,
        recipe: Callable[[Served], Recipe],
        serving: Callable[[], Sequence[Served]],
        *,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._count, self._recipe, self._serving, self._answer_s = count, recipe, serving, answer_s
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        self._all: set[_Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._failures = 0
        self.lost = 0

    async def start(self) -> None:
        """Start every process and load every version that is served.

        Raises:
            SubjectFailed: a version cannot be loaded there.
        """
        try:
            async with asyncio.TaskGroup() as starting:
                for _ in range(self._count):
                    starting.create_task(self._begin(_Worker()))
        except* (SubjectFailed, OSError, EOFError) as group:
            await self.stop()
            raise SubjectFailed(f"a worker process could not be started: {group.exceptions[0]}") from group

    async def stop(self) -> None:
        """End every process; nothing may be asked any more."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._all))

    async def __call__(self, batch: Batch) -> Answers:
        """Return a batch's answers.

        Raises:
            WorkerLost: no process was free in time, or the one that was asked ended or took too long.
            SubjectFailed: the model failed.
        """
        worker: _Worker | None = None
        healthy = False
        try:
            async with asyncio.timeout(self._answer_s):
                worker = await self._idle.get()
            await self._ready(worker, batch.served)
            async with asyncio.timeout(self._answer_s):
                answers = await worker.ask(_key(batch.served), batch.x)
            healthy = True
            self._failures = 0
        except SubjectFailed as error:
            healthy = not isinstance(error, Nonsense)
            raise
        except (TimeoutError, OSError, EOFError) as err:
            raise WorkerLost(f"a process that computes {batch.served.label} ended or took too long") from err
        finally:
            if worker is not None:
                self._back(worker, healthy=healthy)
        return answers

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return metrics, for `redan.service.monitoring.recorder.Measured`."""
        yield "redan_workers", (), float(len(self._all))
        yield "redan_workers_lost", (), float(self.lost)

    async def _ready(self, worker: _Worker, served: Served) -> None:
        key = _key(served)
        if key in worker.loaded:
            return
        async with asyncio.timeout(LOAD_S):
            await worker.load(key, self._recipe(served), [_key(one) for one in self._serving()])

    async def _begin(self, worker: _Worker) -> None:
        self._all.add(worker)
        await worker.start()
        for served in self._serving():
            await self._ready(worker, served)
        self._idle.put_nowait(worker)

    def _back(self, worker: _Worker, *, healthy: bool) -> None:
        if healthy:
            self._idle.put_nowait(worker)
        elif not self._stopped:
            self.lost += 1
            self._later(self._replace(worker))

    async def _replace(self, worker: _Worker) -> None:
        while True:
            await worker.end()
            self._all.discard(worker)
            await asyncio.sleep(min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S))
            self._failures = min(self._failures + 1, 16)
            worker = _Worker()
            try:
                await self._begin(worker)
            except (TimeoutError, OSError, EOFError, SubjectFailed) as error:
                sys.stderr.write(f"a worker process could not be started: {error}\n")
            else:
                return

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _key(served: Served) -> str:
    return f"{served.label} {served.digest}"


def _environment() -> dict[str, str]:
    """Return the server's environment without what may be secret."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)}
