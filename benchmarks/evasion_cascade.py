r"""Robust accuracy and its price: Redan's cascade beside official APGD-CE or AutoAttack, same net, same images.

    python benchmarks/evasion_cascade.py --norm linf --eps 0.1
    python benchmarks/evasion_cascade.py --net resnet-adversarial --norm l2 --eps 1.0 --seeds 5 \
        --contenders redan-quick,redan-standard,redan-deep,peer-autoattack
    python benchmarks/evasion_cascade.py --table benchmarks/results/evasion_*.jsonl

Nets are those of `architectures.py`, trained when first asked for. Each contender runs in a process of its own with
one thread; its CPU seconds include the start of Python and the import of torch. Every adversarial point is judged again
by a plain forward inside ball and box. One JSON line a run, then one with the ratios; a table goes to stderr. The peer
(`pyautoattack`) is imported from this environment or from --peer FOLDER, filled by `pip install --no-deps --target
FOLDER pyautoattack` so that it cannot change torch.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

DATA = Path("/usr/share/datasets/fashion-mnist")
CONTENDERS = (
    "redan-quick",
    "redan-standard",
    "redan-deep",
    "redan-fmn",
    "peer-apgd-ce",
    "peer-autoattack",
    "peer-untargeted",
)
PEERS = {"apgd-ce": ["apgd-ce"], "untargeted": ["apgd-ce", "fab", "square"]}
"""Attacks of the official package that are run alone; AutoAttack 'standard' refuses fewer than four classes."""
BARS = {"linf": 40.0, "l2": 10.0}
"""AutoAttack's CPU seconds over those of `standard`, at least."""


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="cnn-adversarial", help="name of a net of architectures.py")
    parser.add_argument("--norm", choices=("linf", "l2"), default="linf")
    parser.add_argument("--eps", type=float, default=0.1)
    parser.add_argument("--offset", type=int, default=0, help="first test image")
    parser.add_argument("--limit", type=int, default=1000, help="number of test images")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the IDX files of Fashion-MNIST")
    parser.add_argument("--peer", type=Path, help="folder the peer is imported from")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0 .. N-1 for Redan; the peer runs with seed 0")
    parser.add_argument("--contenders", default="redan-quick,redan-standard,peer-apgd-ce", help=", ".join(CONTENDERS))
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of stored results and end")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def missing(args: argparse.Namespace) -> list[str]:
    """What the run needs and does not find."""
    import architectures

    found = []
    if not (args.data / "t10k-images-idx3-ubyte.gz").is_file():
        found.append(f"data in {args.data}: apt-get install dataset-fashion-mnist, or give --data FOLDER")
    if args.net in architectures.SHARED_WEIGHTS and not architectures.weights(args.net).is_file():
        found.append(f"weights {architectures.weights(args.net)}: set REDAN_SHARED, or give another --net")
    if args.net not in {*architectures.SHARED_WEIGHTS, *architectures.RECIPES}:
        found.append(f"net {args.net}: see architectures.py")
    unknown = set(args.contenders.split(",")) - set(CONTENDERS)
    if unknown:
        found.append(f"contenders {', '.join(sorted(unknown))}: known are {', '.join(CONTENDERS)}")
    return found


def redan(args: argparse.Namespace, name: str, model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Run the cascade, or one member of it, and return the adversarial points."""
    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.cascade import evade
    from redan.kernels.attacks.plans import member, plan_for
    from redan.kernels.draws import sample_keys

    found = evade(
        model,
        x,
        y,
        ball=Ball(norm=args.norm, eps=args.eps, box=Box(low=0.0, high=1.0)),
        keys=sample_keys(args.seed, "RDN-EVA-001", range(args.offset, args.offset + len(x))),
        plan=member("fmn") if name == "fmn" else plan_for(name, args.norm),  # type: ignore[arg-type]  # a depth
    )
    return found.adversarial


def peer(args: argparse.Namespace, name: str, model: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Run the official attacks and return the points."""
    from pyautoattack import AutoAttack

    kwargs = {"version": "custom", "attacks": PEERS[name]} if name in PEERS else {"version": "standard"}
    norm = {"linf": "Linf", "l2": "L2"}[args.norm]
    official = AutoAttack(model, norm=norm, eps=args.eps, seed=0, device="cpu", **kwargs)
    if name in PEERS:
        official.apgd.n_restarts = 1
    points = official.run_standard_evaluation(x, y, batch_size=500)
    return points[0] if isinstance(points, tuple) else points


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
    for name in ("redan", "torch", "numpy", "pyautoattack"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def counted(model: torch.nn.Module) -> dict[str, int]:
    """Count the samples that pass through a net from now on, with and without a gradient by the input."""
    import torch

    spent = {"forward": 0, "gradient": 0}

    def count(_: object, given: tuple[torch.Tensor, ...]) -> None:
        spent["gradient" if torch.is_grad_enabled() and given[0].requires_grad else "forward"] += len(given[0])

    model.register_forward_pre_hook(count)
    return spent


def contend(args: argparse.Namespace) -> int:
    """Run one contender in this process and print its line."""
    import architectures
    import torch

    torch.set_num_threads(1)
    # the peers are given the same head start: no gradients by the weights
    model = architectures.load(args.net).requires_grad_(requires_grad=False)
    x, y = architectures.read(args.data, "t10k", slice(args.offset, args.offset + args.limit))
    y = architectures.relabel(x, y, architectures.classes(args.net), args.data)
    side, _, name = args.only.partition("-")
    if side == "peer" and not importlib.util.find_spec("pyautoattack"):
        sys.stderr.write("no peer: pip install --no-deps --target FOLDER pyautoattack, then --peer FOLDER\n")
        return 3
    counter = counted(model)
    began = time.process_time()
    points = (redan if side == "redan" else peer)(args, name, model, x, y)
    attack_cpu_s, spent = time.process_time() - began, dict(counter)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    line = {
        "benchmark": "evasion_cascade",
        "contender": args.only,
        "seed": args.seed,
        "net": args.net,
        "weights": architectures.digest(args.net),
        "norm": args.norm,
        "eps": args.eps,
        "offset": args.offset,
        "n": len(x),
        "robust_accuracy": judge(args, model, x, y, points),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "attack_cpu_s": round(attack_cpu_s, 2),
        "gradient_samples": spent["gradient"],
        "forward_samples": spent["forward"],
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
    }
    print(json.dumps(line), flush=True)
    return 0


def compared(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Ratios of one setting, and whether the bars hold where AutoAttack took part."""
    cpu_s = {name: fmean(line["cpu_s"] for line in lines) for name, lines in runs.items()}
    ours, peers = [n for n in cpu_s if n.startswith("redan")], [n for n in cpu_s if n.startswith("peer")]
    summary: dict[str, Any] = {
        "benchmark": "evasion_cascade",
        **{key: next(iter(runs.values()))[0][key] for key in ("net", "norm", "eps", "offset", "n")},
        "robust_accuracy": {name: [line["robust_accuracy"] for line in lines] for name, lines in runs.items()},
        "cpu_s": {name: round(value, 2) for name, value in cpu_s.items()},
        "ratio": {f"{theirs}/{own}": round(cpu_s[theirs] / cpu_s[own], 2) for own in ours for theirs in peers},
    }
    if {"redan-standard", "peer-autoattack"} <= runs.keys():
        theirs = runs["peer-autoattack"][0]["robust_accuracy"]
        no_higher = [line["robust_accuracy"] <= theirs for line in runs["redan-standard"]]
        ratio = cpu_s["peer-autoattack"] / cpu_s["redan-standard"]
        summary["verdict_no_higher"] = f"{sum(no_higher)} of {len(no_higher)} seeds"
        summary["holds"] = sum(no_higher) >= 0.8 * len(no_higher) and ratio >= BARS[summary["norm"]]
    return summary


def table(lines: list[dict[str, Any]]) -> str:
    """Markdown: time against accuracy, one row a setting and contender, with the Wilson interval of the worst seed."""
    from redan.kernels.statistics import wilson

    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        if "contender" in line and "net" in line:
            key = (line["net"], line["norm"], line["eps"], line["offset"], line["n"], line["contender"])
            groups.setdefault(key, []).append(line)
    rows = [
        "| net | norm, eps | first image, n | contender | robust accuracy, %, by seed | 95 % | CPU s | attack |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (net, norm, eps, offset, n, name), runs in groups.items():
        shares = [line["robust_accuracy"] for line in runs]
        low, high = wilson(round(max(shares) * n), n)
        told = " ".join(f"{100 * share:.1f}" for share in shares)
        spent, attack = (fmean(line[key] for line in runs) for key in ("cpu_s", "attack_cpu_s"))
        rows.append(
            f"| {net} | {norm} {eps:g} | {offset}, {n} | {name} | {told} | {100 * low:.1f} - {100 * high:.1f} "
            f"| {spent:.1f} | {attack:.1f} |"
        )
    return "\n".join(rows) + "\n"


def main() -> int:
    """Run every contender in its own process, print their lines, then the ratios."""
    args = options()
    if args.table:
        sys.stdout.write(table([json.loads(line) for file in args.table for line in file.read_text().splitlines()]))
        return 0
    if args.only:
        return contend(args)
    if lacks := missing(args):
        sys.stderr.write("".join(f"missing: {lack}\n" for lack in lacks))
        return 3
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    if args.peer:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(args.peer), os.environ.get("PYTHONPATH"))))
    trainer = [sys.executable, str(Path(__file__).with_name("architectures.py")), args.net]
    if not args.net.startswith("cnn") and (code := subprocess.run(trainer, env=environment, check=False).returncode):
        return code
    runs: dict[str, list[dict[str, Any]]] = {}
    for name in args.contenders.split(","):
        for seed in range(args.seeds if name.startswith("redan") else 1):
            words = [sys.executable, __file__, *sys.argv[1:], "--only", name, "--seed", str(seed)]
            done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return done.returncode
            sys.stdout.write(done.stdout)
            sys.stdout.flush()
            runs.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
    print(json.dumps(compared(runs)))
    sys.stderr.write(table([line for lines in runs.values() for line in lines]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
