"""Drift of a million rows against a million: ``python benchmarks/drift.py [ROWS]``.

Claim: all effects, intervals, adjusted p-values and the classifier over ten columns cost at most the CPU of the
Kolmogorov-Smirnov test and Wasserstein distance of scipy alone on the same columns, and find the same distances.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
from scipy import stats

from redan.kernels.drift.comparing import Sample, compare

N_COLUMNS = 10
CLAIM_RATIO = 1.0


def main(n_rows: int) -> int:
    """Measure both in one run, print one JSON line, and fail when the claim does not hold."""
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, N_COLUMNS, n_rows))
    two += np.linspace(0, 0.5, N_COLUMNS)[:, None]
    present = np.zeros(n_rows, dtype=bool)
    start_s = time.process_time()
    found = compare(
        [
            Sample(name=str(i), text=False, reference=one[i], current=two[i], missing=(present, present))
            for i in range(N_COLUMNS)
        ],
        seed=0,
    )
    ours_s = time.process_time() - start_s
    start_s = time.process_time()
    exact = [stats.ks_2samp(a, b, method="asymp").statistic for a, b in zip(one, two, strict=True)]
    areas = [stats.wasserstein_distance(a, b) / a.std() for a, b in zip(one, two, strict=True)]
    theirs_s = time.process_time() - start_s
    gap = max(abs(d.effect.effect.value - e) for d, e in zip(found.drifts, exact, strict=True))
    area_gap = max(abs(d.effect.others["wasserstein"].value - a) for d, a in zip(found.drifts, areas, strict=True))
    line = {
        "benchmark": "drift",
        "rows": n_rows,
        "columns": N_COLUMNS,
        "cpu_s": {"redan": round(ours_s, 2), "scipy": round(theirs_s, 2)},
        "ratio": round(ours_s / theirs_s, 2),
        "claim_ratio": CLAIM_RATIO,
        "largest_gap": {"ks": float(gap), "wasserstein_sd": round(float(area_gap), 5)},
        "holds": bool(ours_s <= CLAIM_RATIO * theirs_s and gap < 1e-9),
        "versions": {"redan": version("redan"), "scipy": version("scipy"), "numpy": version("numpy")},
    }
    print(json.dumps(line))
    return 0 if line["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
