"""Attacks on synthetic data beside Anonymeter: ``python benchmarks/synthetic_data.py [ROWS] [SEEDS]``.

Claims: a copy is caught, an independent sample raises no alarm, rates of success are those of Anonymeter 1.1.0 within
noise for linking, at a fraction of its CPU time. Both sides attack the same tables in one process: rows of Adult as
original, others as control, and as synthetic data a copy of the original, rows of which one in five is copied, and
rows that nobody has seen. Anonymeter's compiled parts are warmed up before anything is timed. It lies on PYTHONPATH
(``pip install --target FOLDER --no-deps -r benchmarks/peers/anonymeter.txt``), next to this environment's own numpy.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator
from people import adult

from redan.kernels.synthetic.comparing import risk
from redan.kernels.synthetic.linking import inferred, linked
from redan.kernels.synthetic.rows import mixed
from redan.kernels.synthetic.singling_out import by_columns, by_one_column, singled_out

TARGETS = 1000
GUESSES = 500
SECRET = "label"


def table() -> pd.DataFrame:
    """Adult as numbers and words, twelve columns."""
    people = adult()
    made: dict[str, Any] = {}
    for place, name in enumerate(people.columns):
        word, sign, value = name.partition("=")
        if not sign and name != "male":
            made[name] = people.x[:, place]
        elif sign:
            column = made.setdefault(word, np.full(len(people.x), "?", object))
            column[people.x[:, place] == 1] = value
    made |= {name: values.astype(object) for name, values in people.groups.items()}
    made[SECRET] = np.where(people.y == 1, "high", "low").astype(object)
    return pd.DataFrame(made)


def scenes(every: pd.DataFrame, rows: int, seed: int) -> dict[str, tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """Original, control and synthetic rows by name of the scene."""
    order = np.random.default_rng(seed).permutation(len(every))
    original, control, fresh = (every.iloc[order[i * rows : (i + 1) * rows]].reset_index(drop=True) for i in range(3))
    fifth = rows // 5
    some = pd.concat([original.iloc[:fifth], fresh.iloc[fifth:]]).reset_index(drop=True)
    return {name: (original, control, made) for name, made in (("copy", original), ("fifth", some), ("fresh", fresh))}


def halves(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Every other column."""
    names = list(frame.columns)
    return names[::2], names[1::2]


def ours(original: pd.DataFrame, control: pd.DataFrame, made: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Attack by Redan's kernels."""
    draws = np.random.default_rng(seed)
    names = tuple(original.columns)
    sides = (original, control, made.iloc[draws.permutation(len(made))])
    columns = tuple(tuple(np.asarray(side[name].to_numpy()) for side in sides) for name in names)
    start = time.process_time()
    data = mixed(names, columns)
    first, second, synthetic = data.sides
    guesses = [by_one_column(data, synthetic, GUESSES, draws), by_columns(data, synthetic, 3, GUESSES, draws)]
    single = [singled_out(kind, first, second, draws) for kind in guesses]
    single_s = time.process_time() - start
    start = time.process_time()
    places = tuple([names.index(name) for name in half] for half in halves(original))
    links = [int(linked(data, side[:TARGETS], synthetic, places, 1).sum()) for side in (first, second)]
    link_s = time.process_time() - start
    start = time.process_time()
    right = [inferred(data, side[:TARGETS], synthetic).sum(axis=0) for side in (first, second)]
    infer_s = time.process_time() - start
    column = names.index(SECRET)
    told = {
        f"singling out, {word}": (each.original / each.n, each.control / each.n, each.gain.value, each.gain.p)
        for word, each in zip(("one column", "several"), single, strict=True)
    }
    gain = risk((links[0], TARGETS), (links[1], TARGETS))
    told["linking"] = (links[0] / TARGETS, links[1] / TARGETS, gain.value, gain.p)
    gain = risk((int(right[0][column]), TARGETS), (int(right[1][column]), TARGETS))
    told["inference"] = (right[0][column] / TARGETS, right[1][column] / TARGETS, gain.value, gain.p)
    return {"rates": _plain(told), "cpu_s": {"singling out": single_s, "linking": link_s, "inference": infer_s}}


def theirs(original: pd.DataFrame, control: pd.DataFrame, made: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Attack by Anonymeter."""
    told: dict[str, tuple[float, ...]] = {}
    start = time.process_time()
    for word, mode in (("one column", "univariate"), ("several", "multivariate")):
        found = SinglingOutEvaluator(
            ori=original, syn=made, control=control, n_attacks=GUESSES, n_cols=3, seed=seed, max_attempts=20 * GUESSES
        ).evaluate(mode=mode)
        told[f"singling out, {word}"] = _of(found)
    single_s = time.process_time() - start
    start = time.process_time()
    linking = LinkabilityEvaluator(
        ori=original, syn=made, control=control, aux_cols=halves(original), n_attacks=TARGETS, n_neighbors=1
    )
    told["linking"] = _of(linking.evaluate(n_jobs=1))
    link_s = time.process_time() - start
    start = time.process_time()
    others = [name for name in original.columns if name != SECRET]
    inference = InferenceEvaluator(
        ori=original, syn=made, control=control, aux_cols=others, secret=SECRET, n_attacks=TARGETS
    )
    told["inference"] = _of(inference.evaluate(n_jobs=1))
    infer_s = time.process_time() - start
    return {"rates": _plain(told), "cpu_s": {"singling out": single_s, "linking": link_s, "inference": infer_s}}


def _of(found: Any) -> tuple[float, ...]:
    results = found.results()
    gain = results.risk()
    return results.attack_rate.value, results.control_rate.value, gain.value, gain.ci[0]


def _plain(told: dict[str, tuple[Any, ...]]) -> dict[str, list[float]]:
    return {name: [round(float(v), 4) for v in values] for name, values in told.items()}


def main(rows: int, seeds: int) -> int:
    """Attack every scene by both, print one JSON line, and fail where a claim does not hold."""
    warnings.simplefilter("ignore")
    every = table()
    theirs(*scenes(every, TARGETS, seeds)["fresh"], 0)
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(seeds):
        for name, scene in scenes(every, rows, seed).items():
            found.setdefault(name, []).append({"ours": ours(*scene, seed), "theirs": theirs(*scene, seed)})
    cpu = {
        side: {
            attack: round(sum(run[side]["cpu_s"][attack] for runs in found.values() for run in runs), 2)
            for attack in ("singling out", "linking", "inference")
        }
        for side in ("ours", "theirs")
    }
    false = sum(v[3] < 0.01 for run in found["fresh"] for v in run["ours"]["rates"].values())
    caught = all(run["ours"]["rates"]["linking"][3] < 0.01 for name in ("copy", "fifth") for run in found[name])
    line = {
        "benchmark": "synthetic_data",
        "rows": rows,
        "seeds": seeds,
        "first_seed": {
            name: {side: runs[0][side]["rates"] for side in ("ours", "theirs")} for name, runs in found.items()
        },
        "columns": "rate on original, on control, risk, probability by chance (ours) or lower end (theirs)",
        "cpu_s": cpu,
        "ratio": {attack: round(cpu["theirs"][attack] / cpu["ours"][attack], 1) for attack in cpu["ours"]},
        "inferred_columns": {"ours": every.shape[1], "theirs": 1},
        "false_alarms": [int(false), 4 * seeds],
        "holds": bool(caught and false <= max(1, 4 * seeds // 20)),
        "versions": {name: version(name) for name in ("redan", "anonymeter", "numpy", "pandas")}
        | {"python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*(int(word) for word in sys.argv[1:])) if len(sys.argv) > 2 else main(3000, 3))
