"""k, l and t of Adult beside pycanon: ``PYTHONPATH=FOLDER_WITH_PYCANON python benchmarks/anonymity.py [ROWS]``.

Claims: k, distinct l, entropy l and t (ordered and not) equal pycanon's 1.0.1.post2, in less CPU time. Adult comes from
`people.py`; quasi-identifiers are age, sex, race and years of education, sensitive are the working hours (ordered) and
the occupation. pycanon rounds entropy l down to a whole number, so ours is rounded down before it is compared.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from people import adult

from redan.kernels.anonymity import class_sizes, classes, closeness, codes_of, diversity

QUASI = ("age", "education_num", "sex", "race")


def table(n_rows: int) -> dict[str, Any]:
    """Return the columns of Adult that are looked at."""
    people = adult()
    place = {name: i for i, name in enumerate(people.columns)}
    flags = [name for name in people.columns if name.startswith("occupation")]
    occupation = np.array([*flags, "none"])[
        np.where(
            people.x[:, [place[f] for f in flags]].any(axis=1),
            people.x[:, [place[f] for f in flags]].argmax(axis=1),
            -1,
        )
    ]
    columns = {name: people.x[:, place[name]].astype(int) for name in ("age", "education_num", "hours_per_week")}
    columns |= {"sex": people.groups["sex"], "race": people.groups["race"], "occupation": occupation}
    return {name: cells[:n_rows] for name, cells in columns.items()}


def ours(columns: dict[str, Any]) -> dict[str, float]:
    """Measure with our kernel."""
    found = classes([codes_of(columns[name]) for name in QUASI])
    hours, work = codes_of(columns["hours_per_week"]), codes_of(columns["occupation"])
    least = diversity(found, work)
    return {
        "k": int(class_sizes(found).min()),
        "l": least.distinct,
        "entropy_l": int(least.entropy + 1e-9),
        "t_words": closeness(found, work, ordered=False),
        "t_numbers": closeness(found, hours, ordered=True),
    }


def theirs(columns: dict[str, Any]) -> dict[str, float]:
    """Measure with pycanon."""
    import pandas as pd
    from pycanon import anonymity

    frame = pd.DataFrame(columns)
    quasi = list(QUASI)
    return {
        "k": int(anonymity.k_anonymity(frame, quasi)),
        "l": int(anonymity.l_diversity(frame, quasi, ["occupation"])),
        "entropy_l": int(anonymity.entropy_l_diversity(frame, quasi, ["occupation"])),
        "t_words": float(anonymity.t_closeness(frame, quasi, ["occupation"])),
        "t_numbers": float(anonymity.t_closeness(frame, quasi, ["hours_per_week"])),
    }


def main(n_rows: int) -> int:
    """Print one JSON line; 0 when all values are equal and ours took less time."""
    columns = table(n_rows)
    ours(columns)
    times, values = {}, {}
    for name, measure in (("redan", ours), ("pycanon", theirs)):
        before = time.process_time()
        values[name] = measure(columns)
        times[name] = time.process_time() - before
    gap = max(abs(values["redan"][each] - values["pycanon"][each]) for each in values["redan"])
    ratio = times["pycanon"] / times["redan"]
    line = {
        "benchmark": "anonymity",
        "rows": len(columns["age"]),
        "values": values,
        "largest_difference": gap,
        "cpu_s": {name: round(each, 4) for name, each in times.items()},
        "ratio": round(ratio, 1),
        "holds": gap < 1e-9 and ratio > 1,
        "versions": {"pycanon": version("pycanon"), "numpy": np.__version__, "python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0 if line["holds"] else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
