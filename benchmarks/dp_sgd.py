"""Private training by book-keeping beside Opacus 1.6.0 in all its modes and beside training without privacy.

    pip install --no-deps --target PEERS -r benchmarks/peers/opacus.txt
    python benchmarks/dp_sgd.py --peer PEERS [--rounds 3] [--models mlp,cnn,transformer]
    python benchmarks/dp_sgd.py --peer PEERS --what equality
    python benchmarks/dp_sgd.py --peer PEERS --what accuracy --seeds 3

`speed` times whole steps (forward, backward, clipping, noise, SGD) on the same Poisson batches of 256 expected rows,
fed as tensors to everybody, with one thread; each mode has processes of its own, taken in turns, and the figures are
the median CPU milliseconds a step over all of them and the peak of resident memory above that before the first step.
`equality` compares clipped sums in double precision. `accuracy` trains the example CNN of Opacus on Fashion-MNIST by
both with the same public numbers and judges it on test images 2000-9999; nothing was tuned. One JSON line each.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import platform
import resource
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor, nn

ROWS, BATCH, CLIP, NOISE, RATE = 3000, 256, 1.0, 1.0, 0.5
MODES = ("plain", "redan", "redan-whole", "ghost", "ew", "hooks", "functorch")
"""`redan` holds as many rows at once as fit 64 MiB, `redan-whole` all of a batch; the last four are Opacus's."""
STEPS = {"mlp": 60, "cnn": 25, "transformer": 6}
SLOW = {("mlp", "hooks"): 6, ("mlp", "functorch"): 6}
UNKNOWN = {("mlp", "ew"), ("transformer", "ew")}
"""Modes that the anchors could not run or found out of the race."""
BARS = {"mlp": 1.5, "cnn": 1.0, "transformer": 1.3}
"""Least ratio of Opacus's best mode to ours."""


def network(name: str) -> nn.Module:
    """Build one of the three networks, always with the same weights."""
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "mlp":
            layers = [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
            return nn.Sequential(nn.Flatten(), *layers)
        if name == "cnn":  # the MNIST example of Opacus
            first = [nn.Conv2d(1, 16, 8, 2, padding=3), nn.ReLU(), nn.MaxPool2d(2, 1)]
            second = [nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.MaxPool2d(2, 1)]
            return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))
        return transformer()


def transformer(width: int = 128, heads: int = 4, blocks: int = 3) -> nn.Module:
    """Build a transformer over the 28 lines of an image, its attention made of Linear layers that every peer knows."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
            self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Tensor) -> Tensor:
            h, (n, t, _) = self.first(x), x.shape
            q, k, v = (f(h).view(n, t, heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
            weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width / heads), -1)
            x = x + self.out((weights @ v).transpose(1, 2).reshape(n, t, width))
            return x + self.narrow(functional.gelu(self.wide(self.second(x))))

    class Lines(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lines, self.norm, self.head = nn.Linear(28, width), nn.LayerNorm(width), nn.Linear(width, 10)
            self.blocks = nn.Sequential(*(Block() for _ in range(blocks)))

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.norm(self.blocks(self.lines(x[:, 0]))).mean(1))

    return Lines()


def losses(answers: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each row."""
    from torch.nn import functional

    return functional.cross_entropy(answers, labels, reduction="none")


def ours(net: nn.Module, n: int, noise: float, *, whole: bool, seed: int = 1) -> Callable[..., None]:
    """Return a step of Redan."""
    import torch

    from redan.kernels.dp.step import Privacy, PrivateStep

    privacy = Privacy(noise_multiplier=noise, clip=CLIP, sampling_rate=BATCH / n, batch_size=BATCH, steps=1)
    drawn = torch.Generator().manual_seed(seed)
    private = PrivateStep(net, losses, privacy, drawn, n if whole else None)
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE)

    def step(a: Tensor, b: Tensor) -> None:
        for parameter, gradient in zip(private.parameters, private.gradients(a, b), strict=True):
            parameter.grad = gradient
        optimiser.step()

    return step


def theirs(net: nn.Module, mode: str, noise: float, seed: int = 1) -> Callable[..., None]:
    """Return a step of Opacus."""
    import torch
    from opacus.grad_sample import (
        GradSampleModule,
        GradSampleModuleExpandedWeights,
        GradSampleModuleFastGradientClipping,
    )
    from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

    plain = torch.optim.SGD(net.parameters(), lr=RATE)
    drawn = torch.Generator().manual_seed(seed)
    public = {"noise_multiplier": noise, "max_grad_norm": CLIP, "expected_batch_size": BATCH, "generator": drawn}
    criterion: Any = torch.nn.CrossEntropyLoss()
    if mode == "ghost":
        wrapped = GradSampleModuleFastGradientClipping(net, max_grad_norm=CLIP, use_ghost_clipping=True)
        optimiser: Any = DPOptimizerFastGradientClipping(plain, loss_reduction="mean", **public)
        criterion = DPLossFastGradientClipping(wrapped, optimiser, criterion, "mean")
    else:
        expanded = mode == "ew"
        wrapped = (
            GradSampleModuleExpandedWeights(net)
            if expanded
            else GradSampleModule(net, force_functorch=mode == "functorch")
        )
        optimiser = DPOptimizer(plain, **public)

    def step(a: Tensor, b: Tensor) -> None:
        optimiser.zero_grad()
        criterion(wrapped(a), b).backward()
        optimiser.step()

    return step


def without(net: nn.Module) -> Callable[..., None]:
    """Return an ordinary step."""
    import torch

    optimiser = torch.optim.SGD(net.parameters(), lr=RATE)

    def step(a: Tensor, b: Tensor) -> None:
        optimiser.zero_grad()
        losses(net(a), b).mean().backward()
        optimiser.step()

    return step


def batches(n: int, steps: int, draws: torch.Generator) -> list[Tensor]:
    """Draw Poisson batches."""
    import torch

    return [torch.nonzero(torch.rand(n, generator=draws) < BATCH / n).flatten() for _ in range(steps)]


def timed(model: str, mode: str, steps: int) -> dict[str, Any]:
    """Time the steps of one mode in this process."""
    import torch

    draws = torch.Generator().manual_seed(3)
    x, y = torch.rand(ROWS, 1, 28, 28, generator=draws), torch.randint(0, 10, (ROWS,), generator=draws)
    net = network(model).train()
    parts = batches(ROWS, steps + 2, draws)
    if mode == "plain":
        step = without(net)
    elif mode.startswith("redan"):
        step = ours(net, ROWS, NOISE, whole=mode == "redan-whole")
    else:
        step = theirs(net, mode, NOISE)
    base_bytes = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    spent = []
    for rows in parts:
        before = time.process_time()
        step(x[rows], y[rows])
        spent.append(1000 * (time.process_time() - before))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"ms": spent[2:], "mb": (peak_bytes - base_bytes) / 1e6}


def speed(args: argparse.Namespace, model: str) -> dict[str, Any]:
    """Run every mode in processes of its own, in turns."""
    modes = [mode for mode in args.modes.split(",") if (model, mode) not in UNKNOWN]
    found: dict[str, list[dict[str, Any]]] = {mode: [] for mode in modes}
    for _ in range(args.rounds):
        for mode in modes:
            steps = SLOW.get((model, mode), STEPS[model])
            run = json.dumps({"model": model, "mode": mode, "steps": steps})
            words = [sys.executable, __file__, "--peer", str(args.peer), "--run", run]
            found[mode].append(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout))
    ms = {mode: round(median(value for run in runs for value in run["ms"]), 1) for mode, runs in found.items()}
    mb = {mode: round(median(run["mb"] for run in runs)) for mode, runs in found.items()}
    best = min((mode for mode in modes if not mode.startswith(("redan", "plain"))), key=ms.__getitem__)
    held = ms[best] / ms["redan"] >= BARS[model]
    if model == "mlp":
        held = held and ms["redan"] / ms["plain"] <= 1.4
    if model == "transformer":
        held = held and mb["redan"] <= mb["ghost"]
    return {
        "benchmark": "dp_sgd", "what": "speed", "model": model, "rounds": args.rounds,
        "n": {mode: sum(len(run["ms"]) for run in runs) for mode, runs in found.items()},
        "cpu_ms_median": ms, "peak_mb_median": mb, "best_of_opacus": best,
        "times_opacus": round(ms[best] / ms["redan"], 2), "of_plain": round(ms["redan"] / ms["plain"], 2),
        "bar_times_opacus": BARS[model], "holds": held, **versions(),
    }  # fmt: skip


def equality() -> dict[str, Any]:
    """Compare the clipped sums of 32 rows in double precision."""
    import torch
    from opacus.grad_sample import GradSampleModule

    from redan.kernels.dp.bookkeeping import Book

    worst = {}
    for name in BARS:
        draws = torch.Generator().manual_seed(0)
        net = network(name).double()
        x = torch.rand(32, 1, 28, 28, generator=draws, dtype=torch.float64)
        y = torch.randint(0, 10, (32,), generator=draws)
        peer = GradSampleModule(copy.deepcopy(net), loss_reduction="sum")
        losses(peer(x), y).sum().backward()
        by_row = [p.grad_sample for p in peer.parameters()]
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in by_row]).norm(dim=0)
        clip = float(norms.median())
        factors = (clip / (norms + 1e-6)).clamp(max=1)
        wanted = torch.cat([torch.einsum("n,n...->...", factors, g).flatten() for g in by_row])
        made = Book(net).clipped(lambda net=net, x=x, y=y: losses(net(x), y), clip)
        got = torch.cat([made.sums[p].flatten() for p in net.parameters()])
        worst[name] = {
            "norms": float(((made.norms - norms) / norms).abs().max()),
            "sum": float((got - wanted).norm() / wanted.norm()),
        }
    holds = all(value <= 1e-6 for found in worst.values() for value in found.values())
    return {
        "benchmark": "dp_sgd", "what": "equality", "n": 32, "relative_error": worst, "bar": 1e-6, "holds": holds,
        **versions(),
    }  # fmt: skip


def accuracy(args: argparse.Namespace) -> dict[str, Any]:
    """Train by both with the same public numbers; each seed has other rows and noise."""
    import torch

    from redan.kernels.dp.accounting import epsilon, noise_for

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from architectures import DATA, read

    (x, y), (held, truth) = read(DATA, "train", slice(args.rows)), read(DATA, "t10k", slice(2000, None))
    rate, steps = BATCH / args.rows, math.ceil(args.epochs * args.rows / BATCH)
    noise = noise_for(args.epsilon, rate, steps, 1e-5)
    found: dict[str, list[float]] = {"redan": [], "opacus": []}
    cpu_s: dict[str, list[float]] = {"redan": [], "opacus": []}
    for seed in range(args.seeds):
        for who, scores in found.items():
            net = network("cnn").train()
            key = 2 * seed + (who == "opacus")
            step = ours(net, len(x), noise, whole=False, seed=key) if who == "redan" else theirs(net, "ew", noise, key)
            before = time.process_time()
            for rows in batches(len(x), steps, torch.Generator().manual_seed(100 + key)):
                step(x[rows], y[rows])
            cpu_s[who].append(round(time.process_time() - before, 1))
            with torch.no_grad():
                scores.append(float((net.eval()(held).argmax(1) == truth).double().mean()))
    spent = epsilon(noise, rate, steps, 1e-5)
    gap = mean(found["redan"]) - mean(found["opacus"])
    error = math.sqrt(sum(stdev(each) ** 2 / args.seeds for each in found.values()))
    return {
        "benchmark": "dp_sgd", "what": "accuracy", "rows": args.rows, "test_images": len(truth), "seeds": args.seeds,
        "steps": steps, "noise_multiplier": round(noise, 4), "epsilon_pld": spent.pld, "epsilon_rdp": spent.rdp,
        "accuracy": {who: [round(value, 4) for value in each] for who, each in found.items()}, "cpu_s": cpu_s,
        "gap": round(gap, 4), "standard_error": round(error, 4), "holds": abs(gap) <= max(2.8 * error, 0.01),
        **versions(),
    }  # fmt: skip


def versions() -> dict[str, Any]:
    """Say what ran."""
    names = {"redan": version("redan"), "torch": version("torch"), "opacus": version("opacus")}
    return {"versions": names, "machine": platform.machine(), "threads": 1}


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="folder Opacus is imported from")
    parser.add_argument("--what", default="speed", choices=("speed", "equality", "accuracy"))
    parser.add_argument("--models", default=",".join(BARS))
    parser.add_argument("--modes", default=",".join(MODES), help="fewer of them, on a machine that is short of time")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each mode")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=6000, help="training images of `accuracy`")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--epsilon", type=float, default=4.0)
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Print one JSON line for each thing measured."""
    args = options()
    sys.path.insert(1, str(args.peer))
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    if args.run:
        print(json.dumps(timed(**args.run)))
        return 0
    lines = {
        "speed": lambda: (speed(args, model) for model in args.models.split(",")),
        "equality": lambda: [equality()],
        "accuracy": lambda: [accuracy(args)],
    }[args.what]()
    for line in lines:
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
