"""What the monitor of thefts sees, misses and costs: ``python benchmarks/extraction_monitor.py [--streams 30]``.

Fashion-MNIST; the victim is the shared small CNN. The monitor keeps training images 0-5999 and is calibrated on
10000-11999; streams come from training images 40000-59999 and test images 2000-9999, which it never saw. First benign
clients of kinds that were not used in its design, 400 queries each, then kinds that were; then thefts of at most 1000
queries: how many are seen, and after how many queries. One JSON line each, intervals are Wilson's at 95 %.

Pictures of ImageNet and CIFAR are those that ship with foolbox (``FOOLBOX_DATA=…/foolbox/data``, pinned in
``peers/minimum_norm.txt`` where installed); without them these two kinds are left out. No natural data set is at hand:
photographs are windows of few pictures, and say so in their name.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import architectures
import numpy as np
import torch
from extraction_streams import FRESH, LATER, SEEN, Shop, strange

from redan.core.inputs import Dataset
from redan.core.monitor import Event
from redan.kernels import draws
from redan.kernels.attacks.watch import Watch
from redan.kernels.extraction.clone import Pace, probabilities
from redan.kernels.extraction.stealing import augmented, knockoff
from redan.kernels.statistics import wilson
from redan.subjects.detectors.served import Asked, Served
from redan.threats.theft.monitors.extraction_stream import ExtractionStream

LENGTH = 400
QUERIES = 1000
SEED = int(os.environ.get("RUN", "4"))
"""Runs 1 and 2 came before the family sign was changed, 3 before its memory was made faster; 4 repeats with nothing
changed."""
SIDE = 28


def share(k: int, n: int) -> dict[str, Any]:
    """A rate with its interval."""
    low, high = wilson(k, n)
    return {"rate": round(k / n, 4) if n else None, "k": k, "n": n, "low": round(low, 4), "high": round(high, 4)}


def say(**values: Any) -> None:
    """Print one JSON line."""
    print(json.dumps({"benchmark": "extraction_monitor", "run": SEED, **values}), flush=True)


def dataset(x: np.ndarray, y: np.ndarray) -> Dataset:
    """Rows as the package takes them."""
    return Dataset(x=x[:, None], y=y, name="", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))


def watched(ready: ExtractionStream, rows: np.ndarray) -> tuple[int | None, float, tuple[float, float, float]]:
    """Show one client's queries one after the other: query of the first alarm, highest suspicion and signs there."""
    arrays, about = ready.kept()
    fresh = ExtractionStream.opened(arrays, about, Served(name="", digest=ready.made.model))
    images = rows.reshape(-1, 1, SIDE, SIDE)
    events = [Event(client="c", time_s=float(i), model=ready.made.model, x=x) for i, x in enumerate(images)]
    highest, where = 0.0, (0.0, 0.0, 0.0)
    for i, query in enumerate(fresh._queries(events)):
        assert query is not None
        fresh._trails.add("c", query)
        counts = fresh._trails.trail("c").counts
        signs = fresh.limits.signs(counts.n, counts.far, counts.ranks, counts.families)
        if max(signs) > highest:
            highest, where = max(signs), signs
        if highest > fresh.made.calibration.threshold:
            return i + 1, highest, where
    return None, highest, where


def benign(ready: ExtractionStream, kinds: Any, label: str, shop: Shop, streams: int) -> None:
    """Benign clients, kind by kind and together."""
    alarms = n = 0
    for place, (kind, make) in enumerate(kinds.items()):
        found = [
            watched(ready, make(shop, LENGTH, np.random.default_rng((SEED, len(kinds), place, i))))
            for i in range(streams)
        ]
        k = sum(at is not None for at, _, _ in found)
        alarms, n = alarms + k, n + streams
        worst = max(found, key=lambda each: each[1])
        signs = [round(sign, 2) for sign in worst[2]]
        say(benign=kind, design=label, alarms=share(k, streams), highest_suspicion=round(worst[1], 2), signs=signs)
    say(benign="all", design=label, alarms=share(alarms, n), queries_each=LENGTH)


def seen(ready: ExtractionStream, name: str, streams: list[np.ndarray], **more: Any) -> None:
    """Thefts of one kind."""
    found = [watched(ready, rows) for rows in streams]
    at = sorted(first for first, _, _ in found if first is not None)
    line = {"queries_median": statistics.median(at) if at else None, "queries_most": at[-1] if at else None}
    lowest = round(min(highest for _, highest, _ in found), 2)
    say(theft=name, seen=share(len(at), len(streams)), **line, lowest_suspicion=lowest, **more)


def answers(net: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """The victim's probabilities."""

    def ask(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            images = torch.from_numpy(np.asarray(x, np.float32)).reshape(-1, 1, SIDE, SIDE)
            return torch.softmax(net(images), dim=1).numpy()

    return ask


def grown(net: torch.nn.Module, shop: Shop, i: int, *, step: float, start: int, picture: bool) -> np.ndarray:
    """A theft by augmentation along the copy's gradients; the copy is dense, or convolutional for pictures."""
    shape = (start, 1, SIDE, SIDE) if picture else (start, SIDE * SIDE)
    first = shop.some(start, np.random.default_rng((SEED, 11, i, int(step * 1000)))).reshape(shape)
    pace = Pace(epochs=3 if picture else 5)
    theft = augmented(
        answers(net), first, QUERIES, step=step, bounds=(0, 1), pace=pace, seed=100 * SEED + i, watch=Watch()
    )
    return theft.x.reshape(-1, SIDE, SIDE)


def among(shop: Shop, rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Every second query is an ordinary one."""
    mixed = shop.some(QUERIES, draw).copy()
    mixed[::2] = rows.reshape(-1, SIDE, SIDE)[: QUERIES // 2]
    return mixed


def randomly(shop: Shop, i: int) -> np.ndarray:
    """Inputs grown from fifty by random signs, without a copy."""
    draw = np.random.default_rng((SEED, 13, i))
    x = shop.some(50, draw)
    while len(x) < QUERIES:
        x = np.concatenate([x, np.clip(x + 0.1 * draw.choice([-1.0, 1.0], x.shape), 0, 1).astype(np.float32)])
    return x[:QUERIES]


def thefts(ready: ExtractionStream, net: torch.nn.Module, shop: Shop, streams: int) -> None:
    """Thefts of all kinds."""
    draw = np.random.default_rng((SEED, 17))
    for name, make in strange(draw).items():
        seen(ready, f"knockoff, {name}", [make(QUERIES) for _ in range(streams)], kind="another kind")
    for step, start, picture, n in (
        (0.1, 50, False, streams),
        (0.05, 50, False, streams),
        (0.02, 50, False, streams),
        (0.1, 150, False, streams),
        (0.05, 150, False, streams),
        (0.1, 50, True, max(2, streams // 4)),
    ):
        name = f"jbda, step {step:g}, {start} first, {'convolutional' if picture else 'dense'} copy"
        rows = [grown(net, shop, i, step=step, start=start, picture=picture) for i in range(n)]
        seen(ready, name, rows, kind="grown")
        if start == 50 and not picture:
            half = [among(shop, each, np.random.default_rng((SEED, 19, i))) for i, each in enumerate(rows)]
            seen(ready, f"{name}, half ordinary", half, kind="hidden")
    seen(ready, "random signs, step 0.1", [randomly(shop, i) for i in range(streams)], kind="grown")
    for name, make in list(strange(draw).items())[:4]:
        half = [among(shop, make(QUERIES), np.random.default_rng((SEED, 23, i))) for i in range(streams)]
        seen(ready, f"knockoff, {name}, half ordinary", half, kind="hidden")
    ordinary = [shop.some(QUERIES, np.random.default_rng((SEED, 29, i))) for i in range(streams)]
    seen(ready, "knockoff, inputs of the model's kind", ordinary, kind="own kind")


def bought(net: torch.nn.Module, shop: Shop, sizes: tuple[int, ...]) -> None:
    """What a number of queries about inputs of the model's kind buys: what a budget bounds."""
    ask, pool, rows = answers(net), shop.x[:8000, None], shop.x[8000:10_000, None]
    keys = draws.sample_keys(0, "bought", range(len(pool)))
    theft = knockoff(ask, pool, sizes, keys=keys, sampling="random", pace=Pace(epochs=15), seed=0, watch=Watch())
    truth = ask(rows).argmax(axis=1)
    for copy in theft.copies:
        told = probabilities(copy.net, torch.from_numpy(rows)).argmax(dim=1).numpy()
        agrees = share(int((told == truth).sum()), len(rows))
        say(theft="knockoff, inputs of the model's kind", queries=copy.queries, fidelity=agrees)


def main() -> int:
    """Calibrate, watch, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=30, help="of each benign kind")
    parser.add_argument("--thefts", type=int, default=20, help="of each kind")
    parser.add_argument("--only", choices=("benign", "thefts", "bought"), default=None)
    parser.add_argument("--data", type=Path, default=architectures.DATA)
    args = parser.parse_args()
    torch.set_num_threads(1)
    net = architectures.SmallCNN()
    path = architectures.SHARED / "models" / "fashion_cnn" / "std.pt"
    net.load_state_dict(torch.load(path, weights_only=True))
    net.eval()
    x, y = (each.numpy() for each in architectures.read(args.data, "train"))
    later, classes = (each.numpy() for each in architectures.read(args.data, "t10k", slice(2000, 10_000)))
    x, later = x[:, 0], later[:, 0]
    shop = Shop(np.concatenate([x[40_000:], later]), np.concatenate([y[40_000:], classes]))
    asked, front = Asked(rate=0.01), Served(name="std", digest="std", bounds=(0.0, 1.0))
    ready = ExtractionStream.fitted(
        dataset(x[:6000], y[:6000]), dataset(x[10_000:12_000], y[10_000:12_000]), front, asked
    )
    c = ready.made.calibration
    say(calibrated=share(c.alarms, c.n), threshold=round(c.threshold, 4), cpu_us_per_request=ready.made.price_us)
    if args.only in (None, "benign"):
        benign(ready, {**FRESH, **LATER}, "not used in design", shop, args.streams)
        benign(ready, SEEN, "used or looked at in design", shop, args.streams // 2)
    if args.only in (None, "thefts"):
        thefts(ready, net, shop, args.thefts)
    if args.only in (None, "bought"):
        bought(net, shop, (100, 300, 1000, 3000))
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    say(cpu_s=round(time.process_time(), 1), versions=versions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
