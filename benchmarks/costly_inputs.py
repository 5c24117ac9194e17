"""Are planted costs found and constant ones left alone? ``python benchmarks/costly_inputs.py [SEEDS]``.

Claim: with the standard plan, over the seeds, each model whose cost depends on its input is judged at least LOW with a
ratio beyond noise, and no model of constant cost is judged at all. One JSON line with ratios, intervals and CPU
seconds. The inputs are scikit-learn's digits and forty short texts.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from torch import nn

from redan.core.budget import Budget
from redan.core.finding import Finding, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject
from redan.threats.evasion.probes.costly_inputs import CostlyInputs


class EarlyExit(nn.Module):
    """Answers from the first layer where that is sure, else from the twelfth."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, 10)
        self.deep = nn.Sequential(*[nn.Linear(512, 512) for _ in range(12)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, 1, 8, 8) to (n, 10)."""
        flat = x.flatten(1)
        if bool((flat.std(dim=1) > 0.2).all()):
            return self.first(flat)
        return self.deep(flat.repeat(1, 8))[:, :10]


def looping(x: np.ndarray) -> np.ndarray:
    """Go round more often the farther the mean is from that of the data."""
    found = []
    for row in x:
        value = row
        for _ in range(3 + int(4000 * max(0.0, abs(float(row.mean()) - 0.3) - 0.1) ** 2)):
            value = np.tanh(value)
        found.append(int(value.sum() > 1))
    return np.array(found)


def models() -> dict[str, tuple[Any, Dataset, bool]]:
    """Return name → subject, data and whether its cost depends on the input."""
    x, y = load_digits(return_X_y=True)
    flat = (x / 16).astype(np.float32)
    rows = Dataset(x=flat, y=y, name="digits", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))
    images = Dataset(
        x=flat.reshape(-1, 1, 8, 8), y=y, name="digits", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0)
    )
    texts = np.array([f"order {i} of {i % 7} items arrived" for i in range(40)], dtype=object)
    words = Dataset(x=texts, y=np.zeros(40, np.int64), name="texts", sha256="", indices=np.arange(40))
    backtracking = re.compile(r"^(([a-z0-9])+\s?)+$")
    cnn = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10))
    named = Options(bounds=(0.0, 1.0))
    labels = Options(answers="labels")
    return {
        "loop": (CallableSubject(looping, options=labels), images, True),
        "early exit": (TorchSubject(EarlyExit(), options=named, sample=images.x[:2]), images, True),
        "backtracking": (
            CallableSubject(lambda t: np.array([int(bool(backtracking.match(s))) for s in t]), options=labels),
            words,
            True,
        ),
        "cnn": (TorchSubject(cnn, options=named, sample=images.x[:2]), images, False),
        "logistic regression": (SklearnSubject(LogisticRegression(max_iter=50, tol=0.1).fit(flat, y)), rows, False),
        "support vectors": (SklearnSubject(SVC().fit(flat, y)), rows, False),
        "random forest": (SklearnSubject(RandomForestClassifier(20, random_state=0).fit(flat, y)), rows, False),
    }


def main(seeds: int) -> int:
    """Measure every model with every seed and print one JSON line."""
    torch.manual_seed(0)
    rows: dict[str, list[dict[str, Any]]] = {}
    holds = True
    for name, (subject, data, depends) in models().items():
        for seed in range(seeds):
            started = time.process_time()
            run = CostlyInputs().run(
                subject, Inputs(test=data), CostlyInputs.Params(), budget=Budget(), seed=seed, observe=SILENT
            )
            found: Finding = next(run)
            ratio = found.quantities[0]
            flagged = found.severity >= Severity.LOW
            holds &= flagged == depends
            rows.setdefault(name, []).append(
                {
                    "ratio": round(ratio.value, 2),
                    "interval": [round(ratio.low, 2), round(ratio.high, 2)],
                    "severity": found.severity.word,
                    "cpu_s": round(time.process_time() - started, 2),
                }
            )
    line = {
        "benchmark": "costly_inputs",
        "seeds": seeds,
        "models": rows,
        "holds": holds,
        "versions": {"redan": version("redan"), "torch": torch.__version__, "python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
