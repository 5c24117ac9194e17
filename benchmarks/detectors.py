"""What the detectors of evasion see, miss and cost: ``python benchmarks/detectors.py [--net std] [--n 100]``.

For each detector: false alarms on benign images that nobody saw before, detection of attacks that do not know it, the
share of images on which an attack that knows it errs the model undetected, and microseconds of CPU a request. For the
query sequence: queries until a client is denied, benign clients denied, and what an attacker gains who puts other
images between his queries or uses several accounts. Fashion-MNIST: fitted on training images, calibrated on test
images 4000-7999, false alarms on 8000-9999, attacked from 2000 on. One JSON line each, intervals are Wilson's at 95 %.
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
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import architectures
import numpy as np
import torch
from torch import Tensor

from redan.core.inputs import Dataset
from redan.core.monitor import Event
from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.hopskipjump import HopSkipJumpSettings, hopskipjump
from redan.kernels.attacks.nes import NesSettings, nes
from redan.kernels.attacks.oracle import untouched
from redan.kernels.attacks.plans import minimum_norm, plan_for
from redan.kernels.attacks.simba import SimbaSettings, simba
from redan.kernels.attacks.square import SquareSettings, square
from redan.kernels.detectors import adaptive
from redan.kernels.detectors.penultimate import penultimate
from redan.kernels.statistics import wilson
from redan.subjects.detectors.served import Asked, served
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.threats.evasion.monitors.feature_distance import FeatureDistance
from redan.threats.evasion.monitors.feature_squeezing import FeatureSqueezing
from redan.threats.evasion.monitors.nearest_rows import NearestRows
from redan.threats.evasion.monitors.query_sequence import QuerySequence

BOX = Box(low=0.0, high=1.0)
BALLS = [("linf", 0.05), ("linf", 0.1), ("l2", 0.5), ("l2", 1.0)]
BETWEEN = (0, 1, 3, 7, 15, 31, 63)
ACCOUNTS = (1, 4, 16, 64)
QUERIES = 500
LONGEST = 20_000


def share(k: int, n: int) -> dict[str, Any]:
    """A rate with its interval."""
    low, high = wilson(k, n)
    return {"rate": round(k / n, 4) if n else None, "n": n, "low": round(low, 4), "high": round(high, 4)}


def say(**values: Any) -> None:
    """Print one JSON line."""
    print(json.dumps({"benchmark": "detectors", **values}), flush=True)


def dataset(x: Tensor, y: Tensor) -> Dataset:
    """Rows as the package takes them."""
    return Dataset(x=x.numpy(), y=y.numpy(), name="", sha256="", indices=np.arange(len(x)), bounds=(0.0, 1.0))


def attacks(net: Any, x: Tensor, y: Tensor) -> Iterator[tuple[str, Any]]:
    """Attacks that know the model alone."""
    keys = draws.sample_keys(0, "benchmark", range(len(x)))
    for norm, eps in BALLS:
        ball = Ball(norm=norm, eps=eps, box=BOX)
        yield f"cascade {norm} {eps:g}", evade(net, x, y, ball=ball, keys=keys, plan=plan_for("quick", norm))
    for name, steps in (("fmn", 100), ("deepfool", 50), ("cw", 200)):
        ball = Ball(norm="l2", eps=2.0, box=BOX)
        yield f"{name} l2 2", evade(net, x, y, ball=ball, keys=keys, plan=minimum_norm(name, steps))


def knowing(net: Any, suspicion: Any, threshold: float, x: Tensor, y: Tensor, ball: Ball) -> Tensor:
    """Points of the cascade against model and detector together; the better of both forms, class by class."""
    points, keys = x.clone(), draws.sample_keys(0, "benchmark", range(len(x)))
    for label in y.unique().tolist():
        chosen = (y == label).nonzero().flatten()
        for form, weight in (("larger", 5.0), ("sum", 5.0)):
            both = adaptive.undetected(net, suspicion, threshold=threshold, label=label, weight=weight, form=form)
            part = keys[chosen.numpy()]
            with untouched(net):
                found = evade(both, x[chosen], y[chosen], ball=ball, keys=part, plan=plan_for("quick", ball.norm))
                logits, alarm = net(found.adversarial), suspicion(found.adversarial) > threshold
            good = (logits.argmax(1) != label) & ~alarm
            points[chosen[good]] = found.adversarial[good]
    return points


def single_inputs(
    net: Any, name: str, guards: dict[str, Any], torch_side: dict[str, Any], x: Tensor, y: Tensor
) -> None:
    """Static and adaptive attacks against each detector of single inputs."""
    with torch.no_grad():
        right = net(x).argmax(1) == y
    x, y = x[right], y[right]
    for attack, found in attacks(net, x, y):
        with torch.no_grad():
            wrong = net(found.adversarial).argmax(1) != y
        wrong &= found.success
        for title, guard in guards.items():
            alarm = alarms(guard, found.adversarial.numpy())
            hit = wrong.numpy()
            line = {
                "net": name,
                "detector": title,
                "attack": attack,
                "model_errs": share(int(hit.sum()), len(x)),
                "detected": share(int((alarm & hit).sum()), int(hit.sum())),
                "static_evades_both": share(int((~alarm & hit).sum()), len(x)),
            }
            if attack.startswith("cascade"):
                norm, eps = attack.split()[1:]
                ball = Ball(norm=norm, eps=float(eps), box=BOX)
                points = knowing(net, torch_side[title], guard.made.calibration.threshold, x, y, ball)
                with torch.no_grad():
                    errs = (net(points).argmax(1) != y).numpy()
                quiet = ~alarms(guard, points.numpy())
                # who knows the detector also has what the static attack found
                line["adaptive_evades_both"] = share(int(((errs & quiet) | (hit & ~alarm)).sum()), len(x))
            say(**line)


def alarms(guard: Any, rows: np.ndarray) -> np.ndarray:
    """Whether each row is denied; one batch, as a gateway that gathers requests would."""
    found = guard._judge(list(rows))
    return np.array(found) > guard.made.calibration.threshold


class Recorder:
    """A model that remembers what it was asked."""

    def __init__(self, net: Any, *, labels: bool) -> None:
        self.net, self.labels, self.rows = net, labels, []

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Answer, and remember."""
        self.rows.append(points.copy())
        with torch.no_grad():
            logits = self.net(torch.from_numpy(points))
        return logits.argmax(1).numpy() if self.labels else logits.numpy()


def searches(net: Any, x: np.ndarray, y: np.ndarray, norm: str, eps: float) -> Iterator[tuple[str, np.ndarray]]:
    """What each black-box attack asks about the rows it is given, in order."""
    ball, keys = Ball(norm=norm, eps=eps, box=BOX), draws.sample_keys(0, "benchmark", range(len(x)))
    kinds: dict[str, Callable[[Recorder], Any]] = {
        "square": lambda ask: square(ask, x, y, ball=ball, keys=keys, settings=SquareSettings(queries=QUERIES)),
        "nes": lambda ask: nes(ask, x, y, ball=ball, keys=keys, settings=NesSettings(queries=QUERIES)),
        "simba": lambda ask: simba(ask, x, y, ball=ball, keys=keys, settings=SimbaSettings(queries=QUERIES)),
        "hopskipjump": lambda ask: hopskipjump(
            ask, x, y, norm=norm, box=BOX, keys=keys, settings=HopSkipJumpSettings(iterations=3)
        ),
    }
    for name, run in kinds.items():
        recorder = Recorder(net, labels=name == "hopskipjump")
        run(recorder)
        yield name, np.concatenate(recorder.rows)


def denied_at(
    make: Callable[[], QuerySequence], rows: np.ndarray, accounts: int = 1, most: int = LONGEST
) -> int | None:
    """Query at which the first account is denied, from 1; None when none is."""
    guard = make()
    for i, row in enumerate(rows[:most]):
        event = Event(client=f"c{i % accounts}", time_s=float(i), model=guard.made.model, x=row)
        if guard.decide(event).verdict == "deny":
            return i + 1
        list(guard.observe([event]))
    return None


def sequences(net: Any, name: str, ready: QuerySequence, x: np.ndarray, y: np.ndarray, benign: np.ndarray) -> None:
    """Searches and benign clients before the query sequence."""

    def make() -> QuerySequence:
        return QuerySequence(ready.detector, ready.seed, ready.made)

    for norm, eps in (("linf", 0.1), ("l2", 1.0)):
        single: dict[str, list[int | None]] = {}
        for i in range(20):
            for attack, rows in searches(net, x[i : i + 1], y[i : i + 1], norm, eps):
                # an input that the model errs on anyway needs no search
                if len(rows) > 20:
                    single.setdefault(attack, []).append(denied_at(make, rows))
        for attack, at in single.items():
            seen = [n for n in at if n is not None]
            line = {"detected": share(len(seen), len(at)), "queries_median": statistics.median(seen) if seen else None}
            say(net=name, detector="query-sequence", attack=f"{attack} {norm} {eps:g}, one image a client", **line)
        for attack, rows in searches(net, x, y, norm, eps):
            at_query = denied_at(make, rows)
            line = {"denied_at_query": at_query, "queries": len(rows), "images": len(x)}
            say(net=name, detector="query-sequence", attack=f"{attack} {norm} {eps:g}, lock-step", **line)
    evading(net, name, make, x, y, benign)


def evading(net: Any, name: str, make: Any, x: np.ndarray, y: np.ndarray, benign: np.ndarray) -> None:
    """Attackers that know the query sequence: other images between, several accounts."""
    for attack, rows in longest(net, x, y).items():
        for between in BETWEEN:
            mixed = [part for i, row in enumerate(rows) for part in (row, *others(benign, i, between))]
            at = denied_at(make, np.stack(mixed[:LONGEST]))
            line = {"denied_at_query": at, "of_search": None if at is None else -(-at // (between + 1))}
            line["search"] = min(len(rows), LONGEST // (between + 1))
            say(net=name, detector="query-sequence", attack=attack, between=between, **line)
        for accounts in ACCOUNTS:
            line = {"accounts": accounts, "denied_at_query": denied_at(make, rows, accounts)}
            say(net=name, detector="query-sequence", attack=attack, **line)


def longest(net: Any, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The longest search of each attack for one of the images."""
    found: dict[str, np.ndarray] = {}
    for i in range(len(x)):
        for attack, rows in searches(net, x[i : i + 1], y[i : i + 1], "linf", 0.1):
            if len(rows) > len(found.get(attack, ())):
                found[attack] = rows
    return found


def others(benign: np.ndarray, i: int, between: int) -> np.ndarray:
    """Benign images that stand between two queries of a search."""
    return benign[(np.arange(between) + i * between) % len(benign)]


def benign_clients(name: str, ready: QuerySequence, benign: np.ndarray, classes: np.ndarray) -> None:
    """Clients who ask about 100 images each: mixed, and all of one class."""

    def make() -> QuerySequence:
        return QuerySequence(ready.detector, ready.seed, ready.made)

    mixed = [benign[i : i + 100] for i in range(0, len(benign) - 99, 100)]
    alike = [benign[classes == k][i : i + 100] for k in range(10) for i in (0, 100) if (classes == k).sum() >= i + 100]
    for kind, clients in (("mixed classes", mixed), ("one class", alike)):
        denied = sum(denied_at(make, rows) is not None for rows in clients)
        say(net=name, detector="query-sequence", benign_clients=kind, denied=share(denied, len(clients)))


def main() -> int:
    """Fit, calibrate, attack, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=("std", "at01"), default="std")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--only", choices=("single", "sequence", "price"), default=None)
    parser.add_argument("--detector", action="append", help="only this detector of single inputs; may be repeated")
    parser.add_argument("--data", type=Path, default=architectures.DATA)
    args = parser.parse_args()
    torch.set_num_threads(1)
    net = architectures.SmallCNN()
    folder = architectures.SHARED / "models" / "fashion_cnn"
    net.load_state_dict(torch.load(folder / f"{args.net}.pt", weights_only=True))
    net.eval()
    train = dataset(*architectures.read(args.data, "train", slice(0, 10_000)))
    x, y = architectures.read(args.data, "t10k")
    subject = TorchSubject(net, options=Options(name=args.net, bounds=(0.0, 1.0)), sample=x[:2].numpy())
    looked, plain, asked = served(subject, x[:2].numpy()), served(subject), Asked(rate=args.rate)
    calibration = dataset(x[4000:8000], y[4000:8000])
    makers: dict[str, Callable[[], Any]] = {
        "feature-distance": lambda: FeatureDistance.fitted(train, calibration, looked, asked),
        "nearest-rows": lambda: NearestRows.fitted(train, calibration, looked, asked),
        "feature-distance, inputs": lambda: FeatureDistance.fitted(train, calibration, plain, asked),
        "nearest-rows, inputs": lambda: NearestRows.fitted(train, calibration, plain, asked),
        "feature-squeezing": lambda: FeatureSqueezing.fitted(calibration, looked, asked),
    }
    wanted = args.detector or ([] if args.only == "sequence" else list(makers))
    guards = {title: makers[title]() for title in wanted}
    # a client is judged by many queries, so one near query may be rarer
    ready = QuerySequence.fitted(calibration, looked, Asked(rate=0.01))
    for title, guard in {**guards, "query-sequence": ready}.items():
        c = guard.made.calibration
        line = {"threshold": round(c.threshold, 5), "calibrated": share(c.alarms, c.n), "asked_rate": c.asked_rate}
        if guard is not ready:
            false = int(alarms(guard, x[8000:].numpy()).sum())
            line["false_alarms_on_new"] = share(false, 2000)
        say(net=args.net, detector=title, cpu_us_per_request=guard.made.price_us, **line)
    read, flat = penultimate(net, net, x[:2]), partial(torch.flatten, start_dim=1)
    knows: dict[type, Callable[[Any], Any]] = {
        FeatureDistance: lambda g: adaptive.mahalanobis(g.detector, read if g.made.reads == "penultimate" else flat),
        NearestRows: lambda g: adaptive.neighbours(g.detector, read if g.made.reads == "penultimate" else flat),
        FeatureSqueezing: lambda g: adaptive.squeezing(g.detector, net),
    }
    torch_side = {title: knows[type(guard)](guard) for title, guard in guards.items()}
    attacked = slice(2000, 2000 + args.n)
    if args.only in (None, "single"):
        single_inputs(net, args.net, guards, torch_side, x[attacked], y[attacked])
    if args.only in (None, "sequence"):
        benign_clients(args.net, ready, x[8000:].numpy(), y[8000:].numpy())
        sequences(net, args.net, ready, x[2000:2020].numpy(), y[2000:2020].numpy(), x[8000:].numpy())
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    say(net=args.net, n=args.n, cpu_s=round(time.process_time(), 1), versions=versions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
