"""Backdoored rows found by their activations, beside ART's activation clustering and spectral signatures.

    python benchmarks/backdoors.py [--poisoned badnets:200,blended:200] [--clean 200-219] [--peer FOLDER] [--peers 3]
    python benchmarks/backdoors.py --inversion ...

Claim: over at least 10 poisoned models of 3 kinds (1 % of 30,000 Fashion-MNIST rows) and at least 20 clean ones,
precision >= .95 and recall >= .90 of rows over all poisoned models together, at most one clean alarm, at most 6 CPU
seconds a model, features included. A first version, fixed on seeds 0 to 4, found 9 of 11 poisoned models of seeds 100
to 103 (the lines of seeds from 100 on in results/backdoors.jsonl); its search was then mended, with those seeds in
view. Seeds from 200 on were first looked at by this file, with the version that is kept. Twelve clean models of them
were scored without test data, and two alarmed; since then it runs as `redan attack` does, with the 8000 test images
from 2000 on as rows that nobody planted anything in. What alarms without them is given beside it.

The peer is ART 1.20 (ActivationDefence with its analysis by smaller cluster, since that by relative size raises with
numpy 2.4 where a class has nothing to report; SpectralSignatureDefense), imported from --peer FOLDER, on the first
--peers poisoned models and as many clean ones; it is told nothing of the target class either.
Everything runs in one process with one thread. One JSON line a model, then one for the claim. Models come from
benchmarks/backdoored.py.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from backdoored import CACHE, Case, case, images

from redan.core.budget import Budget
from redan.core.inputs import Dataset
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject

PRECISION, RECALL, ALARMS, CPU_S = 0.95, 0.90, 1, 6.0
POISONED = [f"{kind}:{seed}" for kind in ("badnets", "blended", "clean_label") for seed in range(200, 204)]


def judged(flagged: Any, one: Case) -> dict[str, Any]:
    """Compare flagged rows with planted ones."""
    return {
        "flagged": int(flagged.sum()),
        "planted": int(one.poisoned.sum()),
        "found": int((flagged & one.poisoned).sum()),
    }


def ours(one: Case) -> dict[str, Any]:
    """Find planted rows with Redan's detector, from images to verdict."""
    from redan.kernels.backdoors.likelihood import INDEX_BAR
    from redan.threats.poisoning.probes.activations import planted_rows

    data = Dataset(x=one.x, y=one.y, name="train", sha256="", indices=np.arange(len(one.x)), bounds=(0.0, 1.0))
    subject = TorchSubject(one.net, options=Options(name="net", bounds=(0.0, 1.0)), sample=one.x[:2])
    x, y = (values[2000:] for values in images("t10k"))
    test = Dataset(x=x, y=y, name="test", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))
    started = time.process_time()
    judged_rows = planted_rows(subject, data, Budget(), trusted=test)
    spent = time.process_time() - started
    assert judged_rows is not None
    _, found = judged_rows
    return {
        **judged(found.flagged, one),
        "index": round(found.highest, 2),
        "alarmed": found.alarmed.tolist(),
        "above_bar_without_test_data": found.classes[found.index.max(axis=0) >= INDEX_BAR].tolist(),
        "cpu_s": round(spent, 2),
    }


def inverted(one: Case) -> dict[str, Any]:
    """Look for a small trigger in the weights, with test images from 2000 on."""
    from redan.kernels.backdoors.inversion import InversionSettings, invert, oddness

    x, _ = images("t10k")
    for weight in one.net.parameters():
        weight.requires_grad_(requires_grad=False)
    started = time.process_time()
    settings = InversionSettings()
    found = invert(one.net, x[2000:3000], np.arange(10), low=0, high=1, seed=0, settings=settings, stop=lambda: "")
    index = oddness(found.sizes, found.reached)
    place = int(index.argmax())
    spent = round(time.process_time() - started, 2)
    return {"index": round(float(index[place]), 2), "class": place, "size": float(found.sizes[place]), "cpu_s": spent}


def art(one: Case) -> dict[str, Any]:
    """Ask ART's two defences, on the layer before the last as its examples do."""
    from art.defences.detector.poison import ActivationDefence, SpectralSignatureDefense
    from art.estimators.classification import PyTorchClassifier

    model = PyTorchClassifier(one.net, torch.nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0, 1))
    hot = np.eye(10, dtype=np.float32)[one.y]
    said: dict[str, Any] = {}
    for name, defence, asked in (
        ("activation", ActivationDefence(model, one.x, hot), {"cluster_analysis": "smaller"}),
        ("spectral", SpectralSignatureDefense(model, one.x, hot, expected_pp_poison=0.1), {}),
    ):
        started = time.process_time()
        _, kept = defence.detect_poison(nb_clusters=2, nb_dims=10, reduce="PCA", **asked)
        said[name] = {**judged(np.asarray(kept) == 0, one), "cpu_s": round(time.process_time() - started, 2)}
    return said


def shares(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Return precision and recall over all models together."""
    found = sum(row["found"] for row in rows)
    flagged = max(1, sum(row["flagged"] for row in rows))
    return found / flagged, found / max(1, sum(row["planted"] for row in rows))


def main() -> None:
    """Run all models and say whether the claim holds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--poisoned", default=",".join(POISONED))
    parser.add_argument("--clean", default="200-219")
    parser.add_argument("--peer", default="")
    parser.add_argument("--peers", type=int, default=3)
    parser.add_argument("--inversion", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    sys.path.insert(0, args.peer) if args.peer else None
    first, _, last = args.clean.partition("-")
    planted = [name.split(":") for name in args.poisoned.split(",")]
    clean = [["clean", str(seed)] for seed in range(int(first), int(last or first) + 1)]
    done: dict[str, list[dict[str, Any]]] = {"poisoned": [], "clean": []}
    # what is made already comes first
    for kind, seed in sorted([*planted, *clean], key=lambda name: not (CACHE / f"{name[0]}_{name[1]}.pt").exists()):
        one = case(kind, int(seed))
        line = {"model": f"{kind}_{seed}", **json.loads((CACHE / f"{kind}_{seed}.json").read_text())}
        line["target"] = None if kind == "clean" else one.target
        line["redan"] = inverted(one) if args.inversion else ours(one)
        group = done["clean" if kind == "clean" else "poisoned"]
        if args.peer and not args.inversion and len(group) < args.peers:
            line["art"] = art(one)
        group.append(line)
        print(json.dumps(line), flush=True)
    if not args.inversion:
        print(json.dumps(claim(done)), flush=True)


def claim(done: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Put all models together."""
    planted = [line["redan"] for line in done["poisoned"]]
    precision, recall = shares(planted)
    alarms = sum(bool(line["redan"]["alarmed"]) for line in done["clean"])
    slowest = max(line["redan"]["cpu_s"] for lines in done.values() for line in lines)
    holds = precision >= PRECISION and recall >= RECALL and alarms <= ALARMS and slowest <= CPU_S
    enough = len(done["poisoned"]) >= 10 and len(done["clean"]) >= 20
    return {
        "claim": "backdoored rows",
        "poisoned": len(planted),
        "clean": len(done["clean"]),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "clean_alarms": alarms,
        "clean_alarms_without_test_data": sum(
            bool(line["redan"]["above_bar_without_test_data"]) for line in done["clean"]
        ),
        "slowest_cpu_s": slowest,
        "holds": bool(holds and enough),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": Path("/proc/cpuinfo").read_text().split("model name\t: ")[-1].split("\n")[0],
    }


if __name__ == "__main__":
    main()
