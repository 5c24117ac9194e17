"""Mitigations side by side: what an attack reports that does not know them, and what is left under one that does.

    python benchmarks/mitigations.py [--limit 500] [--offset 1000] [--eps 0.1,0.02] [--only bit-depth,ensemble]

On Fashion-MNIST with the naturally trained small net std.pt, every mitigation from Redan's own catalogue. `naive` is
PGD with 40 steps on the model as such defences are usually written, rounding without a gradient; `adaptive` is the
standard cascade through the mitigation; `left` is what the masking suite leaves of its first --rows images after its
repairs, the adaptive figure of random models; then its verdict and flags, the median latency of 11 calls, and the CPU
seconds that making it took. Training uses the first --train training images; those that learn on worst inputs learn
Linf 0.1. Test images 1000-1499 unless asked otherwise; none took part in any choice. One process, one thread; a JSON
line each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from hardening import SHARED, applied, images, network, subject_of

from redan.core import catalogue
from redan.core.budget import Budget
from redan.core.inputs import Inputs
from redan.core.progress import SILENT
from redan.runner.harden_measuring import latency

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset

WORST = {"eps": 0.1}
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as it was", {}),
    ("bit-depth", {"bits": 3}),
    ("bit-depth", {"bits": 1}),
    ("jpeg-like", {}),
    ("spatial-smoothing", {"window": "median"}),
    ("feature-squeezing", {"bits": 3}),
    ("random-resizing", {"answer": "random", "copies": 32}),
    ("adversarial-training", WORST | {"epochs": 8, "learning_rate": 5e-3}),
    ("ensemble", WORST | {"learn": "worst", "epochs": 8, "learning_rate": 5e-3}),
    ("ensemble", {"learn": "clean", "epochs": 5}),
    ("dropout", {"epochs": 5}),
    ("batch-normalisation", {"epochs": 5}),
    ("ensemble", {"learn": "clean", "answer": "random", "epochs": 5}),
    ("spatial-smoothing", {"window": "gaussian"}),
    ("random-resizing", {"answer": "mean"}),
    ("total-variation", {}),
    ("ensemble", {"learn": "clean", "diversity": 0.5, "epochs": 5}),
)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--offset", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--train", type=int, default=12_000)
    parser.add_argument("--eps", default="0.1,0.02")
    parser.add_argument("--only", default="", help="names, separated by commas")
    return parser.parse_args()


def found(name: str, subject: Any, data: Dataset, **params: Any) -> Finding:
    """Run a probe of the catalogue."""
    kind = catalogue.load(catalogue.entry("probe", name))
    run = kind().run(subject, Inputs(test=data), kind.Params.of(params), budget=Budget(), seed=0, observe=SILENT)
    finding: Finding = next(iter(run))
    return finding


def number(finding: Finding, name: str) -> list[float]:
    """Value and 95 % interval of a quantity."""
    quantity = finding.quantity(name)
    if quantity is None:
        raise KeyError(name)
    return [round(quantity.value, 4), round(quantity.low, 4), round(quantity.high, 4)]


def judged(made: Any, naive: Any, data: Dataset, eps: float, rows: int) -> dict[str, Any]:
    """All figures at one radius."""
    before = time.process_time()
    cascade = found("cascade", made, data, eps=eps)
    trust = found("gradient-masking", made, data, eps=eps, rows=rows)
    checks = next((table.rows for table in trust.tables if table.name == "checks"), ())
    return {
        "clean": number(cascade, "clean_accuracy"),
        "naive": number(found("pgd", naive, data, eps=eps), "robust_accuracy"),
        "adaptive": number(cascade, "robust_accuracy"),
        "left": number(trust, "repaired_accuracy"),
        "left_n": min(rows, len(data)),
        "verdict": "masked" if trust.severity.name == "HIGH" else "trustworthy",
        "status": trust.status,
        "flags": {str(row[0]): row[1] for row in checks if row[3] == "flagged"},
        "judging_cpu_s": round(time.process_time() - before, 1),
    }


def line(name: str, params: dict[str, Any], args: argparse.Namespace, given: Any) -> dict[str, Any]:
    """One mitigation."""
    data = images("test", args.offset, args.offset + args.limit)
    train = images("train", 0, args.train)
    made, cpu_s = (given, 0.0) if name == "as it was" else applied(name, given, train, 0, **params)
    naive = made
    if name in {"bit-depth", "jpeg-like", "feature-squeezing"}:
        naive, _ = applied(name, given, train, 0, gradient="own", **params)
    quick = latency(made, replace(data, x=data.x[:256]).x)
    return {
        "benchmark": "mitigations",
        "mitigation": name,
        "params": params,
        "n": len(data),
        "latency_us": round(quick.value * 1e6, 1),
        "training_cpu_s": cpu_s,
        **{f"linf_{eps}": judged(made, naive, data, float(eps), args.rows) for eps in args.eps.split(",")},
    }


def main() -> int:
    """Measure every case and print a line each."""
    args = options()
    torch.set_num_threads(1)
    net = network(0)
    net.load_state_dict(torch.load(SHARED / "models" / "fashion_cnn" / "std.pt", weights_only=True))
    versions = {"python": platform.python_version(), "torch": version("torch"), "redan": version("redan")}
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    for name, params in CASES:
        if args.only and name not in args.only.split(","):
            continue
        told = line(name, params, args, subject_of(net)) | {"versions": versions, "machine": machine}
        print(json.dumps(told), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
