"""False findings and delays of the monitor of groups: ``python benchmarks/fairness_stream.py [STREAMS]``.

Claims: of at least 300 fair streams at most 5 % ever raise a finding, with nothing allowed, which is the hardest case;
unfair streams (true positive rates that lie 0.3 apart, 0.05 allowed) are told. Two groups of 60 and 40 %, 50 events a
look, truths of 70 % of the requests come one look later.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np

from redan.core.monitor import Event
from redan.kernels.statistics import clopper_pearson
from redan.threats.bias.monitors.group_gaps import GroupGaps
from redan.threats.bias.monitors.watched import Watched

LOOK, LONGEST, CLAIM_RATE = 50, 3000, 0.05


def stream(seed: int, tpr: tuple[float, float]) -> Iterator[list[Event]]:
    """Give events in batches, late truths among them."""
    rng = np.random.default_rng(seed)
    late: list[Event] = []
    for start in range(0, LONGEST, LOOK):
        batch, late = late, []
        for i in range(LOOK):
            group, truth = int(rng.random() < 0.4), int(rng.random() < 0.5)
            label = int(rng.random() < (tpr[group] if truth else 0.2))
            groups = {"sex": "fm"[group]}
            batch.append(Event(client="c", time_s=start + i, model="d", label=label, groups=groups))
            if rng.random() < 0.7:
                late.append(Event(client="c", time_s=start + i, model="d", label=label, groups=groups, truth=truth))
        yield batch


def delay(seed: int, tpr: tuple[float, float], allowed: float) -> int | None:
    """Return after how many requests a finding came, or None."""
    made = Watched(subject="loans", model="d", columns={"sex": ("f", "m")}, allowed=allowed)
    monitor = GroupGaps(made)
    for number, batch in enumerate(stream(seed, tpr), start=1):
        if any(True for _ in monitor.observe(batch)):
            return number * LOOK
    return None


def main(n: int) -> int:
    """Run all streams, print one JSON line, and fail when the claim does not hold."""
    start = time.process_time()
    false = sum(delay(i, (0.7, 0.7), 0.0) is not None for i in range(n))
    unfair = [delay(100_000 + i, (0.8, 0.5), 0.05) for i in range(n // 3)]
    told = sorted(one for one in unfair if one is not None)
    line = {
        "benchmark": "fairness_stream",
        "fair": {
            "n": n,
            "requests": LONGEST,
            "alarms": false,
            "interval": [round(e, 4) for e in clopper_pearson(false, n)],
        },
        "unfair": {"n": len(unfair), "told": len(told), "median_requests": told[len(told) // 2], "latest": told[-1]},
        "cpu_s": round(time.process_time() - start, 1),
        "claims": {"alarm_rate": CLAIM_RATE},
        "holds": false <= CLAIM_RATE * n and len(told) == len(unfair),
        "versions": {"redan": version("redan"), "python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0 if line["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
