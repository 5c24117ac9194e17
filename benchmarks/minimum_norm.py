"""Smallest distances: Redan's FMN, DeepFool and C&W beside the same attacks of a peer, same model, same images.

    python benchmarks/minimum_norm.py --peer .venv/peers --limit 200

The peer is `adversarial-robustness-toolbox` 1.20.1 (pinned in benchmarks/peers/minimum_norm.txt), imported from --peer
FOLDER. Gradients and forwards are counted by the model, distances taken of points that a plain forward judges again.
All run in one process with one thread, in turn. One JSON line an attack.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

import architectures
from evasion_cascade import DATA, counted

NORMS = {"linf": 0.1, "l2": 1.0, "l1": 5.0, "l0": 8.0}
"""Norm → the radius that Redan's steps are scaled by."""


def ours(method: str, norm: str, steps: int) -> Callable[[Any, Any, Any], Any]:
    """Return an attack of Redan as a function of model, images and labels."""

    def run(model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        from redan.kernels.attacks.ball import Ball, Box
        from redan.kernels.attacks.descent import Work
        from redan.kernels.attacks.minimum_norm import find_nearest
        from redan.kernels.attacks.oracle import Oracle
        from redan.kernels.attacks.watch import Watch

        ball = Ball(norm=norm, eps=NORMS[norm], box=Box(low=0.0, high=1.0))  # type: ignore[arg-type]  # a key of NORMS
        work = Work(inputs=x, labels=y, points=x)
        return find_nearest(method, Oracle(model), work, ball, steps, Watch()).adversarial  # type: ignore[arg-type]

    return run


def theirs(name: str, **settings: Any) -> Callable[[Any, Any, Any], Any]:
    """Return an attack of the peer as a function of model, images and labels."""

    def run(model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        import art.attacks.evasion as peer
        import torch
        from art.estimators.classification import PyTorchClassifier

        classifier = PyTorchClassifier(
            model, torch.nn.CrossEntropyLoss(), tuple(x.shape[1:]), 10, clip_values=(0, 1), device_type="cpu"
        )
        attack = getattr(peer, name)(classifier, batch_size=len(x), verbose=False, **settings)
        return torch.from_numpy(np.asarray(attack.generate(x.numpy(), y=y.numpy()), np.float32))

    return run


def contenders() -> list[tuple[str, str, Callable[[Any, Any, Any], Any]]]:
    """Name, norm and function of each attack."""
    return [
        ("redan deepfool", "l2", ours("deepfool", "l2", 50)),
        ("art deepfool", "l2", theirs("DeepFool", max_iter=50, nb_grads=10)),
        ("redan cw 300", "l2", ours("cw", "l2", 300)),
        ("art cw 6x50", "l2", theirs("CarliniL2Method", binary_search_steps=6, max_iter=50, learning_rate=0.1)),
        ("redan fmn 100", "l2", ours("fmn", "l2", 100)),
        ("redan fmn 100", "linf", ours("fmn", "linf", 100)),
        ("redan fmn 100", "l1", ours("fmn", "l1", 100)),
        ("art elastic net 6x50", "l1", theirs("ElasticNet", binary_search_steps=6, max_iter=50, decision_rule="L1")),
        ("redan fmn 100", "l0", ours("fmn", "l0", 100)),
    ]


def measured(name: str, norm: str, run: Callable[[Any, Any, Any], Any], args: Namespace) -> dict[str, Any]:
    """Run one attack and judge its points."""
    import torch

    from redan.kernels.attacks.projection import distance

    model = architectures.load(args.net).requires_grad_(requires_grad=False)
    x, y = architectures.read(args.data, "t10k", slice(args.offset, args.offset + args.limit))
    right = model(x).argmax(1) == y
    x, y = x[right], y[right]
    counter = counted(model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    points = run(model, x, y).clamp(0, 1)
    spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    samples = dict(counter)
    fell = model(points).argmax(1) != y
    lengths = torch.where(fell, distance(points, x, norm), torch.inf)  # type: ignore[arg-type]  # a key of NORMS
    return {
        "benchmark": "minimum_norm",
        "attack": name,
        "norm": norm,
        "images": f"{args.offset}-{args.offset + args.limit - 1}",
        "n": len(x),
        "median_distance": round(float(lengths.median()), 4),
        "success": round(float(fell.double().mean()), 4),
        "gradients_each": round(samples["gradient"] / len(x), 1),
        "forwards_each": round(samples["forward"] / len(x), 1),
        "cpu_s": round(spent, 2),
    }


def main() -> int:
    """Run every contender and print its line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offset", type=int, default=2000, help="first test image")
    parser.add_argument("--limit", type=int, default=200, help="number of test images")
    parser.add_argument("--net", default="cnn-adversarial", help="name of a net of architectures.py")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the IDX files of Fashion-MNIST")
    parser.add_argument("--peer", type=Path, required=True, help="folder the peer is imported from")
    parser.add_argument("--only", default="", help="run the attacks whose name begins so")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    sys.path.append(str(args.peer))
    for name, norm, run in contenders():
        if name.startswith(args.only):
            print(json.dumps(measured(name, norm, run, args)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
