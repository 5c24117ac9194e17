"""How many rows of a table stand alone, how diverse and close the sensitive values are, and what k would cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch, Skipped, UnknownName
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.core.report import Examined
from redan.threats.privacy.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.evidence.datasets.table import Column
    from redan.evidence.datasets.table import Table as Data
    from redan.kernels.anonymity import Reached

REMEDIES = (
    "generalise the columns as the table says: redan data anonymity DATA --quasi A,B --k 5 --write LESS",
    "leave out columns that nobody needs, and publish counts instead of rows",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymityParams(core_params.Params):
    """What somebody may know.

    Attributes:
        quasi: columns that others know of a person, with commas between.
        sensitive: columns that they are not to learn, with commas between.
        label: column that a model predicts, for the price of generalising; not priced when empty.
        k: rows that a class should have.
        most_left_out: share of rows that may be left out to reach it.
    """

    quasi: str = ""
    sensitive: str = ""
    label: str = ""
    k: int = 5
    most_left_out: float = 0.05


@probe(
    Spec(
        id="RDN-PRI-051",
        name="anonymity",
        threat="privacy",
        title="k-anonymity, l-diversity and t-closeness of a table, and what reaching k costs",
        source="Sweeney 2002; Machanavajjhala et al. 2007; Li, Li & Venkatasubramanian 2007",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:359", "doi:10.1142/S0218488502001648", "doi:10.1145/1217299.1217302"),
        default=False,
    )
)
class Anonymity:
    """Measures how well rows hide among others that look alike in what somebody may know.

    What it measures:
        The share of rows in classes smaller than k, k itself, the least number and entropy of sensitive values in a
        class, and the greatest distance of a class's sensitive values from those of all rows. Then how far columns must
        be generalised and how many rows left out for k, and what a model loses by it.

    Why it matters:
        A name is not needed to find somebody: few rows share postcode, birthday and sex. Who stands alone is known by
        whoever knows these.

    How:
        Rows with the same quasi-identifiers are one class. To reach k, the step that helps the most rows for the least
        information is taken until few enough rows are left over, which are left out.

    Shapes:
        CSV, TSV or Parquet. One finding.

    Units:
        Fractions of rows; k and l are counts, t is between 0 and 1.

    Error of the estimate:
        k, l and t are exact, every row is counted; shares of rows have Wilson's interval as if the table were drawn
        from its population, accuracies over five folds.

    Cost:
        Sorting the rows a few hundred times at most; a forest of 60 trees ten times where a label is named.

    Sources:
        Sweeney 2002 (k-anonymity) and 1997 (Datafly); Machanavajjhala, Kifer, Gehrke & Venkitasubramaniam 2007
        (l-diversity); Li, Li & Venkatasubramanian 2007 (t-closeness).

    Limits:
        It holds against somebody who knows the quasi-identifiers and nothing else; what they are, you must say. Several
        tables about the same people can be combined. Differential privacy has no such limit.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = AnonymityParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: AnonymityParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined]:
        """Count the classes and yield one finding."""
        if not params.quasi:
            raise Skipped("no quasi-identifiers were named", hint="redan data anonymity DATA --quasi age,sex,postcode")
        if why := budget.stop():
            raise BudgetSpent(why)
        from redan.evidence.datasets.reading import read_table

        observe.started("anonymity", 1)
        data = read_table(subject.root)
        yield _finding(subject.root.name, params, data, seed)
        yield Examined(path=subject.root.name, format="data", by=("anonymity",))
        observe.finished("anonymity")


def _columns(data: Data, names: str) -> dict[str, Column]:
    found = {}
    for name in (each.strip() for each in names.split(",") if each.strip()):
        column = data.column(name)
        if column is None:
            raise UnknownName.among(f"column in {data.name}", name, [each.name for each in data.columns])
        found[name] = column
    return found


def _finding(subject_name: str, params: AnonymityParams, data: Data, seed: int) -> Finding:
    from redan.kernels.anonymity import class_sizes, classes, codes_of, reach, small_rows

    quasi, sensitive = _columns(data, params.quasi), _columns(data, params.sensitive)
    if not 2 <= params.k <= data.n_rows:
        raise ShapeMismatch(f"{data.name!r} has {data.n_rows} rows, which make no classes of {params.k}")
    found = classes([codes_of(column.values) for column in quasi.values()])
    sizes = class_sizes(found)
    small = int(small_rows(found, params.k).sum())
    reached = reach(
        {name: column.values for name, column in quasi.items()}, params.k, most_left_out=params.most_left_out
    )
    n = data.n_rows
    quantities = (
        _share("rows_below_k", small, n),
        _count("k", int(sizes.min()), n),
        _share("unique_rows", int((sizes == 1).sum()), n),
        *(each for name, column in sensitive.items() for each in _of_sensitive(found, name, column, n)),
        _share("rows_left_out", int((~reached.kept).sum()), n),
        *(_utility(data, quasi, params.label, reached, seed) if params.label else ()),
    )
    rows = tuple((name, reached.steps[name], round(reached.losses[name], 3)) for name in quasi)
    return Finding(
        rule=Anonymity.spec.id,
        threat=Anonymity.spec.threat,
        subject=subject_name,
        title=f"{small:,} of {n:,} rows look like fewer than {params.k} in {', '.join(quasi)}; k is {int(sizes.min())}",
        severity=THREAT.severity(quantities[0]),
        confidence="confirmed",
        detail=f"{len(sizes):,} classes, {int((sizes == 1).sum()):,} of one row. k = {params.k} is reached by "
        f"generalising {sum(step > 0 for step in reached.steps.values())} columns and leaving out "
        f"{int((~reached.kept).sum()):,} rows.",
        params=params.as_dict(),
        quantities=quantities,
        tables=(Table(name="generalised", columns=("column", "step", "information lost"), rows=rows),),
        locations=(Location(uri=subject_name),),
        remedies=REMEDIES,
        references=Anonymity.spec.references,
    )


def _of_sensitive(found: NDArray[Any], name: str, column: Column, n: int) -> Iterator[Quantity]:
    from redan.kernels.anonymity import closeness, codes_of, diversity

    codes = codes_of(column.values)
    least = diversity(found, codes)
    yield _count(f"distinct_l_{name}", least.distinct, n)
    yield _number(f"entropy_l_{name}", least.entropy, n, better="higher")
    yield _share(f"revealed_rows_{name}", least.revealed_rows, n)
    yield _number(f"t_{name}", closeness(found, codes, ordered=column.kind in ("integer", "number")), n, better="lower")


def _utility(data: Data, quasi: dict[str, Column], label: str, reached: Reached, seed: int) -> tuple[Quantity, ...]:
    """Return the accuracy of a forest on the table as it is and as it would be."""
    import numpy as np

    from redan.kernels.anonymity import codes_of

    target = codes_of(next(iter(_columns(data, label).values())).values)
    others = [each for each in data.columns if each.name not in quasi and each.name != label]
    rest = [codes_of(each.values) if each.kind == "text" else np.nan_to_num(each.values) for each in others]
    plain = [codes_of(each.values) if each.kind == "text" else np.nan_to_num(each.values) for each in quasi.values()]
    coarse = [codes_of(cells) for cells in reached.columns.values()]
    kept = reached.kept
    return (
        _fitted("accuracy_before", np.column_stack([*plain, *rest]), target, seed),
        _fitted("accuracy_after", np.column_stack([*coarse, *rest])[kept], target[kept], seed),
    )


def _fitted(name: str, x: NDArray[Any], y: NDArray[Any], seed: int) -> Quantity:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import KFold, cross_val_predict

    from redan.kernels.statistics import wilson

    folds = KFold(5, shuffle=True, random_state=seed % 2**32)
    model = RandomForestClassifier(60, min_samples_leaf=5, random_state=seed % 2**32)
    hits = int((cross_val_predict(model, x, y, cv=folds) == y).sum())
    low, high = wilson(hits, len(y))
    return Quantity(name=name, value=hits / len(y), unit="fraction", n=len(y), low=low, high=high, better="higher")


def _share(name: str, count: int, n: int) -> Quantity:
    from redan.kernels.statistics import wilson

    low, high = wilson(count, n)
    return Quantity(name=name, value=count / n, unit="fraction", n=n, low=low, high=high, better="lower")


def _count(name: str, value: int, n: int) -> Quantity:
    return Quantity(name=name, value=value, unit="count", n=n, low=value, high=value, better="higher")


def _number(name: str, value: float, n: int, *, better: Any) -> Quantity:
    return Quantity(name=name, value=value, unit="number", n=n, low=value, high=value, better=better)
