"""How near to its inputs a forest errs, and what finding out costs: our HopSkipJump beside ART's HopSkipJump.

    python benchmarks/forest_l2.py --peer FOLDER

A random forest of 100 trees on scikit-learn's digits in [0, 1]; the same well-classified test samples for everybody,
L2, labels only. ART's runs with its default of 50 rounds, ours with 10 and with 30. One process, one thread;
CPU seconds include the forest's own. One JSON line a contender, then one with the ratios. ART is imported from this
environment or from --peer FOLDER (`pip install --no-deps --target FOLDER adversarial-robustness-toolbox six`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from redan.kernels import draws
from redan.kernels.attacks.ball import Box
from redan.kernels.attacks.hopskipjump import HopSkipJumpSettings, hopskipjump

Points = NDArray[np.float32]
Labels = NDArray[np.int64]
UNIT = Box(low=0.0, high=1.0)


class Forest:
    """Counts the rows and calls it answers."""

    def __init__(self, forest: RandomForestClassifier) -> None:
        self._forest = forest
        self.rows = self.calls = 0

    def labels(self, points: Points) -> Labels:
        """Classes of points (m, 64)."""
        self.rows, self.calls = self.rows + len(points), self.calls + 1
        return self._forest.predict(points).astype(np.int64)


def by_labels(forest: Forest, x: Points, y: Labels, rounds: int) -> Points:
    """Nearest points of our HopSkipJump."""
    keys = draws.sample_keys(0, "forest", range(len(x)))
    settings = HopSkipJumpSettings(iterations=rounds)
    return hopskipjump(forest.labels, x, y, norm="l2", box=UNIT, keys=keys, settings=settings).adversarial


def art(forest: Forest, x: Points, y: Labels) -> Points:
    """Points found by ART's attack with its defaults."""
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    wrapped = BlackBoxClassifier(lambda p: np.eye(10)[forest.labels(p)], (x.shape[1],), 10, clip_values=(0, 1))
    return HopSkipJump(wrapped, norm=2, verbose=False).generate(x, np.eye(10)[y])


def main() -> int:
    """Measure all and print their lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="folder ART is imported from")
    parser.add_argument("--limit", type=int, default=10, help="samples")
    args = parser.parse_args()
    sys.path.extend(filter(None, [args.peer]))
    digits = load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
    model = RandomForestClassifier(100, random_state=0).fit(x[:1200], y[:1200])
    right = 1200 + np.flatnonzero(model.predict(x[1200:]) == y[1200:])[: args.limit]
    known = importlib.util.find_spec("art") is not None
    contenders: dict[str, Callable[[Forest, Points, Labels], Points]] = {
        "redan labels, 10 rounds": partial(by_labels, rounds=10),
        "redan labels, 30 rounds": partial(by_labels, rounds=30),
        **({"art labels, 50 rounds": art} if known else {}),
    }
    seconds = {}
    for name, attack in contenders.items():
        forest, began = Forest(model), time.process_time()
        points = attack(forest, x[right], y[right])
        seconds[name] = time.process_time() - began
        line = {
            "benchmark": "forest_l2",
            "contender": name,
            "n": len(right),
            "success_rate": float((model.predict(points) != y[right]).mean()),
            "median_l2": round(float(np.median(np.linalg.norm(points - x[right], axis=1))), 4),
            "rows": forest.rows,
            "calls": forest.calls,
            "cpu_s": round(seconds[name], 2),
            "versions": {p: version(p) for p in ("redan", "numpy", "scikit-learn")}
            | ({"art": version("adversarial-robustness-toolbox")} if name.startswith("art") else {}),
        }
        print(json.dumps(line), flush=True)
    if not known:
        sys.stderr.write("no peer: pip install --no-deps --target FOLDER adversarial-robustness-toolbox six\n")
        return 3
    peer = seconds.pop("art labels, 50 rounds")
    ratios = {f"cpu_s art/{name}": round(peer / own, 1) for name, own in seconds.items()}
    print(json.dumps({"benchmark": "forest_l2", "ratio": ratios}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
