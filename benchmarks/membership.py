"""Membership inference beside Privacy Meter: ``python benchmarks/membership.py --peer FOLDER [--targets 8]``.

LeNets on random halves of 6000 training images of Fashion-MNIST (benchmarks/membership_models.py, trained once and kept
under --cache). Each target is attacked with the same 2, 4 and 32 reference models by Redan and by Privacy Meter's own
RMIA, its tuning of `a` included; FOLDER holds a checkout of its repository (benchmarks/peers/privacy-meter.txt).
Claims: AUC at least the peer's at the same references; one scoring pass 100 times faster at equal scores; 2 to 4
references within 0.02 AUC of 32. The last part shows what changed answers leave of the attack with 2 references.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import membership_models as models
import numpy as np
import torch

from redan.kernels import answers
from redan.kernels.draws import content, sample_keys
from redan.kernels.inference import lira
from redan.kernels.inference.confidence import margins, shares
from redan.kernels.inference.rmia import outdone, usual, usual_offline
from redan.kernels.membership import auc, caught

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

PAIRS = 17
FIRST = 0
COUNTS = (2, 4, 32)
REPEATS = 5
SIZES = ((5000, 8), (10_000, 8), (10_000, 32))
"""Records (and as many of the population) and references of the scoring pass; the peer's own setting is 10 000."""
CLAIMS = {"scoring_ratio": 100.0, "auc_lost_by_few": 0.02}


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="checkout of Privacy Meter")
    parser.add_argument("--cache", type=Path, default=Path(".cache/membership"))
    parser.add_argument("--targets", type=int, default=8)
    return parser.parse_args()


def logits(cache: Path) -> tuple[Array, Array, Array, Array, Array]:
    """Return logits (models, rows, 10) of pool and population, their classes, and who learned from what (models, n)."""
    x, y = models.images()
    pool, people = slice(FIRST, FIRST + models.POOL), models.POPULATION
    inside = np.stack([models.members(FIRST, k) for k in range(2 * PAIRS)])
    with torch.no_grad():
        nets = [models.model(FIRST, k, cache) for k in range(2 * PAIRS)]
        of_pool = np.stack([net(x[pool]).numpy() for net in nets])
        of_people = np.stack([net(x[people]).numpy() for net in nets])
    return of_pool, of_people, y[pool].numpy(), y[people].numpy(), inside


def references(target: int, count: int) -> list[int]:
    """Return the pairs that follow the target's own, so that few references are other ones for each target."""
    pairs = [(target // 2 + 1 + k) % PAIRS for k in range(count // 2)]
    return [model for pair in pairs for model in (2 * pair, 2 * pair + 1)]


def measured(scores: Array, member: Array) -> tuple[float, float, float]:
    """Return AUC and shares of members caught at 0.1 % and 1 % false positives."""
    ours, others = scores[member], scores[~member]
    return auc(ours, others).value, caught(ours, others, 0.001) / len(ours), caught(ours, others, 0.01) / len(ours)


def timed(work: Callable[[], Array]) -> tuple[Array, float]:
    """Return what comes out and the least CPU seconds of a few runs."""
    times = []
    for _ in range(REPEATS):
        before = time.process_time()
        found = work()
        times.append(time.process_time() - before)
    return found, min(times)


def attacked(told: tuple[Array, Array, Array], target: int, count: int, peer: Any) -> dict[str, Any]:
    """Attack one target by every method with the same references."""
    odds, people, inside = told
    chosen, member = references(target, count), inside[target]
    p, z = shares(odds), shares(people)
    quiet = logging.getLogger("peer")
    quiet.setLevel(logging.ERROR)
    a, _, _ = peer.tune_offline_a(
        target, p.T, inside.T, p[chosen].T, inside[chosen].T, z[target][:, None], z[chosen].T, quiet
    )
    theirs = peer.run_rmia(p[target], p[chosen].T, inside[chosen].T, z[target], z[chosen].T, a)
    found = {
        "privacy meter rmia": measured(theirs, member),
        "rmia": measured(p[target] / usual(p[chosen], inside[chosen]), member),
        "rmia offline": measured(p[target] / usual_offline(p[chosen], inside[chosen], 0.6), member),
        "lira": measured(lira.online(odds[target], odds[chosen], inside[chosen], fixed_variance=True), member),
    }
    if count > 2:  # with one reference outside, the peer computes something else
        same = likewise(p[target], p[chosen], inside[chosen], z[target], z[chosen], a)
        found["difference"] = float(np.abs(same - theirs).max())
    return found


def likewise(p: Array, said: Array, inside: Array, z: Array, said_of_z: Array, a: float) -> Array:
    """Return the peer's scores by Redan's kernel: of the population the peer averages the larger half of references."""
    half = np.sort(np.ascontiguousarray(said_of_z.T), axis=1)[:, -(len(said) // 2) :].T
    general = usual_offline(half, np.zeros(half.shape, bool), a)
    return outdone(p / usual_offline(said, inside, a), z / general)


def scoring(peer: Any, n: int, count: int) -> dict[str, Any]:
    """Time one scoring pass of n records against n others, on drawn probabilities, each side in its own layout."""
    rng = np.random.default_rng(0)
    inside = np.zeros((count, n), bool)
    for model in range(0, count, 2):
        inside[model, rng.permutation(n)[: n // 2]] = True
        inside[model + 1] = ~inside[model]
    p, said = rng.beta(5, 1, n), rng.beta(5, 1, (count, n))
    z, said_of_z = rng.beta(4, 1, n), rng.beta(4, 1, (count, n))
    columns = [np.ascontiguousarray(one.T) for one in (said, inside, said_of_z)]
    theirs, theirs_s = timed(lambda: peer.run_rmia(p, columns[0], columns[1], z, columns[2], 0.3))
    ours, ours_s = timed(lambda: likewise(p, said, inside, z, said_of_z, 0.3))
    return {
        "n": n,
        "references": count,
        "ratio": round(theirs_s / ours_s),
        "cpu_s": [round(theirs_s, 5), round(ours_s, 5)],
        "max_difference": float(np.abs(ours - theirs).max()),
    }


def summed(rows: list[tuple[float, float, float]]) -> dict[str, Any]:
    """Return means over targets and the standard error of the AUC."""
    values = np.array(rows)
    error = float(values[:, 0].std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
    area, least, low = (round(float(v), 4) for v in values.mean(axis=0))
    return {"auc": area, "se": error and round(error, 4), "tpr@0.001": least, "tpr@0.01": low}


CHANGES: dict[str, Callable[[Array, Array], Array]] = {
    "none": lambda p, _: p,
    "rounding digits=1": lambda p, _: answers.rounded(p, 1),
    "rounding digits=2": lambda p, _: answers.rounded(p, 2),
    "temperature 4": lambda p, _: answers.tempered(p, 4.0),
    "top-k k=1": lambda p, _: answers.shortened(p, 1),
    "output-noise 2.0": lambda p, keys: answers.noised(p, keys, 2.0),
}


def behind(
    change: Callable[[Array, Array], Array], raw: Array, y: Array, inside: Array, targets: int
) -> dict[str, Any]:
    """Attack targets whose answers are changed, with 2 references behind the same change."""
    keys = sample_keys(0, "RDN-PRI-105", content(np.arange(len(y))))

    def told(model: int) -> Array:
        p = answers.probabilities(raw[model], kind="logits")
        return shares(margins(answers.topped(change(p, keys), p.argmax(axis=1)), y, kind="probabilities"))

    found = []
    for target in range(targets):
        chosen = references(target, 2)
        general = usual(np.stack([told(k) for k in chosen]), inside[chosen])
        found.append(measured(told(target) / general, inside[target]))
    return summed(found)


def main(asked: argparse.Namespace) -> int:
    """Measure and print one JSON line."""
    torch.set_num_threads(1)
    sys.path.insert(0, str(asked.peer))
    peer = importlib.import_module("modules.mia.attacks.rmia")
    raw, raw_people, y, y_people, inside = logits(asked.cache)
    odds = np.stack([margins(one, y, kind="logits") for one in raw])
    people = np.stack([margins(one, y_people, kind="logits") for one in raw_people])
    right = raw.argmax(axis=2) == y
    found = {
        count: [attacked((odds, people, inside), target, count, peer) for target in range(asked.targets)]
        for count in COUNTS
    }
    methods = ("privacy meter rmia", "rmia", "rmia offline", "lira")
    table = {
        str(count): {method: summed([row[method] for row in rows]) for method in methods}
        for count, rows in found.items()
    }
    loss = summed([measured(odds[t], inside[t]) for t in range(asked.targets)])
    best = table["32"]["rmia"]["auc"]
    line = {
        "benchmark": "membership",
        "data": f"Fashion-MNIST, pool {models.POOL}, {2 * PAIRS} LeNets on halves, population {len(y_people)}",
        "targets": asked.targets,
        "accuracy": {"train": round(float(right[inside].mean()), 4), "test": round(float(right[~inside].mean()), 4)},
        "by_references": table,
        "loss threshold": loss,
        "auc_over_peer": {c: round(table[c]["rmia"]["auc"] - table[c]["privacy meter rmia"]["auc"], 4) for c in table},
        "auc_lost_to_32": {c: round(best - table[c]["rmia"]["auc"], 4) for c in ("2", "4")},
        "max_difference": max(row["difference"] for rows in found.values() for row in rows if "difference" in row),
        "scoring": [scoring(peer, n, count) for n, count in SIZES],
        "changed_answers": {name: behind(change, raw, y, inside, asked.targets) for name, change in CHANGES.items()},
        "claims": CLAIMS,
        "versions": {"redan": version("redan"), "privacy meter": "e384af8", "python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(options()))
