"""How near trees err, from above and from below, and what finding out costs: beside three attacks and bounds of ART.

    python benchmarks/trees.py --peer FOLDER [--only forest,tree,bounds]

forest: a random forest of 100 trees on scikit-learn's digits in [0, 1] (30 % test, random_state 0), the same first
well-classified test samples, L2; ART's HopSkipJump with its defaults (50 rounds) sees labels, ours reads the trees.
tree: one decision tree on the same split, all well-classified test samples, L2; ART's DecisionTreeAttack reads it too.
bounds: gradient boosting of XGBoost on breast cancer in [0, 1], Linf; ART's clique method with its best published
setting (cliques of 2, 2 levels) beside our lower bounds, both as the mean radius that is proven.

One process, one thread; CPU seconds include the models' own. Every adversarial row is asked of the model again. One
JSON line a contender, then one with ratios. ART is imported from this environment or from --peer FOLDER
(`pip install --no-deps --target FOLDER adversarial-robustness-toolbox six`).
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
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from redan.kernels.trees.lengths import Meter
from redan.kernels.trees.nearest import Effort, Nearest, nearest
from redan.kernels.trees.reading import read
from redan.kernels.trees.spaces import ground

Points = NDArray[np.float32]
Labels = NDArray[np.int64]
EFFORT = Effort(looks=400, boxes=100)
"""The probe's standard plan."""


def searched(model: Any, x: Points, y: Labels, norm: Any) -> Nearest:
    """What our search says of rows in [0, 1]."""
    forest, d = read(model), x.shape[1]
    at = ground(forest, x, np.zeros(d), np.ones(d), None)
    meter = Meter(norm=norm, weight=np.append(np.ones(d), 0.0))

    def labels(points: NDArray[np.float64], places: Labels) -> Labels:
        return np.asarray(model.predict(points.astype(np.float32)), np.int64)

    return nearest(at.forest, at.rows, y, at.space, meter, EFFORT, labels=labels, pool=(at.rows, y))


def told(task: str, name: str, **values: Any) -> dict[str, Any]:
    """Print and return one contender's line."""
    packages = ["redan", "numpy", "scikit-learn"] + (["adversarial-robustness-toolbox"] if "art" in name else [])
    line = {"benchmark": "trees", "task": task, "contender": name, **values}
    print(json.dumps({**line, "versions": {p: version(p) for p in packages}}), flush=True)
    return line


def attacked(task: str, name: str, model: Any, x: Points, y: Labels, attack: Callable[[], Points]) -> dict[str, Any]:
    """Time one attack and measure what it found."""
    began = time.process_time()
    points = attack()
    spent = time.process_time() - began
    wrong = model.predict(points) != y
    lengths = np.linalg.norm(np.where(wrong[:, None], points - x, np.inf), axis=1)
    return told(
        task,
        name,
        n=len(x),
        success_rate=float(wrong.mean()),
        median_l2=round(float(np.median(lengths)), 4),
        cpu_s=round(spent, 4),
    )


def forest_task(limit: int, *, peer: bool) -> None:
    """Random forest: our search beside HopSkipJump with its defaults."""
    xa, x, ya, y = digits()
    model = RandomForestClassifier(100, random_state=0).fit(xa, ya)
    right = np.flatnonzero(model.predict(x) == y)[:limit]
    x, y = x[right], y[right]
    own = attacked("forest", "redan", model, x, y, lambda: searched(model, x, y, "l2").points.astype(np.float32))
    if not peer:
        return
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    wrapped = BlackBoxClassifier(
        lambda p: np.eye(10)[model.predict(p).astype(int)], (x.shape[1],), 10, clip_values=(0, 1)
    )
    attack = HopSkipJump(wrapped, norm=2, verbose=False)
    other = attacked("forest", "art HopSkipJump", model, x, y, lambda: attack.generate(x, np.eye(10)[y]))
    ratios("forest", own, other, "median_l2")


def tree_task(limit: int, *, peer: bool) -> None:
    """One tree: the exact answer beside DecisionTreeAttack."""
    del limit
    xa, x, ya, y = digits()
    model = DecisionTreeClassifier(random_state=0).fit(xa, ya)
    right = np.flatnonzero(model.predict(x) == y)
    x, y = x[right], y[right]
    own = attacked("tree", "redan", model, x, y, lambda: searched(model, x, y, "l2").points.astype(np.float32))
    if not peer:
        return
    from art.attacks.evasion import DecisionTreeAttack
    from art.estimators.classification import SklearnClassifier

    attack = DecisionTreeAttack(SklearnClassifier(model, clip_values=(0, 1)), verbose=False)
    other = attacked("tree", "art DecisionTreeAttack", model, x, y, lambda: attack.generate(x.copy()))
    ratios("tree", own, other, "median_l2")


def bounds_task(limit: int, *, peer: bool) -> None:
    """Lower bounds of boosted trees beside the clique method."""
    from xgboost import XGBClassifier

    x, y = load_breast_cancer(return_X_y=True)
    x = ((x - x.min(axis=0)) / np.ptp(x, axis=0)).astype(np.float32)
    xa, x, ya, y = train_test_split(x, y, test_size=0.3, random_state=0)
    model = XGBClassifier(n_estimators=50, max_depth=4, n_jobs=1).fit(xa, ya)
    right = np.flatnonzero(model.predict(x) == y)[: 2 * limit]
    x, y = x[right], y[right].astype(np.int64)
    began = time.process_time()
    found = searched(model, x, y, "linf")
    spent = time.process_time() - began
    own = told(
        "bounds",
        "redan",
        n=len(x),
        mean_proven_linf=round(float(found.lower.mean()), 4),
        mean_attacked_linf=round(float(found.upper.mean()), 4),
        solved_exactly=float(found.exact.mean()),
        cpu_s=round(spent, 4),
    )
    if not peer:
        return
    from art.estimators.classification import XGBoostClassifier
    from art.metrics import RobustnessVerificationTreeModelsCliqueMethod

    wrapped = XGBoostClassifier(model=model, nb_features=x.shape[1], nb_classes=2)
    method = RobustnessVerificationTreeModelsCliqueMethod(classifier=wrapped, verbose=False)
    began = time.process_time()
    proven, _ = method.verify(
        x=x, y=np.eye(2)[y], eps_init=0.1, norm=np.inf, nb_search_steps=10, max_clique=2, max_level=2
    )
    spent = time.process_time() - began
    other = told(
        "bounds", "art clique method", n=len(x), mean_proven_linf=round(float(proven), 4), cpu_s=round(spent, 4)
    )
    ratios("bounds", own, other, "mean_proven_linf")


def digits() -> tuple[Points, Points, Labels, Labels]:
    """Training and test rows of digits in [0, 1]."""
    data = load_digits()
    x = (data.data / 16).astype(np.float32)
    xa, xb, ya, yb = train_test_split(x, data.target.astype(np.int64), test_size=0.3, random_state=0)
    return xa, xb, ya, yb


def ratios(task: str, own: dict[str, Any], other: dict[str, Any], value: str) -> None:
    """Print how the two compare."""
    told_ratios = {
        f"cpu_s {other['contender']}/redan": round(other["cpu_s"] / own["cpu_s"], 1),
        f"{value} {other['contender']}/redan": round(other[value] / own[value], 2),
    }
    print(json.dumps({"benchmark": "trees", "task": task, "ratio": told_ratios}), flush=True)


TASKS: dict[str, Callable[..., None]] = {"forest": forest_task, "tree": tree_task, "bounds": bounds_task}


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="folder ART is imported from")
    parser.add_argument("--limit", type=int, default=20, help="samples of the forest, half of those of the bounds")
    parser.add_argument("--only", default=",".join(TASKS), help="tasks, with commas")
    args = parser.parse_args()
    sys.path.extend(filter(None, [args.peer]))
    peer = importlib.util.find_spec("art") is not None
    for name in args.only.split(","):
        TASKS[name](args.limit, peer=peer)
    if not peer:
        sys.stderr.write("no peer: pip install --no-deps --target FOLDER adversarial-robustness-toolbox six\n")
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
