"""What it costs to ask a served model, and to choose which: ``python benchmarks/models.py``.

Claims: labels and scores of one batch cost one call of the library, at most 60 % of what the subject's own two methods
cost; choosing a version costs at most 0.5 CPU microseconds, with a canary too; the statements of a loaded version are
judged again in milliseconds without reading the model. 30 columns, one thread, user and system time of this process.
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import served as made

from redan.service.database import open_database
from redan.service.models.loading import Extras, load
from redan.service.models.pool import Pool
from redan.service.models.served import Served
from redan.service.models.source import Source
from redan.subjects.open import open_subject

ROUNDS = 7


def cost_us(work: Callable[[], object], calls: int) -> float:
    """Return CPU microseconds a call: the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(calls):
            work()
        best = min(best, (time.process_time() - began) / calls)
    return best * 1e6


def both_ways(served: Served, subject: Any, rows: NDArray[Any], what: str) -> dict[str, object]:
    """Measure one call for labels and scores, and the subject's two."""
    once = cost_us(lambda: served.answer(rows), 200)
    twice = cost_us(lambda: (subject.labels(rows), subject.scores(rows)), 200)
    return {"what": what, "us": round(once, 2), "subject_us": round(twice, 2)}


def answering(root: Path) -> list[dict[str, object]]:
    """Measure every kind of model, alone and in a batch of 32."""
    found = []
    for kind in made.KINDS:
        model = made.served(root, kind)
        x, _ = made.rows()
        served = load(model, Source(settings=model, root=root).hold(), Extras(sample=x[:64]), None)
        subject = open_subject(root / model.target, sample=x[:64])
        one, many = (both_ways(served, subject, x[:n].astype(served.dtype), f"{kind}, {n} rows") for n in (1, 32))
        found += [one, many]
    return found


async def choosing(root: Path) -> list[dict[str, object]]:
    """Measure who answers a client, and judging again."""
    canary = made.served(root, version="2", seed=1, role="canary", share=0.3)
    settings = made.settings_for(root, made.served(root), canary, made.served(root, "onnx"))
    database = open_database("service.db", root=root)
    pool = Pool(settings, root, database=database)
    await pool.start()
    nothing = cost_us(lambda: None, 100_000)
    found: list[dict[str, object]] = []
    for name, version in (("sklearn", ""), ("onnx", ""), ("onnx", "1")):
        us = cost_us(partial(pool.choose, name, version, "client:a"), 100_000) - nothing
        found.append({"what": f"choose {name} {version}".rstrip(), "us": round(us, 3)})
    began = time.process_time()
    for _ in range(5):
        await pool.recheck()
    each_us = (time.process_time() - began) / 5 / len(pool.versions()) * 1e6
    found.append({"what": "judge a loaded version again", "us": round(each_us, 1)})
    await pool.stop()
    database.close()
    return found


def large(root: Path, mib: int = 256) -> dict[str, object]:
    """Measure reading, digesting and decrypting a file of some size."""
    from redan.evidence.encryption.wrapping import local_key, new_key_text
    from redan.service.models.at_rest import encrypted
    from redan.service.models.holding import hold

    path, data = root / "large.onnx", bytes(mib << 20)
    path.write_bytes(data)
    plain_s = cost_us(lambda: hold(path), 1) / 1e6
    key = local_key(new_key_text(), "the benchmark")
    path.write_bytes(encrypted(data, "large.onnx", key))
    sealed_s = cost_us(lambda: hold(path, keys=[key]), 1) / 1e6
    return {"what": f"read and digest {mib} MiB", "s": round(plain_s, 3), "encrypted_s": round(sealed_s, 3)}


def main() -> None:
    """Print one line a measurement."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for line in (*answering(root), *asyncio.run(choosing(root)), large(root)):
            print(json.dumps({**line, "python": platform.python_version()}))


if __name__ == "__main__":
    main()
