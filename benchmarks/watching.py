"""What the watchers of a served model see, miss and cost: ``python benchmarks/watching.py [--streams 100]``.

Rows are drawn with replacement from the breast cancer data of scikit-learn (30 columns); the reference and the streams
are different halves of a shuffled copy with a little noise, so that no row comes twice. False alarms: streams of 20 000
rows without a change, looked at every 256 rows; and days of a row a second, with inputs held against a data schema of
2000 rows and answers against the first 2000, looked at every five minutes. Detection: after 5000 quiet rows one column
moves by some standard deviations, answers change their shares, or accuracy falls; rows until it is told. One JSON line
each, intervals are Wilson's at 95 %.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer

from redan.evidence.datasets.schema import infer
from redan.evidence.datasets.table import Column, Table
from redan.kernels.statistics import wilson
from redan.threats.operation.monitors.access import AbnormalAccess, Use
from redan.threats.operation.monitors.accuracy_drop import Accuracy, AccuracyDrop
from redan.threats.operation.monitors.answer_drift import AnswerDrift
from redan.threats.operation.monitors.input_drift import InputDrift
from redan.threats.operation.watching import Operation

LOOK = 256
QUIET = 5000
LONGEST = 20_000
MODEL = "ab" * 32
T0 = 1_700_000_000.0
ROWS_PER_S = 10.0
DATA = np.asarray(load_breast_cancer().data, np.float64)
SPREAD = DATA.std(axis=0)


def rows(n: int, rng: np.random.Generator, repeats: int = 1) -> np.ndarray:
    """Draw rows; with repeats each comes that many times in a row, as of a client that asks again."""
    picked = DATA[rng.integers(0, len(DATA), -(-n // repeats))]
    noisy = picked + rng.normal(size=picked.shape) * 0.05 * SPREAD
    return np.repeat(noisy, repeats, axis=0)[:n]


def told_after(count: Callable[[int, float], None], look: Callable[[], Iterator[Any]], n: int) -> int | None:
    """Feed a stream and return the row at which something was told first, or None."""
    for at in range(0, n, LOOK):
        count(at, T0 + at / ROWS_PER_S)
        if list(look()):
            return at + LOOK
    return None


def input_drift(rng: np.random.Generator, shift: float, repeats: int, n: int) -> int | None:
    """Run one stream of inputs whose first column moves after the quiet rows."""
    made = InputDrift.fitted(rows(2000, rng), "net", MODEL)

    def count(at: int, time_s: float) -> None:
        drawn = rows(LOOK, rng, repeats)
        if at >= QUIET:
            drawn[:, 0] += shift * SPREAD[0]
        made.count_rows(drawn, time_s)

    return told_after(count, made.findings, n)


def quiet_day(rng: np.random.Generator) -> int | None:
    """Run a day of inputs like the schema's and answers that stay as they are; the second at which drift was told."""
    train = rows(2000, rng)
    columns = tuple(
        Column(name=str(j), kind="number", dtype="f8", values=train[:, j], missing=np.zeros(len(train), bool))
        for j in range(train.shape[1])
    )
    rules = infer(Table(name="train", columns=columns, n_rows=len(train))).rules
    inputs = InputDrift.of_rules(rules, "net", MODEL)
    assert inputs is not None
    watched = Operation("net", MODEL, (inputs,), drift=True, performance=False)
    for second in range(0, 86_400, 300):
        asked = rows(300, rng)
        score = np.clip(asked[:, 0] / 30, 0.01, 0.99)
        watched.see(asked, (score > 0.5).astype(int), np.stack([1 - score, score], 1), T0 + second)
        if list(watched.look()):
            return second + 300
    return None


def answer_drift(rng: np.random.Generator, share: float, n: int) -> int | None:
    """Run one stream of two classes whose shares move from one half."""
    made = AnswerDrift.fitted(rng.integers(0, 2, 2000), None, "net", MODEL)

    def count(at: int, time_s: float) -> None:
        p = share if at >= QUIET else 0.5
        made.count_answers((rng.random(LOOK) < p).astype(int), None, time_s)

    return told_after(count, made.findings, n)


def accuracy_drop(rng: np.random.Generator, after: float, n: int) -> int | None:
    """Run one stream of truths whose accuracy falls from 0.92."""
    made = AccuracyDrop(Accuracy(subject="net", model=MODEL, right=int((rng.random(1000) < 0.92).sum()), n=1000))

    def count(at: int, time_s: float) -> None:
        right = int((rng.random(LOOK) < (after if at >= QUIET else 0.92)).sum())
        made.count_truths(right, LOOK, time_s)

    return told_after(count, made.findings, n)


def access(seed: int, attack: str) -> int | None:
    """Run an hour of 100 clients; return the decisions of the attack until it was told, or 1 for a false alarm."""
    drawn, watcher, n_attack = random.Random(seed), AbnormalAccess(), 0
    for second in range(3600):
        uses = []
        for _ in range(10):
            who, at = drawn.randrange(100), T0 + second
            ok = drawn.random() > 0.08
            uses.append(Use(time_s=at, who=f"client:{who}", addr=f"10.{who}.0.1", ok=ok, why="" if ok else "invalid"))
        if drawn.random() < 0.02:
            name = f"n{drawn.randrange(30)}"
            uses.append(Use(time_s=at, who="-", addr=f"10.{drawn.randrange(100)}.0.1", ok=False, tried=name))
        if attack and second >= 1800 and second % 3 == 0:
            n_attack += 1
            addr, who = "203.0.113.9", "-" if attack == "stuffing" else "client:eve"
            uses.append(Use(time_s=at, who=who, addr=addr, ok=False, why="forbidden", tried=f"x{n_attack}"))
        watcher.count(uses)
        if second % 10 == 0 and list(watcher.findings()):
            return max(1, n_attack)
    return None


def price(clients: int) -> dict[str, float]:
    """Return microseconds of CPU a row of counting and of a look."""
    rng, made = np.random.default_rng(0), InputDrift.fitted(DATA[:500], "net", MODEL)
    batches = [rows(LOOK, rng) for _ in range(100)]
    start = time.process_time()
    for i, batch in enumerate(batches):
        made.count_rows(batch, T0 + 100 * i)
    counting = time.process_time() - start
    start = time.process_time()
    for _ in range(10):
        list(made.findings())
    looking = (time.process_time() - start) / 10
    uses = [Use(time_s=T0, who=f"client:{i % clients}", addr="10.0.0.1") for i in range(10_000)]
    watcher, start = AbnormalAccess(), time.process_time()
    watcher.count(uses)
    return {
        "input_drift_us_a_row": counting / (100 * LOOK) * 1e6,
        "input_drift_us_a_look": looking * 1e6,
        "access_us_a_decision": (time.process_time() - start) / 1e4 * 1e6,
    }


def line(name: str, told: list[int | None], *, quiet: int = 0, **more: Any) -> None:
    """Print one result: how many were told at all and, after the quiet rows, the median until then."""
    late = [each - quiet for each in told if each is not None and each > quiet]
    early = sum(each is not None and each <= quiet for each in told)
    low, high = wilson(len(late), len(told))
    found = {"name": name, **more, "n": len(told), "told": len(late), "low": round(low, 4), "high": round(high, 4)}
    found |= {"told_before": early, "median_until": statistics.median(late) if late else None}
    print(json.dumps(found), flush=True)


def main() -> None:
    """Print every line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=100)
    n = parser.parse_args().streams
    few = max(5, n // 5)
    rngs = [np.random.default_rng(seed) for seed in range(n)]
    for repeats in (1, 3):
        line("input-drift", [input_drift(rng, 0.0, repeats, LONGEST) for rng in rngs], change=0, repeats=repeats)
    line("drift, quiet days", [quiet_day(np.random.default_rng([7, day])) for day in range(2 * n)], change=0)
    for shift in (0.25, 0.5, 1.0):
        line("input-drift", [input_drift(rng, shift, 1, LONGEST) for rng in rngs[:few]], quiet=QUIET, change=shift)
    line("answer-drift", [answer_drift(rng, 0.5, LONGEST) for rng in rngs], change=0.5)
    for share in (0.6, 0.7):
        line("answer-drift", [answer_drift(rng, share, LONGEST) for rng in rngs[:few]], quiet=QUIET, change=share)
    line("accuracy-drop", [accuracy_drop(rng, 0.92, LONGEST) for rng in rngs], change=0.92)
    for after in (0.87, 0.82):
        line("accuracy-drop", [accuracy_drop(rng, after, LONGEST) for rng in rngs[:few]], quiet=QUIET, change=after)
    line("abnormal-access", [access(seed, "") for seed in range(few)], change="", seconds=3600)
    for attack in ("stuffing", "denials"):
        line("abnormal-access", [access(seed, attack) for seed in range(5)], change=attack)
    for clients in (1, 256):
        print(json.dumps({"name": "price", "clients": clients, **{k: round(v, 2) for k, v in price(clients).items()}}))
    print(json.dumps({"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}))


if __name__ == "__main__":
    main()
