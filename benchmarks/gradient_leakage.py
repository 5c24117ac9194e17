"""Rows rebuilt from the gradient of one row: ``python benchmarks/gradient_leakage.py [ROWS] [STEPS]``.

Claims: a perceptron's gradient gives the row itself (above 60 dB, no search); the gradient of a trained convolutional
network gives at least four rows in five with 20 dB through what its first linear layer saw, where the search of the
literature (cosine distance and total variation, Geiping et al. 2020) gives fewer and takes longer. Both
means get the same updates in one run; rows are images 20,000 and following of Fashion-MNIST's training part. A network
with fresh weights stands beside the trained one, since a gradient that is not small yet is easy to match.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch
from architectures import DATA, SmallCNN, load, mlp, read
from torch import Tensor, nn

from redan.kernels.draws import sample_keys, uniform
from redan.kernels.gradient_leakage.closed_form import door_of, rows_of, seen_by
from redan.kernels.gradient_leakage.features import unfolded
from redan.kernels.gradient_leakage.fidelity import best_db
from redan.kernels.gradient_leakage.labels import classes_of, last_bias
from redan.kernels.gradient_leakage.matching import Matching, match
from redan.kernels.gradient_leakage.updates import update_of
from redan.kernels.statistics import wilson

if TYPE_CHECKING:
    from redan.kernels.gradient_leakage.updates import Update

FIRST = 20_000
SHAPE = (1, 28, 28)
ENOUGH_DB = 20.0
UNFOLD_STEPS = 300
BOUNDS = (torch.tensor(0.0), torch.tensor(1.0))


def through_the_linear_layer(net: nn.Module) -> Callable[[Update, Tensor, Tensor], Tensor]:
    """Read off or unfold what the first linear layer saw."""
    door = door_of(net, SHAPE)
    assert door is not None

    def attack(update: Update, y: Tensor, start: Tensor) -> Tensor:
        seen = seen_by(update, door, most=0)
        if door.shift is not None:
            return rows_of(seen, door, SHAPE)
        return unfolded(net, door, seen, SHAPE, BOUNDS, UNFOLD_STEPS, lambda: None)

    return attack


def by_matching(net: nn.Module, steps: int, total_variation: float) -> Callable[[Update, Tensor, Tensor], Tensor]:
    """Search for an input whose update points the same way."""
    settings = Matching(steps=steps, total_variation=total_variation)
    return lambda update, y, start: match(net, update, y, start, BOUNDS, settings, lambda: None).x


def measured(net: nn.Module, attack: Callable[..., Tensor], x: Tensor, y: Tensor) -> dict[str, object]:
    """Attack the update of each row."""
    start = torch.as_tensor(uniform(sample_keys(0, "gradient-leakage", range(len(x))), SHAPE, stream=0))
    ratios, right, cpu_s = [], 0, 0.0
    for row in range(len(x)):
        one = slice(row, row + 1)
        update = update_of(net, x[one], y[one])
        before = time.process_time()
        bias = last_bias(update, 10)
        assert bias is not None
        label = classes_of(bias, 1)
        found = attack(update, label, start[one])
        cpu_s += time.process_time() - before
        right += int(label[0] == y[row])
        ratios.append(float(best_db(found, x[one], torch.tensor(1.0))[0]))
    hits = int(np.sum(np.array(ratios) >= ENOUGH_DB))
    return {
        "rebuilt": hits / len(x),
        "interval": [round(v, 3) for v in wilson(hits, len(x))],
        "median_db": round(float(np.median(ratios)), 2),
        "least_db": round(min(ratios), 2),
        "classes_right": right / len(x),
        "cpu_s": round(cpu_s, 2),
    }


def main(rows: int, steps: int) -> int:
    """Attack three networks by both means, print one JSON line, and fail where a claim does not hold."""
    torch.set_num_threads(1)
    x, y = read(DATA, "train", slice(FIRST, FIRST + rows))
    torch.manual_seed(0)
    nets = {"perceptron": mlp(10), "trained": load("cnn-natural"), "fresh": SmallCNN(10)}
    found: dict[str, dict[str, dict[str, object]]] = {}
    for name, net in nets.items():
        net.eval().requires_grad_(True)
        found[name] = {"linear layer": measured(net, through_the_linear_layer(net), x, y)}
        for total_variation in (1e-3, 1e-2):
            search = by_matching(net, steps, total_variation)
            found[name][f"matching, tv {total_variation:g}"] = measured(net, search, x, y)
    ours, theirs = found["trained"]["linear layer"], found["trained"]["matching, tv 0.01"]
    line = {
        "benchmark": "gradient_leakage",
        "rows": rows,
        "steps": {"unfolding": UNFOLD_STEPS, "matching": steps},
        "threshold_db": ENOUGH_DB,
        "found": found,
        "cpu_ratio_trained": round(float(str(theirs["cpu_s"])) / float(str(ours["cpu_s"])), 1),
        "holds": float(str(found["perceptron"]["linear layer"]["least_db"])) > 60
        and float(str(ours["rebuilt"])) >= 0.8
        and float(str(ours["rebuilt"])) > float(str(theirs["rebuilt"])),
        "versions": {name: version(name) for name in ("redan", "torch")} | {"python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*(int(word) for word in sys.argv[1:])) if len(sys.argv) > 2 else main(24, 200))
