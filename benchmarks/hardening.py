"""What hardening costs and brings on Fashion-MNIST: a small convolutional net trained by Redan's own mitigations.

    python benchmarks/hardening.py --seeds 3 --autoattack 1 --peer FOLDER
    python benchmarks/hardening.py --what distillation
    python benchmarks/hardening.py --what alternatives,querying

`training` trains from random weights (by the seed) on the 60 000 training images, one thread, and counts the CPU
seconds of the process around the mitigation; robust accuracy is Redan's standard cascade on the first 1000 test images,
and with --autoattack the official AutoAttack (pyautoattack, from --peer or this environment). No test image takes part
in any choice: recipes were compared on the last 3000 training images, held out for that. `alternatives` trains every
other mitigation on 12 000 images and judges it on test images 2000-2999. `distillation` compares the naturally trained
net std.pt with its student. `querying` holds classes 5-9 back. Each has a process of its own and prints a JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redan.core.inputs import Dataset
    from redan.core.subject import Subject

SHARED = Path(os.environ.get("REDAN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
EPS = 0.1
RECIPE = {"eps": EPS, "epochs": 7, "learning_rate": 8e-3}
STUDENT = {"width": 0.5625, "epochs": 15, "batch_size": 256, "learning_rate": 6e-3}
WHAT = ("training", "distillation", "alternatives", "querying")
ALTERNATIVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("regularisation", {"penalty": "label-smoothing", "strength": 0.0}),
    ("regularisation", {"penalty": "label-smoothing"}),
    ("regularisation", {"penalty": "weight-decay"}),
    ("regularisation", {"penalty": "spectral"}),
    ("regularisation", {"penalty": "input-gradient"}),
    ("defensive-distillation", {}),
    ("fast-at", {"eps": EPS}),
    ("trades", {"eps": EPS}),
    ("adversarial-training", {"eps": EPS}),
)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", default="training", help=", ".join(WHAT))
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 .. N-1 of training and distillation")
    parser.add_argument("--autoattack", type=int, default=0, help="seeds that the official AutoAttack judges too")
    parser.add_argument("--peer", type=Path, help="folder AutoAttack is imported from")
    parser.add_argument("--weights", type=Path, default=SHARED / "models" / "fashion_cnn" / "std.pt", help="teacher")
    parser.add_argument("--save", type=Path, help="folder the trained weights go to")
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def network(seed: int) -> Any:
    """Build the small convolutional net with weights drawn by the seed."""
    import torch
    from torch import nn

    class FashionCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 16, 4, stride=2, padding=1)
            self.conv2 = nn.Conv2d(16, 32, 4, stride=2, padding=1)
            self.fc1 = nn.Linear(32 * 7 * 7, 100)
            self.fc2 = nn.Linear(100, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = torch.relu(self.conv2(torch.relu(self.conv1(x))))
            return self.fc2(torch.relu(self.fc1(hidden.flatten(1))))

    torch.manual_seed(seed)
    return FashionCNN()


def subject_of(net: Any) -> Any:
    """Wrap a network as a subject."""
    import numpy as np

    from redan.subjects.options import Options
    from redan.subjects.torch import TorchSubject

    known = Options(name="fashion-cnn", bounds=(0.0, 1.0))
    return TorchSubject(net, options=known, sample=np.zeros((2, 1, 28, 28), np.float32))


def images(split: str, start: int, stop: int) -> Dataset:
    """Read images (n, 1, 28, 28) in [0, 1] with their labels."""
    import numpy as np

    from redan.core.inputs import Dataset
    from redan.subjects.data.builtin import by_name

    source = by_name("fashion-mnist", split)  # type: ignore[arg-type]  # the callers write train or test
    rows = source.read(start, stop)
    x = np.asarray(rows.x, np.float32).reshape(-1, 1, 28, 28)
    return Dataset(
        x=x,
        y=np.asarray(rows.labels, np.int64),
        name=f"fashion-mnist:{split}",
        sha256="",
        indices=np.arange(start, stop),
        bounds=(0.0, 1.0),
    )


def applied(name: str, given: Any, data: Dataset, seed: int, **params: Any) -> tuple[Subject, float]:
    """Apply a mitigation of the catalogue and count the CPU seconds of this process."""
    from redan.core import catalogue
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import SILENT

    entry = next(entry for entry in catalogue.entries("mitigation") if entry.name == name)
    kind = catalogue.load(entry)
    before = time.process_time()
    made = kind().apply(given, Inputs(train=data), kind.Params.of(params), budget=Budget(), seed=seed, observe=SILENT)
    return made, round(time.process_time() - before, 1)


def accuracies(subject: Any, data: Dataset, depth: str = "standard") -> dict[str, Any]:
    """Clean and robust accuracy with their 95 % intervals."""
    import torch

    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.cascade import evade
    from redan.kernels.attacks.plans import plan_for
    from redan.kernels.draws import sample_keys
    from redan.kernels.statistics import wilson

    found = evade(
        subject.logits,
        torch.from_numpy(data.x),
        torch.from_numpy(data.y),
        ball=Ball(norm="linf", eps=EPS, box=Box(low=0.0, high=1.0)),
        keys=sample_keys(0, "RDN-EVA-001", data.indices),
        plan=plan_for(depth, "linf"),  # type: ignore[arg-type]  # the callers write quick or standard
    )
    right, robust = int((found.stage != 0).sum()), int((~found.success).sum())
    n = len(data)
    return {
        "n": n,
        "clean": right / n,
        "clean_interval": [round(end, 4) for end in wilson(right, n)],
        f"robust_{depth}": robust / n,
        f"robust_{depth}_interval": [round(end, 4) for end in wilson(robust, n)],
    }


def training(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The bar: robust accuracy from random weights within 90 CPU seconds."""
    import torch

    made: Any
    made, cpu_s = applied("adversarial-training", subject_of(network(seed)), images("train", 0, 60_000), seed, **RECIPE)
    every = images("test", 0, 10_000)
    line = {
        "seed": seed,
        "training_cpu_s": cpu_s,
        "recipe": made.ref.binding.detail,
        "clean_10000": float((made.labels(every.x) == every.y).mean()),
        **accuracies(made, images("test", 0, 1000)),
    }
    if args.save:
        torch.save(made.module.inner.state_dict(), args.save / f"hardened-{seed}.pt")
    return line | (official(args, made, images("test", 0, 1000)) if seed < args.autoattack else {})


def official(args: argparse.Namespace, subject: Any, data: Dataset) -> dict[str, Any]:
    """Let the official AutoAttack judge the same images."""
    import torch

    if args.peer:
        sys.path.insert(0, str(args.peer))
    from pyautoattack import AutoAttack

    net = subject.module.inner.eval().requires_grad_(requires_grad=False)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    before = time.process_time()
    attack = AutoAttack(net, norm="Linf", eps=EPS, seed=0, device="cpu", version="standard")
    points = attack.run_standard_evaluation(x, y, batch_size=500)
    points = points[0] if isinstance(points, tuple) else points
    cpu_s = round(time.process_time() - before, 1)
    return {"robust_autoattack": float((net(points).argmax(1) == y).double().mean()), "autoattack_cpu_s": cpu_s}


def latencies_us(nets: list[Any], rows: int) -> list[float]:
    """Median CPU microseconds an input of 61 batches, the nets in turns so that the process is alike for all."""
    import torch

    x = torch.rand(rows, 1, 28, 28)
    times: list[list[float]] = [[] for _ in nets]
    with torch.no_grad():
        for _ in range(61):
            for net, spent in zip(nets, times, strict=True):
                before = time.process_time()
                net(x)
                spent.append(time.process_time() - before)
    return [round(median(spent) / rows * 1e6, 2) for spent in times]


def distillation(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The bar: at most half the latency and at most one point of accuracy lost."""
    import torch

    train, test = images("train", 0, 60_000), images("test", 0, 10_000)
    net = network(0)
    net.load_state_dict(torch.load(args.weights, weights_only=True))
    teacher = subject_of(net)
    student, student_s = applied("distillation", teacher, train, seed, **STUDENT)
    found: dict[str, Any] = {"seed": seed, "recipe": student.ref.binding.detail}
    models: dict[str, Any] = {"teacher": teacher, "student": student}
    timed = {rows: latencies_us([one.module.eval() for one in models.values()], rows) for rows in (1, 32, 256)}
    for place, (name, model) in enumerate(models.items()):
        found[name] = {
            "training_cpu_s": student_s if name == "student" else None,
            "accuracy_10000": float((model.labels(test.x) == test.y).mean()),
            **{f"latency_us_batch_{rows}": spent[place] for rows, spent in timed.items()},
        }
    return found | {"latency_ratio": {str(rows): round(spent[1] / spent[0], 3) for rows, spent in timed.items()}}


def alternatives(_: argparse.Namespace, number: int) -> dict[str, Any]:
    """One other mitigation, from the same random weights on the same images."""
    name, params = ALTERNATIVES[number]
    made, cpu_s = applied(name, subject_of(network(0)), images("train", 0, 12_000), 0, **params)
    judged = accuracies(made, images("test", 2000, 3000), "quick")
    return {"mitigation": name, "params": params, "training_cpu_s": cpu_s, **judged}


def querying(_: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Few-shot classes that were held back: before, with clean queries, with attacked queries."""
    from dataclasses import replace

    data = images("train", 0, 12_000)
    known = data.y < 5
    seen = replace(data, x=data.x[known], y=data.y[known], indices=data.indices[known])
    before = subject_of(network(seed))
    found: dict[str, Any] = {"seed": seed, "eps": EPS, "before": few_shots(before)}
    for name, eps in (("clean queries", 0.0), ("attacked queries", EPS)):
        made, cpu_s = applied("adversarial-querying", before, seen, seed, eps=eps)
        found[name] = {"training_cpu_s": cpu_s, **few_shots(made)}
    return found


def few_shots(subject: Any) -> dict[str, Any]:
    """Adapt to 40 episodes of classes 5-9 and attack their queries."""
    import torch

    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.statistics import wilson
    from redan.kernels.training.adaptation import Adaptation
    from redan.kernels.training.episodes import Task
    from redan.kernels.training.fewshot import measure

    data = images("train", 12_000, 20_000)
    held = data.y >= 5
    judged = measure(
        subject.module,
        torch.from_numpy(data.x[held]),
        torch.from_numpy(data.y[held]),
        Task(ways=2, shots=5, queries=10),
        Adaptation(ways=2, steps=5, rate=0.4),
        Ball(norm="linf", eps=EPS, box=Box(low=0.0, high=1.0)),
        episodes=40,
        seed=0,
    )
    n = judged.queries
    return {
        "n": n,
        "clean": judged.right / n,
        "clean_interval": [round(end, 4) for end in wilson(judged.right, n)],
        "robust": judged.robust / n,
        "robust_interval": [round(end, 4) for end in wilson(judged.robust, n)],
    }


def run_one(args: argparse.Namespace) -> int:
    """Run one measurement in this process and print its line."""
    import torch

    torch.set_num_threads(1)
    what, number = args.run
    found = {"training": training, "distillation": distillation, "alternatives": alternatives, "querying": querying}
    line = {"benchmark": "hardening", "what": what, **found[what](args, number)}
    line["versions"] = {"python": platform.python_version(), "torch": version("torch"), "redan": version("redan")}
    line["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    print(json.dumps(line), flush=True)
    return 0


def main() -> int:
    """Run every measurement in a process of its own."""
    args = options()
    if args.run:
        return run_one(args)
    asked = args.what.split(",")
    if unknown := set(asked) - set(WHAT):
        sys.stderr.write(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(WHAT)}\n")
        return 2
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    for what in asked:
        for number in range(len(ALTERNATIVES) if what == "alternatives" else args.seeds):
            words = [sys.executable, __file__, *sys.argv[1:], "--run", json.dumps([what, number])]
            if code := subprocess.run(words, env=environment, check=False).returncode:
                return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
