"""Groups side by side beside fairlearn: ``OMP_NUM_THREADS=1 python benchmarks/fairness.py [ROWS]``.

Claims: a million rows with four sensitive columns of words and their 240 intersections, with 1,000 bootstraps and the
encoding of the words, in at most 1.5 CPU seconds; at 20,000 rows with three bootstraps at least 150 times as fast as
fairlearn's MetricFrame, encoding included, in the same process; the same six metrics for every group and every
intersection, with equal values. Real people beside them: Adult, values compared for sex, race and both. Needs the extra
``fairness`` and pandas.
"""

from __future__ import annotations

import json
import platform
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import fairlearn.metrics as theirs
import numpy as np
import pandas
from people import adult
from sklearn.metrics import accuracy_score, precision_score

from redan.kernels.fairness.bootstrap import interval, replicates
from redan.kernels.fairness.counts import Tally, against_rest, tally
from redan.kernels.fairness.encoding import encode
from redan.kernels.fairness.rates import RATES, gaps, rates

CLAIM_S, CLAIM_RATIO = 1.5, 150.0
SMALL, SMALL_BOOTSTRAPS, BOOTSTRAPS = 20_000, 3, 1000
METRICS = {
    "selection_rate": theirs.selection_rate,
    "tpr": theirs.true_positive_rate,
    "fpr": theirs.false_positive_rate,
    "accuracy": accuracy_score,
    "ppv": lambda y, p: precision_score(y, p, zero_division=0),
}
WORDS = {
    "sex": ("female", "male"),
    "race": ("white", "black", "asian", "native", "other"),
    "age": ("under 30", "30 to 44", "45 to 59", "60 and over"),
    "region": ("north", "east", "south", "west", "islands", "abroad"),
}
Columns = Mapping[str, np.ndarray[Any, Any]]


def made_up(n: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Columns]:
    """Return true classes, answers and four columns of words."""
    rng = np.random.default_rng(0)
    codes = {name: rng.integers(0, len(words), n) for name, words in WORDS.items()}
    codes["race"] = rng.choice(5, n, p=[0.6, 0.15, 0.1, 0.1, 0.05])
    y = (rng.random(n) < 0.3 + 0.05 * codes["sex"]).astype(np.int64)
    p = (rng.random(n) < 0.15 + 0.5 * y + 0.03 * codes["race"]).astype(np.int64)
    return y, p, {name: np.array(words)[codes[name]] for name, words in WORDS.items()}


def ours(y: Any, p: Any, columns: Columns, n_bootstraps: int) -> tuple[Tally, dict[str, Any]]:
    """Encode, count, and give every rate and gap of each column and of all together its interval."""
    counted = tally({name: encode(values) for name, values in columns.items()}, y, p, 2)
    whole = against_rest(counted.counts, 1)
    views = {name: _member(counted, name) for name in columns}

    def statistic(tables: Any) -> dict[str, Any]:
        found = _told("all", tables)
        for name, member in views.items():
            found |= _told(name, np.einsum("gm,bmk->bgk", member, tables.astype(np.float64), optimize=True))
        return found

    values = statistic(whole[None])
    drawn = replicates(whole, statistic, n_resamples=n_bootstraps, seed=0)
    ends = {name: interval(some) for name, some in drawn.items()}
    return counted, {name: (value[0], *ends[name]) for name, value in values.items()}


def _member(counted: Tally, column: str) -> np.ndarray[Any, Any]:
    place = counted.columns.index(column)
    groups = np.arange(len(counted.levels[place]))
    return (counted.cells[:, place][None, :] == groups[:, None]).astype(np.float64)


def _told(name: str, tables: Any) -> dict[str, Any]:
    values = rates(tables)
    return {
        name: values,
        **{f"{name}/{gap}": one for gap, one in gaps(values, np.ones(values.shape[-2:], bool)).items()},
    }


def fairlearns(y: Any, p: Any, columns: Columns, n_bootstraps: int) -> theirs.MetricFrame:
    """Do the same with MetricFrame: each column, then all together with difference and ratio."""
    frame = pandas.DataFrame(columns)
    asked: dict[str, Any] = {"metrics": METRICS, "y_true": y, "y_pred": p}
    if n_bootstraps:
        asked |= {"n_boot": n_bootstraps, "ci_quantiles": [0.025, 0.975], "random_state": 0}
    for name in columns:
        one = theirs.MetricFrame(sensitive_features=frame[[name]], **asked)
        one.difference()
        one.ratio()
    found = theirs.MetricFrame(sensitive_features=frame, **asked)
    found.difference()
    found.ratio()
    return found


def apart(counted: Tally, values: Any, reference: theirs.MetricFrame) -> float:
    """Return the largest difference in any metric of any intersection; a rate of nothing is 0 there."""
    worst = 0.0
    for row, cell in enumerate(counted.cells.tolist()):
        expected = reference.by_group.loc[tuple(counted.levels[i][code] for i, code in enumerate(cell))]
        for name in METRICS:
            mine = values[row, RATES.index(name)]
            worst = max(worst, abs(float(expected[name]) - (0.0 if np.isnan(mine) else float(mine))))
    return worst


def cpu_s(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the least CPU seconds of a few rounds, and what the last one gave."""
    times, found = [], None
    for _ in range(rounds):
        start = time.process_time()
        found = work()
        times.append(time.process_time() - start)
    return min(times), found


def main(rows: int) -> int:
    """Measure both sides, print one JSON line, and fail when a claim does not hold."""
    warnings.simplefilter("ignore")
    y, p, columns = made_up(rows)
    large_s, (counted, told) = cpu_s(lambda: ours(y, p, columns, BOOTSTRAPS), 3)
    y, p, columns = made_up(SMALL)
    ours_s, (small, values) = cpu_s(lambda: ours(y, p, columns, SMALL_BOOTSTRAPS), 3)
    theirs_s, reference = cpu_s(lambda: fairlearns(y, p, columns, SMALL_BOOTSTRAPS), 1)
    people = adult("test")
    guess = (people.x[:, 1] + people.x[:, 4] / 10 > 14).astype(np.int64)
    adult_counted, adult_told = ours(people.y, guess, people.groups, 10)
    adult_apart = apart(adult_counted, adult_told["all"][0], fairlearns(people.y, guess, people.groups, 0))
    line = {
        "benchmark": "fairness",
        "large": {"rows": rows, "columns": 4, "intersections": len(counted.cells), "bootstraps": BOOTSTRAPS},
        "large_cpu_s": round(large_s, 3),
        "equalised_odds_all": [round(float(part), 4) for part in told["all/equalised_odds_difference"]],
        "small": {"rows": SMALL, "bootstraps": SMALL_BOOTSTRAPS, "intersections": len(small.cells)},
        "small_cpu_s": {"redan": round(ours_s, 4), "fairlearn": round(theirs_s, 2)},
        "ratio": round(theirs_s / ours_s, 1),
        "largest_difference": {"made_up": apart(small, values["all"][0], reference), "adult": adult_apart},
        "claims": {"large_cpu_s": CLAIM_S, "ratio": CLAIM_RATIO},
        "holds": large_s <= CLAIM_S and theirs_s / ours_s >= CLAIM_RATIO and adult_apart < 1e-12,
        "versions": {
            "redan": version("redan"),
            "fairlearn": version("fairlearn"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    print(json.dumps(line))
    return 0 if line["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
