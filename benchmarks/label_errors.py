"""Claim: label errors are found as cleanlab finds them, at its AUC, on 5 % of flipped labels.

Fashion-MNIST, 20,000 training images, 5 % of the labels flipped, a small network trained on them. Redan's probe judges
labels by 3 folds of a logistic regression on what enters the last layer. Beside it, on the same features in the same
run: cleanlab's own CleanLearning (5 folds, its default logistic regression). Compared are the AUC of the label quality
of flipped rows against the others, and CPU seconds.

usage: python benchmarks/label_errors.py [SEED]
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from backdoored import images, trained
from cleanlab.classification import CleanLearning

from redan.core.budget import Budget
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.evidence.blobs import load_npy
from redan.kernels.membership import auc
from redan.kernels.poisons.planting import label_flips
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.threats.poisoning.probes.label_errors import LabelErrors, LabelErrorsParams

ROWS = 20_000
RATE = 0.05


def ours(subject: Any, x: Any, y: Any) -> tuple[Any, float, float]:
    """Quality of each label, the share flagged, CPU seconds with the forward pass."""
    data = Dataset(x=x, y=y, name="train", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))
    started = time.process_time()
    (finding,) = LabelErrors().run(
        subject, Inputs(train=data), LabelErrorsParams(), budget=Budget(), seed=0, observe=SILENT
    )
    cpu_s = time.process_time() - started
    blob = finding.blob("quality")
    assert blob is not None
    return load_npy(blob.payload or b""), finding.quantities[0].value, cpu_s


def theirs(net: Any, x: Any, y: Any) -> tuple[Any, float, float]:
    """The same from CleanLearning on the same features, the forward pass included."""
    started = time.process_time()
    with torch.no_grad():
        features = torch.cat([net[:-1](part) for part in torch.as_tensor(x).split(500)]).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        issues = CleanLearning(seed=0).find_label_issues(features, y)
    cpu_s = time.process_time() - started
    return issues["label_quality"].to_numpy(), float(issues["is_label_issue"].mean()), cpu_s


def main() -> None:
    """Compare and print one line."""
    torch.set_num_threads(1)
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    x, y = images("train")
    rows = np.random.default_rng(seed).choice(len(x), ROWS, replace=False)
    x, y = x[rows], y[rows]
    flipped = label_flips(x, y, RATE, seed)
    net = trained(x, flipped.y, seed)
    subject = TorchSubject(net, options=Options(name="cnn", bounds=(0.0, 1.0)), sample=x[:2])
    ours(subject, x[:200], flipped.y[:200])  # imports are no part of the measurement
    line: dict[str, Any] = {"claim": "label errors", "seed": seed, "rows": ROWS, "flipped": int(flipped.mask.sum())}
    for name, (quality, share, cpu_s) in {
        "redan": ours(subject, x, flipped.y),
        "cleanlab": theirs(net, x, flipped.y),
    }.items():
        area = auc(-quality[flipped.mask], -quality[~flipped.mask])
        line[name] = {
            "auc": [round(v, 4) for v in (area.value, area.low, area.high)],
            "flagged": round(share, 4),
            "cpu_s": round(cpu_s, 2),
        }
    line["versions"] = {name: version(name) for name in ("cleanlab", "scikit-learn", "torch")}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
