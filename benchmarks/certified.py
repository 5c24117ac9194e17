"""Certified accuracy and its price: Redan's bounds beside plain CROWN of auto_LiRPA, same model, same images.

    python benchmarks/certified.py --peer-python PEER/bin/python
    python benchmarks/certified.py --contenders redan-crown,redan-standard --offset 2000 --limit 100

Each contender runs in a process of its own with one thread. The attack is Redan's standard cascade, run once;
contenders that optimise or split leave alone what fell to it, except redan-check, which does not know the attack and
draws points from the balls of certified images as well. One JSON line a contender, then one with shares, costs, band.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("REDAN_SHARED", ROOT.parent / "shared"))
DATA = Path("/usr/share/datasets/fashion-mnist")
CONTENDERS = ("redan-crown", "redan-alpha", "redan-standard", "redan-deep", "redan-check", "peer-crown")
POINTS = 10_000


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eps", type=float, default=0.1)
    parser.add_argument("--offset", type=int, default=0, help="first test image")
    parser.add_argument("--limit", type=int, default=200, help="number of test images")
    parser.add_argument("--weights", type=Path, default=SHARED / "models" / "fashion_cnn" / "at01.pt")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the IDX files of Fashion-MNIST")
    parser.add_argument("--peer-python", type=Path, help="Python that imports auto_LiRPA")
    parser.add_argument("--contenders", default="redan-crown,redan-alpha,redan-standard", help=", ".join(CONTENDERS))
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--fell", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def network(weights: Path) -> torch.nn.Module:
    """Build the small convolutional net the weights belong to."""
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

    model = FashionCNN()
    model.load_state_dict(torch.load(weights, weights_only=True))
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


def attack(args: argparse.Namespace, model: Any, x: torch.Tensor, y: torch.Tensor) -> list[bool]:
    """Which images fall to the cascade."""
    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.cascade import evade
    from redan.kernels.attacks.plans import plan_for
    from redan.kernels.draws import sample_keys

    ball = Ball(norm="linf", eps=args.eps, box=Box(low=0.0, high=1.0))
    keys = sample_keys(0, "RDN-EVA-001", range(args.offset, args.offset + len(x)))
    return [bool(one) for one in evade(model, x, y, ball=ball, keys=keys, plan=plan_for("standard", "linf")).success]


def redan(args: argparse.Namespace, effort: str, model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Certify with an effort, and return which images were."""
    import torch

    from redan.kernels.certify.certify import EFFORTS, Effort, certify
    from redan.kernels.certify.reading import read

    efforts = {**EFFORTS, "crown": EFFORTS["quick"], "alpha": Effort(alpha_steps=10, domains=0)}
    effort = "standard" if effort == "check" else effort
    graph = read(model, (1, 28, 28), dtype=torch.float32)
    known = args.fell if effort in {"alpha", "standard", "deep"} and args.only != "redan-check" else None
    fell = torch.tensor(json.loads(known.read_text())) if known else None
    found = certify(graph, x, y, eps=args.eps, norm="linf", bounds=(0.0, 1.0), effort=efforts[effort], fell=fell)
    return found.certified


def peer(args: argparse.Namespace, model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Certify by plain CROWN of auto_LiRPA."""
    import torch
    from auto_LiRPA import BoundedModule, BoundedTensor
    from auto_LiRPA.perturbations import PerturbationLpNorm

    bounded = BoundedModule(model, x[:1], device="cpu")
    certified = []
    for begin in range(0, len(x), 10):
        part, labels = x[begin : begin + 10], y[begin : begin + 10]
        units = torch.eye(10)
        other = torch.stack([torch.cat([torch.arange(int(k)), torch.arange(int(k) + 1, 10)]) for k in labels])
        rows = units[labels].unsqueeze(1) - units[other]
        low, high = (part - args.eps).clamp(0, 1), (part + args.eps).clamp(0, 1)
        ball = BoundedTensor(part, PerturbationLpNorm(x_L=low, x_U=high, eps=args.eps))
        bound, _ = bounded.compute_bounds(x=(ball,), C=rows, method="CROWN", bound_upper=False)
        certified.append((bound > 0).all(dim=1))
    return torch.cat(certified)


def violations(args: argparse.Namespace, model: Any, x: torch.Tensor, y: torch.Tensor, sure: torch.Tensor) -> int:
    """How many points of the balls of certified images are misclassified: inside, corners, and the attack's starts."""
    import torch

    generator = torch.Generator().manual_seed(0)
    chosen = sure.nonzero().flatten()
    wrong = 0
    for begin in range(0, POINTS, 500):
        places = chosen[torch.arange(begin, begin + 500) % len(chosen)]
        noise = torch.rand((500, *x.shape[1:]), generator=generator) * 2 - 1
        leaf = x[places].clone().requires_grad_()
        margin = torch.nn.functional.cross_entropy(model(leaf), y[places], reduction="sum")
        (slope,) = torch.autograd.grad(margin, leaf)
        kinds = torch.arange(500).reshape(-1, 1, 1, 1) % 3
        steps = torch.where(
            kinds == 0, noise, torch.where(kinds == 1, noise.sign(), (slope.sign() + noise / 4).clamp(-1, 1))
        )
        points = (x[places] + args.eps * steps).clamp(0, 1)
        wrong += int((model(points).argmax(dim=1) != y[places]).sum())
    return wrong


def contend(args: argparse.Namespace) -> int:
    """Run one contender in this process and print its line."""
    import torch

    torch.set_num_threads(1)
    model = network(args.weights)
    x, y = images(args)
    side, _, name = args.only.partition("-")
    began = time.process_time()
    if args.only == "attack":
        fell = attack(args, model, x, y)
        args.fell.write_text(json.dumps(fell))
        share, extra = 1 - sum(fell) / len(fell), {}
    else:
        sure = redan(args, name, model, x, y) if side == "redan" else peer(args, model, x, y)
        share, extra = float(sure.double().mean()), {}
    cpu_s = time.process_time() - began
    if args.only not in {"attack", "peer-crown"}:
        fallen = torch.tensor(json.loads(args.fell.read_text()))
        extra = {"certified_and_fell": int((sure & fallen).sum())}
    if args.only == "redan-check":
        extra |= {"points": POINTS, "points_misclassified": violations(args, model, x, y, sure)}
    line = {
        "benchmark": "certified",
        "contender": args.only,
        "weights": args.weights.name,
        "eps": args.eps,
        "offset": args.offset,
        "n": len(x),
        "share": share,
        "cpu_s": round(cpu_s, 2),
        "cpu_ms_an_image": round(1000 * cpu_s / len(x), 1),
        **extra,
        "versions": {"python": platform.python_version(), "torch": version("torch")},
    }
    print(json.dumps(line), flush=True)
    return 0


def main() -> int:
    """Run the attack and every contender in its own process, print their lines, then the band."""
    args = options()
    if args.only:
        return contend(args)
    unknown = set(args.contenders.split(",")) - set(CONTENDERS)
    lacks = [f"{path}" for path in (args.weights, args.data / "t10k-images-idx3-ubyte.gz") if not path.is_file()]
    if unknown or lacks:
        sys.stderr.write(f"missing: {', '.join([*lacks, *unknown])}\n")
        return 3
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    lines: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        fell = Path(folder) / "fell.json"
        for name in ["attack", *args.contenders.split(",")]:
            python = str(args.peer_python) if name == "peer-crown" and args.peer_python else sys.executable
            words = [python, __file__, *sys.argv[1:], "--only", name, "--fell", str(fell)]
            done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return done.returncode
            text = done.stdout.splitlines()[-1]
            print(text, flush=True)
            lines[name] = json.loads(text)
    attacked = lines.pop("attack")["share"]
    summary = {
        "benchmark": "certified",
        "certified": {name: line["share"] for name, line in lines.items()},
        "attacked": attacked,
        "band_points": {name: round(100 * (attacked - line["share"]), 1) for name, line in lines.items()},
        "cpu_s": {name: line["cpu_s"] for name, line in lines.items()},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
