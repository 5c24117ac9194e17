"""Square attack beside the official one: robust accuracy and CPU seconds at equal queries, same net, same images.

    python benchmarks/square.py --norm linf --eps 0.1 --queries 1000
    python benchmarks/square.py --norm l2 --eps 1.0 --queries 1000

The adversarially trained net of `architectures.py` and test images of Fashion-MNIST; one thread, one process, both run
in the same schedule of windows for as many queries. Every point is judged again by a plain forward inside ball and box.
One JSON line a contender, then one with the ratio. The peer (`pyautoattack`) is imported from this environment or from
--peer FOLDER.
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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.score_search import ScoreSearchSettings, score_search
from redan.kernels.attacks.square import SquareSettings, square

DATA = Path("/usr/share/datasets/fashion-mnist")


def ours(net: Any, x: np.ndarray, y: np.ndarray, args: argparse.Namespace) -> np.ndarray:
    """Points of our attack."""

    def scores(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.from_numpy(points)).numpy()

    ball = Ball(norm=args.norm, eps=args.eps, box=Box(low=0.0, high=1.0))
    keys = draws.sample_keys(args.seed, "benchmark", range(len(x)))
    return square(scores, x, y, ball=ball, keys=keys, settings=SquareSettings(queries=args.queries)).points


def searching(net: Any, x: np.ndarray, y: np.ndarray, args: argparse.Namespace) -> np.ndarray:
    """Points of what runs by default where scores are answered: under L2 SimBA comes first."""

    def scores(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.from_numpy(points)).numpy()

    ball = Ball(norm=args.norm, eps=args.eps, box=Box(low=0.0, high=1.0))
    keys = draws.sample_keys(args.seed, "benchmark", range(len(x)))
    return score_search(scores, x, y, ball=ball, keys=keys, settings=ScoreSearchSettings(queries=args.queries)).points


def official(net: Any, x: np.ndarray, y: np.ndarray, args: argparse.Namespace) -> np.ndarray:
    """Points of the official attack with the values that AutoAttack gives it."""
    from pyautoattack.square import SquareAttack

    attack = SquareAttack(
        net,
        p_init=0.8,
        n_queries=args.queries,
        eps=args.eps,
        norm={"linf": "Linf", "l2": "L2"}[args.norm],
        n_restarts=1,
        seed=args.seed,
        verbose=False,
        device="cpu",
        resc_schedule=False,
    )
    with torch.no_grad():
        return attack.perturb(torch.from_numpy(x), torch.from_numpy(y)).numpy()


def judged(net: Any, points: np.ndarray, x: np.ndarray, y: np.ndarray, args: argparse.Namespace) -> dict[str, Any]:
    """Robust accuracy and the largest distance, by a plain forward."""
    moves = np.abs(points.astype(np.float64) - x).reshape(len(x), -1)
    far = moves.max(axis=1) if args.norm == "linf" else np.sqrt((moves**2).sum(axis=1))
    with torch.no_grad():
        right = net(torch.from_numpy(points)).argmax(1).numpy() == y
    return {
        "robust_accuracy": round(float(right.mean()), 4),
        "largest_distance": round(float(far.max()), 6),
        "inside_box": bool(points.min() >= 0 and points.max() <= 1),
    }


def package(name: str) -> str:
    """Version of a package, also of one in a peer's folder."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def main() -> int:
    """Measure both and print their lines."""
    import architectures

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--norm", choices=("linf", "l2"), default="linf")
    parser.add_argument("--eps", type=float, default=0.1)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--net", default="cnn-adversarial")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--peer", help="folder the peer is imported from")
    args = parser.parse_args()
    sys.path.extend(filter(None, [args.peer]))
    torch.set_num_threads(1)
    net = architectures.load(args.net).eval()
    chosen = slice(args.offset, args.offset + args.limit)
    images, labels = architectures.read(args.data, "t10k")
    x, y = images[chosen].numpy(), labels[chosen].numpy()
    known = importlib.util.find_spec("pyautoattack") is not None
    seconds = {}
    contenders = {"redan": ours} | ({"redan score-search": searching} if args.norm == "l2" else {})
    for name, attack in (contenders | ({"official": official} if known else {})).items():
        began = time.process_time()
        points = attack(net, x, y, args)
        seconds[name] = time.process_time() - began
        line = {
            "benchmark": "square",
            "contender": name,
            "net": args.net,
            "norm": args.norm,
            "eps": args.eps,
            "queries": args.queries,
            "n": len(x),
            "offset": args.offset,
            "seed": args.seed,
            **judged(net, points, x, y, args),
            "cpu_s": round(seconds[name], 2),
            "versions": {p: package(p) for p in ("redan", "torch", "numpy", "pyautoattack")},
        }
        print(json.dumps(line), flush=True)
    if not known:
        sys.stderr.write("no peer: pip install --no-deps --target FOLDER pyautoattack, then --peer FOLDER\n")
        return 3
    peer = seconds.pop("official")
    ratios = {f"cpu_s official/{name}": round(peer / own, 2) for name, own in seconds.items()}
    print(json.dumps({"benchmark": "square", "ratio": ratios}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
