"""Durable appends to the transparency log a second of CPU: ``python benchmarks/log_append.py [FOLDER]``.

Claim: at least 20 000 entries of 300 bytes a CPU-second in groups of at most 1000, each group synced before it is
acknowledged, tiles and checkpoints included. Beside it runs SQLite in the same rounds (write-ahead log, synchronous
FULL, one transaction a group, no tree and no signature), which is what an audit table costs. Measured too: threads,
many tasks of one event loop, appends without waiting, and verification. FOLDER chooses the disk; user and system time
of this process are counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import resource
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from redan.evidence.keys import Signer, generate
from redan.evidence.log import create_log, notes, open_log
from redan.evidence.log.verifying import verify

RECORD_BYTES = 300
CLAIM_PER_CPU_S = 20_000
GROUPS = {32: 300, 100: 200, 1000: 60}
ROUNDS = 5


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(n: int, work: Callable[[], None]) -> tuple[float, float]:
    """Return entries a CPU-second and entries a second."""
    cpu, wall = cpu_s(), time.perf_counter()
    work()
    return n / (cpu_s() - cpu), n / (time.perf_counter() - wall)


def ours(folder: Path, signer: Signer, groups: list[list[bytes]]) -> tuple[float, float]:
    """Append group by group, each durable before the next, until everything is under a signed checkpoint."""
    create_log(folder, signer, "example.com/bench")
    log = open_log(folder, signer)

    def work() -> None:
        for group in groups:
            log.append_many(group)
        log.close()

    return measured(sum(map(len, groups)), work)


def sqlite(path: Path, groups: list[list[bytes]]) -> tuple[float, float]:
    """Insert group by group, each durable before the next."""
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = full")
    base.execute("create table entries (id integer primary key, entry blob)")

    def work() -> None:
        for group in groups:
            base.execute("begin")
            base.executemany("insert into entries (entry) values (?)", [(entry,) for entry in group])
            base.execute("commit")
        base.close()

    return measured(sum(map(len, groups)), work)


def threads(folder: Path, signer: Signer, entries: list[bytes], n: int = 64) -> tuple[float, float]:
    """Append one by one from many threads, each waiting for its own entry."""
    create_log(folder, signer, "example.com/bench")
    log = open_log(folder, signer)

    def work() -> None:
        def some(part: list[bytes]) -> None:
            for entry in part:
                log.append(entry)

        workers = [threading.Thread(target=some, args=(entries[i::n],)) for i in range(n)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        log.close()

    return measured(len(entries), work)


def event_loop(folder: Path, signer: Signer, entries: list[bytes], n: int = 500) -> tuple[float, float]:
    """Append from many tasks of one event loop, as a server does, each waiting for its own entry."""
    create_log(folder, signer, "example.com/bench")
    log = open_log(folder, signer)

    async def some(part: list[bytes]) -> None:
        loop = asyncio.get_running_loop()
        for entry in part:
            durable = loop.create_future()
            log.append_async(entry).then(lambda done=durable: loop.call_soon_threadsafe(done.set_result, None))
            await durable

    async def everybody() -> None:
        await asyncio.gather(*[some(entries[i::n]) for i in range(n)])

    def work() -> None:
        asyncio.run(everybody())
        log.close()

    return measured(len(entries), work)


def unwaited(folder: Path, signer: Signer, entries: list[bytes]) -> tuple[float, float]:
    """Append without waiting; at most `most_pending` entries are at risk at any moment."""
    create_log(folder, signer, "example.com/bench")
    log = open_log(folder, signer)

    def work() -> None:
        for entry in entries:
            log.append_async(entry)
        log.close()

    return measured(len(entries), work)


def once(folder: Path, signer: Signer, taken: dict[str, list[tuple[float, float]]]) -> None:
    """Run everything once, the two sides of each comparison one after the other."""
    for size, count in GROUPS.items():
        groups = [[os.urandom(RECORD_BYTES) for _ in range(size)] for _ in range(count)]
        taken.setdefault(f"log_{size}", []).append(ours(folder / f"log{size}", signer, groups))
        taken.setdefault(f"sqlite_{size}", []).append(sqlite(folder / f"{size}.db", groups))
    entries = [os.urandom(RECORD_BYTES) for _ in range(20_000)]
    taken.setdefault("threads_64", []).append(threads(folder / "threads", signer, entries))
    taken.setdefault("event_loop_500", []).append(event_loop(folder / "loop", signer, entries))
    taken.setdefault("without_waiting", []).append(unwaited(folder / "unwaited", signer, entries))
    key = notes.key_of("example.com/bench", signer.verifier)
    problems: list[object] = []
    n = GROUPS[1000] * 1000
    taken.setdefault("verify", []).append(
        measured(n, lambda: problems.extend(verify(folder / "log1000", key).problems))
    )
    if problems:
        raise SystemExit(f"verification failed: {problems[0]}")


def main(place: str | None) -> int:
    """Measure in interleaved rounds and print one JSON line."""
    signer = generate("ed25519")
    taken: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=place) as name:
            once(Path(name), signer, taken)
    per_cpu_s = {what: round(statistics.median(cpu for cpu, _ in found)) for what, found in taken.items()}
    line = {
        "benchmark": "log_append",
        "n": ROUNDS,
        "record_bytes": RECORD_BYTES,
        "entries_per_cpu_s": per_cpu_s,
        "entries_per_cpu_s_min": {what: round(min(cpu for cpu, _ in found)) for what, found in taken.items()},
        "entries_per_s": {what: round(statistics.median(wall for _, wall in found)) for what, found in taken.items()},
        "ratio_to_sqlite": {s: round(per_cpu_s[f"log_{s}"] / per_cpu_s[f"sqlite_{s}"], 2) for s in GROUPS},
        "claim_per_cpu_s": CLAIM_PER_CPU_S,
        "holds": all(per_cpu_s[f"log_{s}"] >= CLAIM_PER_CPU_S for s in GROUPS),
        "versions": {"redan": version("redan"), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else None))
