"""How often an audit of differential privacy cries wolf, and what it sees: ``benchmarks/dp_audit.py [AUDIT_PY]``.

Claims: of 300 harmless runs (scores that know nothing of membership) at most 22 are accused; the bound on a mechanism
of known ε stays below it; Opacus's step keeps every promise but one: its sampling rate and normaliser follow the number
of records. AUDIT_PY is ``audit.py`` of Privacy Meter's repository (commit e384af8, MIT), whose rule, the best of all
numbers of guesses, judges the same scores; only its functions are taken, since the file imports its neighbours. Opacus
1.6.0 is used where it is on the path.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import math
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.kernels.dp.audit import epsilon_shown, guess
from redan.kernels.statistics import clopper_pearson

RUNS, CANARIES, CLAIM_ALARMS = 300, 500, 22
PEER_FUNCTIONS = ("compute_abstain_attack_results", "get_eps_audit", "p_value_DP_audit")
DELTA = 1e-5


def harmless() -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Scores and memberships that know nothing of each other."""
    draws = np.random.default_rng(20261121)
    return [(draws.normal(size=CANARIES), draws.integers(0, 2, CANARIES)) for _ in range(RUNS)]


def rate(alarms: int, n: int) -> dict[str, Any]:
    low, high = clopper_pearson(alarms, n)
    return {"alarms": alarms, "n": n, "rate": round(alarms / n, 4), "low": round(low, 4), "high": round(high, 4)}


def ours(runs: list[tuple[NDArray[Any], NDArray[Any]]], delta: float) -> dict[str, Any]:
    start = time.process_time()
    alarms = sum(epsilon_shown(guess(scores, included.astype(bool)), delta) > 0 for scores, included in runs)
    return rate(alarms, len(runs)) | {"cpu_s_per_run": round((time.process_time() - start) / len(runs), 5)}


def peer(path: Path, runs: list[tuple[NDArray[Any], NDArray[Any]]]) -> dict[str, Any]:
    import scipy

    tree = ast.parse(path.read_text(encoding="utf-8"))
    kept = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in PEER_FUNCTIONS]
    names: dict[str, Any] = {"np": np, "math": math, "scipy": scipy}
    exec(compile(ast.Module(kept, []), str(path), "exec"), names)
    import scipy.stats

    start = time.process_time()
    alarms = sum(float(names[PEER_FUNCTIONS[0]](scores, included)["eps_opt"]) > 0 for scores, included in runs)
    return rate(alarms, len(runs)) | {"cpu_s_per_run": round((time.process_time() - start) / len(runs), 3)}


def known(epsilon: float, runs: int = 100, canaries: int = 1000) -> dict[str, Any]:
    """Randomised response is exactly (ε, 0): what the audit shows of it."""
    draws, shown = np.random.default_rng(7), []
    for _ in range(runs):
        included = draws.integers(0, 2, canaries).astype(bool)
        told = np.where(draws.random(canaries) < 1 / (1 + math.exp(-epsilon)), included, ~included)
        shown.append(epsilon_shown(guess(told + draws.normal(0, 1e-3, canaries), included), 0.0))
    return {
        "epsilon": epsilon,
        "shown_mean": round(float(np.mean(shown)), 3),
        "above": rate(int(sum(s > epsilon for s in shown)), runs),
    }


def whole_probe() -> dict[str, Any]:
    """Runs of the whole probe on a training that never looks at the canaries it is given."""
    from sklearn.linear_model import LogisticRegression

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import SILENT
    from redan.subjects.options import Options
    from redan.subjects.recipes import own_recipe
    from redan.subjects.sklearn import SklearnSubject
    from redan.threats.privacy.probes.one_run_audit import OneRunAudit

    draws = np.random.default_rng(11)

    def rows(n: int) -> Dataset:
        return Dataset(
            x=draws.normal(size=(n, 6)), y=draws.integers(0, 2, n), name="rows", sha256="", indices=np.arange(n)
        )

    train, canaries, options = rows(200), rows(CANARIES), Options(name="line", classes=("a", "b"))
    recipe = own_recipe(lambda x, y, seed: LogisticRegression().fit(x[:200], y[:200]), options)
    subject = SklearnSubject(LogisticRegression().fit(train.x, train.y), options=options)
    inputs, alarms, start = Inputs(train=train, canary=canaries, recipe=recipe), 0, time.process_time()
    for seed in range(RUNS):
        (found,) = OneRunAudit().run(
            subject, inputs, OneRunAudit.Params(delta=DELTA), budget=Budget(), seed=seed, observe=SILENT
        )
        alarms += found.quantities[0].value > 0
    return rate(alarms, RUNS) | {"cpu_s_per_run": round((time.process_time() - start) / RUNS, 4)}


def opacus_step() -> dict[str, Any] | None:
    if importlib.util.find_spec("opacus") is None:
        return None
    import warnings

    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).parent))
    from opacus_step import make

    from redan.kernels.dp.conformance.contract import Records
    from redan.kernels.dp.conformance.examining import examine

    draws = np.random.default_rng(0)
    records = Records(x=draws.normal(size=(12, 20)).astype(np.float32), y=draws.integers(0, 4, 12))
    start = time.process_time()
    checks = list(examine(make, records, 0, lambda: None))
    return {
        "verdicts": {check.name: check.verdict for check in checks},
        "broken": {check.name: check.seen for check in checks if check.verdict == "broken"},
        "cpu_s": round(time.process_time() - start, 2),
    }


def main(path: str | None) -> int:
    """Judge the same harmless runs by both rules, print one JSON line, and fail when a claim does not hold."""
    runs = harmless()
    pure, approximate = ours(runs, 0.0), ours(runs, DELTA)
    found = [known(epsilon) for epsilon in (0.5, 1.0, 3.0)]
    step, probe = opacus_step(), whole_probe()
    line = {
        "benchmark": "dp_audit",
        "canaries": CANARIES,
        "redan_delta_0": pure,
        "redan_delta_1e-5": approximate,
        "redan_whole_probe_delta_1e-5": probe,
        "privacy_meter_delta_0": peer(Path(path), runs) if path else None,
        "randomised_response": found,
        "opacus_step": step,
        "claim_alarms": CLAIM_ALARMS,
        "holds": max(pure["alarms"], approximate["alarms"], probe["alarms"]) <= CLAIM_ALARMS
        and all(one["above"]["low"] <= 0.05 for one in found)
        and (step is None or list(step["broken"]) == ["public numbers"]),
        "versions": {"redan": version("redan"), "numpy": np.__version__, "python": platform.python_version()},
    }
    print(json.dumps(line, ensure_ascii=False))
    return 0 if line["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else None))
