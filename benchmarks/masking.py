"""Gradient masking: what the usual attack reports, what Redan's suite says, and what is left after its repairs.

    python benchmarks/masking.py [--limit 100] [--offset 0] [--only quant,soft] [--peer FOLDER]

Claim: of four defences around a natural net that truly has no robustness at Linf 0.1 (logits times 1000, inputs rounded
to 8 levels, Gaussian noise of 0.1, softmax of 20 times the logits), four are flagged and each is broken to at most 10 %
robust accuracy; the same net without a defence, and an adversarially trained one, are not flagged. The peer is official
AutoAttack's APGD-CE, APGD-T and Square of 1000 queries (`pyautoattack`), imported from this environment or from --peer
FOLDER; without it that side is left out. Everything runs in one process with one thread; CPU seconds are its own. One
JSON line a model, then one for the claim.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import logging
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import nn

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.masking.suite import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = Path(os.environ.get("REDAN_SHARED", ROOT.parent / "shared")) / "models" / "fashion_cnn"
DATA = Path("/usr/share/datasets/fashion-mnist")
EPS = 0.1
MOST = 0.10


class FashionCNN(nn.Module):
    """The small net whose weights are shared."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 4, stride=2, padding=1)
        self.fc1 = nn.Linear(1568, 100)
        self.fc2 = nn.Linear(100, 10)
        self.load_state_dict(torch.load(WEIGHTS / f"{name}.pt", weights_only=True))

    def forward(self, x: Tensor) -> Tensor:
        """Map pixels (n, 1, 28, 28) to logits (n, 10)."""
        hidden = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.fc2(torch.relu(self.fc1(hidden.flatten(1))))


class Defended(nn.Module):
    """A net behind a defence."""

    def __init__(self, name: str, defence: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.defence = FashionCNN(name), defence

    def forward(self, x: Tensor) -> Tensor:
        """Answer through the defence."""
        return self.defence(self.net, x)


DEFENCES: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "scale": lambda net, x: net(x) * 1000,
    "quant": lambda net, x: net(torch.round(x * 7) / 7),
    "noise": lambda net, x: net(x + 0.1 * torch.randn_like(x)),
    "soft": lambda net, x: torch.softmax(net(x) * 20, 1),
}
HONEST = {"natural": "std", "adversarially trained": "at01"}


def images(offset: int, limit: int) -> tuple[Tensor, Tensor]:
    """Read test images (n, 1, 28, 28) in [0, 1] and their classes."""

    def content(name: str, header: int) -> Tensor:
        with gzip.open(DATA / name) as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

    part = slice(offset, offset + limit)
    pixels = content("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[part].float() / 255
    return pixels, content("t10k-labels-idx1-ubyte.gz", 8)[part].long()


def share(mask: Tensor) -> float:
    """Share of true values."""
    return round(float(mask.double().mean()), 4)


def ours(model: nn.Module, x: Tensor, y: Tensor, offset: int) -> dict[str, Any]:
    """Run the suite."""
    keys = draws.sample_keys(0, "RDN-EVA-045", range(offset, offset + len(x)))
    began = time.process_time()
    where = Ball(norm="linf", eps=EPS, box=Box(low=0.0, high=1.0))
    found = examine(model, x, y, ball=where, keys=keys, seed=0)
    return {
        "verdict": found.verdict,
        "clean": share(found.clean),
        "usual_attack": share(~found.before),
        "repaired": share(~found.after),
        "cpu_s": round(time.process_time() - began, 2),
        "flagged": {check.name: round(check.value, 4) for check in found.checks if check.flagged},
        "stages": dict(found.stages),
    }


class Warned(logging.Handler):
    """Counts the warnings of a logger."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        self.count += 1


def peer(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Any]:
    """Run AutoAttack's members and count what it warns of."""
    from pyautoattack import AutoAttack

    warned = Warned()
    logging.getLogger("auto-attack").addHandler(warned)
    torch.manual_seed(0)
    began = time.process_time()
    attack = AutoAttack(
        model, norm="Linf", eps=EPS, seed=0, device="cpu", version="custom", attacks=["apgd-ce", "apgd-t", "square"]
    )
    attack.apgd.n_restarts, attack.square.n_queries = 1, 1000
    points = attack.run_standard_evaluation(x, y, batch_size=len(x))
    points = points[0] if isinstance(points, tuple) else points
    with torch.no_grad():
        kept = share(model(points).argmax(1) == y)
    return {"robust": kept, "cpu_s": round(time.process_time() - began, 2), "warnings": warned.count}


def main() -> int:
    """Measure every model, print a line each, and fail when the claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--only", default=",".join([*DEFENCES, *HONEST]))
    parser.add_argument("--peer", type=Path, help="folder the peer is imported from")
    args = parser.parse_args()
    if args.peer:
        sys.path.insert(0, str(args.peer))
    has_peer = importlib.util.find_spec("pyautoattack") is not None
    x, y = images(args.offset, args.limit)
    models: dict[str, nn.Module] = {name: Defended("std", defence) for name, defence in DEFENCES.items()}
    models |= {name: FashionCNN(weights) for name, weights in HONEST.items()}
    results = {}
    for name in args.only.split(","):
        model = models[name].eval().requires_grad_(False)
        results[name] = ours(model, x, y, args.offset)
        line = {"benchmark": "masking", "model": name, "n": len(x), "redan": results[name]}
        print(json.dumps(line | ({"autoattack": peer(model, x, y)} if has_peer else {})), flush=True)
    masked = [r for name, r in results.items() if name in DEFENCES]
    honest = [r for name, r in results.items() if name in HONEST]
    good = all(r["verdict"] == "masked" and r["repaired"] <= MOST for r in masked)
    claim = {
        "benchmark": "masking",
        "flagged": sum(r["verdict"] == "masked" for r in masked),
        "broken": sum(r["repaired"] <= MOST for r in masked),
        "of": len(masked),
        "false_alarms": sum(r["verdict"] == "masked" for r in honest),
        "of_honest": len(honest),
        "holds": good and all(r["verdict"] == "trustworthy" for r in honest),
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "numpy", *(["pyautoattack"] if has_peer else []))},
    }
    print(json.dumps(claim))
    return 0 if claim["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
