"""Robust accuracy and its price: Redan's cascade beside official APGD-CE or AutoAttack, same model, same images.

    python benchmarks/evasion_cascade.py --norm linf --eps 0.1
    python benchmarks/evasion_cascade.py --norm l2 --eps 1.0 --contenders redan-standard,peer-autoattack --seeds 5

Each contender runs in a process of its own with one thread; its CPU seconds include the start of Python and the import
of torch. Every adversarial point is judged again by a plain forward inside ball and box. One JSON line a run, then one
with the ratios. The peer (`pyautoattack`, else `adversarial-robustness-toolbox`) is imported from this environment or
from --peer FOLDER, filled by `pip install --no-deps --target FOLDER pyautoattack` so that it cannot change torch.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("REDAN_SHARED", ROOT.parent / "shared"))
DATA = Path("/usr/share/datasets/fashion-mnist")
CONTENDERS = ("redan-quick", "redan-standard", "redan-deep", "peer-apgd-ce", "peer-autoattack")


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--norm", choices=("linf", "l2"), default="linf")
    parser.add_argument("--eps", type=float, default=0.1)
    parser.add_argument("--offset", type=int, default=0, help="first test image")
    parser.add_argument("--limit", type=int, default=1000, help="number of test images")
    parser.add_argument("--weights", type=Path, default=SHARED / "models" / "fashion_cnn" / "at01.pt")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the IDX files of Fashion-MNIST")
    parser.add_argument("--peer", type=Path, help="folder the peer is imported from")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 .. N-1 for Redan; the peer runs with seed 0")
    parser.add_argument("--contenders", default="redan-quick,redan-standard,peer-apgd-ce", help=", ".join(CONTENDERS))
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def missing(args: argparse.Namespace) -> list[str]:
    """What the run needs and does not find."""
    images = args.data / "t10k-images-idx3-ubyte.gz"
    found = []
    if not args.weights.is_file():
        found.append(f"weights {args.weights}: give --weights FILE or set REDAN_SHARED")
    if not images.is_file():
        found.append(f"data {images}: apt-get install dataset-fashion-mnist, or give --data FOLDER")
    unknown = set(args.contenders.split(",")) - set(CONTENDERS)
    if unknown:
        found.append(f"contenders {', '.join(sorted(unknown))}: known are {', '.join(CONTENDERS)}")
    return found


def network(weights: Path) -> torch.nn.Module:
    """Build the small convolutional net the weights belong to, counting what passes through it."""
    import torch
    from torch import nn

    class FashionCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 16, 4, stride=2, padding=1)
            self.conv2 = nn.Conv2d(16, 32, 4, stride=2, padding=1)
            self.fc1 = nn.Linear(32 * 7 * 7, 100)
            self.fc2 = nn.Linear(100, 10)
            self.samples = {"forward": 0, "gradient": 0}

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.samples["gradient" if torch.is_grad_enabled() and x.requires_grad else "forward"] += len(x)
            hidden = torch.relu(self.conv2(torch.relu(self.conv1(x))))
            return self.fc2(torch.relu(self.fc1(hidden.flatten(1))))

    model = FashionCNN()
    model.load_state_dict(torch.load(weights, weights_only=True))
    # the peers are given the same head start: no gradients by the weights
    return model.eval().requires_grad_(requires_grad=False)


def images(args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Read the test images, (n, 1, 28, 28) in [0, 1], and their labels."""
    import torch

    def read(name: str, header: int) -> torch.Tensor:
        with gzip.open(args.data / name) as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

    chosen = slice(args.offset, args.offset + args.limit)
    pixels = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[chosen].float() / 255
    return pixels, read("t10k-labels-idx1-ubyte.gz", 8)[chosen].long()


def redan(args: argparse.Namespace, depth: str, model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Run the cascade and return the adversarial points."""
    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.cascade import evade
    from redan.kernels.attacks.plans import plan_for
    from redan.kernels.draws import sample_keys

    found = evade(
        model,
        x,
        y,
        ball=Ball(norm=args.norm, eps=args.eps, box=Box(low=0.0, high=1.0)),
        keys=sample_keys(args.seed, "RDN-EVA-001", range(args.offset, args.offset + len(x))),
        plan=plan_for(depth, args.norm),  # type: ignore[arg-type]  # the name of a contender ends with a depth
    )
    return found.adversarial


def peer(args: argparse.Namespace, attack: str, model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Run the official attack, or ART's APGD-CE where only that library is found, and return the points."""
    import torch

    norm = {"linf": "Linf", "l2": "L2"}[args.norm]
    if importlib.util.find_spec("pyautoattack"):
        from pyautoattack import AutoAttack

        kwargs = {"version": "standard"} if attack == "autoattack" else {"version": "custom", "attacks": ["apgd-ce"]}
        official = AutoAttack(model, norm=norm, eps=args.eps, seed=0, device="cpu", **kwargs)
        official.apgd.n_restarts = 1
        points = official.run_standard_evaluation(x, y, batch_size=500)
        return points[0] if isinstance(points, tuple) else points
    from art.attacks.evasion import AutoProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

    shape, loss = (1, 28, 28), torch.nn.CrossEntropyLoss()
    wrapped = PyTorchClassifier(model, loss, shape, nb_classes=10, clip_values=(0, 1), device_type="cpu")
    number = {"linf": float("inf"), "l2": 2}[args.norm]
    apgd = AutoProjectedGradientDescent(
        wrapped, norm=number, eps=args.eps, eps_step=2 * args.eps, max_iter=100, nb_random_init=1, batch_size=500
    )
    return torch.from_numpy(apgd.generate(x.numpy(), y.numpy()))


def judge(args: argparse.Namespace, model: Any, x: torch.Tensor, y: torch.Tensor, points: torch.Tensor) -> float:
    """Share of images the model still gets right, clean and attacked; points outside ball or box do not count."""
    import torch

    moves = (points.double() - x.double()).flatten(1)
    lengths = moves.abs().amax(1) if args.norm == "linf" else moves.norm(dim=1)
    fair = (lengths <= args.eps * (1 + 1e-5)) & (points.flatten(1).amin(1) >= 0) & (points.flatten(1).amax(1) <= 1)
    with torch.no_grad():
        right = (model(x).argmax(1) == y) & ((model(points).argmax(1) == y) | ~fair)
    return float(right.double().mean())


def versions() -> dict[str, str]:
    """Versions of what took part."""
    found = {"python": platform.python_version()}
    for name in ("redan", "torch", "numpy", "pyautoattack", "adversarial-robustness-toolbox"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def contend(args: argparse.Namespace) -> int:
    """Run one contender in this process and print its line."""
    import torch

    torch.set_num_threads(1)
    model = network(args.weights)
    x, y = images(args)
    side, _, name = args.only.partition("-")
    if side == "peer" and not any(map(importlib.util.find_spec, ("pyautoattack", "art"))):
        sys.stderr.write("no peer: pip install --no-deps --target FOLDER pyautoattack, then --peer FOLDER\n")
        return 3
    began = time.process_time()
    points = (redan if side == "redan" else peer)(args, name, model, x, y)
    attack_cpu_s, spent = time.process_time() - began, dict(model.samples)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    line = {
        "benchmark": "evasion_cascade",
        "contender": args.only,
        "seed": args.seed,
        "weights": args.weights.name,
        "norm": args.norm,
        "eps": args.eps,
        "offset": args.offset,
        "n": len(x),
        "robust_accuracy": judge(args, model, x, y, points),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "attack_cpu_s": round(attack_cpu_s, 2),
        "gradient_samples": spent["gradient"],
        "forward_samples": spent["forward"],
        "versions": versions(),
    }
    print(json.dumps(line), flush=True)
    return 0


def main() -> int:
    """Run every contender in its own process, print their lines, then the ratios."""
    args = options()
    if args.only:
        return contend(args)
    if lacks := missing(args):
        sys.stderr.write("".join(f"missing: {lack}\n" for lack in lacks))
        return 3
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    if args.peer:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(args.peer), os.environ.get("PYTHONPATH"))))
    lines: dict[str, list[dict[str, Any]]] = {}
    for name in args.contenders.split(","):
        for seed in range(args.seeds if name.startswith("redan") else 1):
            words = [sys.executable, __file__, *sys.argv[1:], "--only", name, "--seed", str(seed)]
            done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return done.returncode
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
            lines.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
    cpu_s = {name: fmean(line["cpu_s"] for line in runs) for name, runs in lines.items()}
    ours, peers = [n for n in cpu_s if n.startswith("redan")], [n for n in cpu_s if n.startswith("peer")]
    summary = {
        "benchmark": "evasion_cascade",
        "robust_accuracy": {name: [line["robust_accuracy"] for line in runs] for name, runs in lines.items()},
        "cpu_s": {name: round(value, 2) for name, value in cpu_s.items()},
        "ratio": {f"{theirs}/{own}": round(cpu_s[theirs] / cpu_s[own], 2) for own in ours for theirs in peers},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
