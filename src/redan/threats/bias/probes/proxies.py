"""Proxies: what other columns know about a sensitive one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, Skipped, UsageError
from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.fairness.bootstrap import around, replicates
from redan.kernels.fairness.encoding import banded, encode
from redan.kernels.fairness.scores import adjusted, cramers_v
from redan.subjects.failures import needing
from redan.threats.bias.counting import undecided
from redan.threats.bias.flipping import places_of
from redan.threats.bias.people import groups_of
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.fairness.encoding import Encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiesParams(core_params.Params):
    """Parameters of proxies.

    Attributes:
        most_rows: rows that are looked at, at most.
        least: rows that a group must have to be told apart.
        resamples: of the bootstrap.
    """

    most_rows: int = 5000
    least: int = 30
    resamples: int = 1000


MOST_COLUMNS = 1000
_BINS, _SHOWN = 10, 20
_TREES, _DEPTH = 30, 12
_MOST_SEED = 2**31 - 1


@probe(
    Spec(
        id="RDN-BIA-005",
        name="proxies",
        threat="bias",
        title="Columns that stand for a sensitive one",
        source="Feldman et al. 2015, KDD, section 4 (predicting the protected attribute); Bergsma 2013, equation 10",
        needs=("labels",),
        data=("test", "sensitive"),
        cost="seconds",
        references=("arxiv:1412.3756",),
    )
)
class Proxies:
    """Predicts each sensitive column from the other columns that the model is given.

    What it measures:
        How well trees tell the groups apart from all other columns together, on rows they were not fitted on: balanced
        accuracy, rescaled so that guessing is 0 and knowing is 1. And for each column alone its association with the
        sensitive one (Cramér's V, corrected for bias).

    Why it matters:
        Leaving out a sensitive column does not make a model blind to it when postcode and first name say the same.

    How:
        A random forest with groups weighted alike is fitted on each half of the rows and asked about the other. Columns
        are cut into ten bins for the association. The model itself is not asked.

    Shapes:
        test: a table (n, d) of at most 1,000 columns with (n,) groups by column.

    Units:
        Shares between 0 and 1.

    Error of the estimate:
        Bootstrap interval from the counts of predicted and true groups, with the trees held fixed.

    Cost:
        Two forests of 30 trees a sensitive column on at most ``most_rows`` rows.

    Sources:
        Feldman, Friedler, Moeller, Scheidegger & Venkatasubramanian 2015, "Certifying and removing disparate impact";
        Bergsma 2013 for the association.

    Limits:
        That columns could be used does not mean that the model uses them. Sensitive columns are not counted as proxies
        of each other.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ProxiesParams

    def run(
        self,
        subject: Subject,
        inputs: Inputs,
        params: ProxiesParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Fit trees and yield one finding a sensitive column."""
        if min(params.most_rows, params.least) < 1 or params.resamples < 100:
            raise UsageError("expected at least 1 row and at least 100 resamples")
        data, others = _table_of(inputs.role("test"), inputs, params.most_rows)
        observe.started(self.spec.name, len(inputs.sensitive))
        for done, (column, groups) in enumerate(groups_of(data, inputs).items(), start=1):
            if budget.stop():
                return
            rows = np.bincount(groups.codes, minlength=len(groups.levels))
            kept = np.flatnonzero(rows >= params.least)
            if len(kept) < 2:
                why = f"fewer than two groups have {params.least} rows"
                yield undecided(self.spec, subject.ref.name, (column,), params, why)
                continue
            mine = np.isin(groups.codes, kept)
            codes = np.searchsorted(kept, groups.codes[mine])
            x = np.asarray(data.x, np.float64)[mine][:, others]
            confusion = _confusion(x, codes, len(kept), derive(seed, self.spec.id, column))
            measured = _strength(confusion, params.resamples, derive(seed, self.spec.id, column, "bootstrap"))
            names = [data.columns[i] if data.columns else f"column{i}" for i in others]
            observe.advanced(self.spec.name, done)
            yield self._finding(subject.ref.name, column, groups, measured, _alone(x, codes, names), params)
        observe.finished(self.spec.name)

    def _finding(
        self, name: str, column: str, groups: Encoded, measured: Quantity, table: Table, params: ProxiesParams
    ) -> Finding:
        first = table.rows[0]
        sure = measured.low > 0
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=name,
            title=f"{column}: other columns tell it with strength {measured.value:.2f}, most of all {first[0]}",
            severity=THREAT.severity(measured) if sure else Severity.INFO,
            confidence="confirmed" if sure else "possible",
            detail=(
                f"Trees tell the {len(groups.levels)} groups of {column} from the other columns with "
                f"{measured.value:.2f} of the way from guessing to knowing (95 % interval {measured.low:.2f} to "
                f"{measured.high:.2f}). Without the column a model can "
                f"still know it. {first[0]} alone has an association of {first[1]}."
            ),
            params=params.as_dict(),
            quantities=(measured,),
            tables=(table,),
            locations=(Location(uri="test data", address=column),),
            remedies=("RDN-BIA-102 correlation-removal", "RDN-BIA-105 adversarial-debiasing"),
            references=self.spec.references,
        )


def _table_of(data: Dataset, inputs: Inputs, most: int) -> tuple[Dataset, list[int]]:
    """Return at most so many rows, evenly spread, and the places of columns that are not sensitive.

    Raises:
        Skipped: the data are no table, or all columns are sensitive.
        ShapeMismatch: too few rows, or NaN or infinity.
    """
    groups = groups_of(data, inputs)
    if data.x.ndim != 2 or data.x.dtype.kind not in "biuf" or data.x.shape[1] > MOST_COLUMNS:
        raise Skipped(f"inputs of {data.name!r} are {data.x.shape[1:]}; proxies are looked for among table columns")
    own = {place for column in groups for place in places_of(data, column)}
    others = [i for i in range(data.x.shape[1]) if i not in own]
    if not others:
        raise Skipped("every column is sensitive, so there is none that could stand for another")
    if len(data) < 4:
        raise ShapeMismatch(f"{data.name!r} has {len(data)} rows; expected at least 4 to learn from")
    if not np.isfinite(np.asarray(data.x, np.float64)).all():
        raise ShapeMismatch(f"{data.name!r} holds NaN or infinity", hint="remove or impute those rows")
    order = np.argsort(data.indices, kind="stable")  # the order of the rows must not matter
    return data.rows(order[np.unique(np.linspace(0, len(data) - 1, min(most, len(data))).astype(np.int64))]), others


def _confusion(x: NDArray[Any], codes: NDArray[Any], k: int, seed: int) -> NDArray[np.int64]:
    """Return counts (k, k) of true and predicted groups, each row predicted by trees fitted on the other half."""
    with needing("proxies"):
        from sklearn.ensemble import RandomForestClassifier
    half = np.random.default_rng(seed).permutation(len(codes)) % 2
    told = np.zeros(len(codes), np.int64)
    for side in (0, 1):
        fitted_on, asked = half == side, half != side
        sizes = np.bincount(codes[fitted_on], minlength=k)
        if np.count_nonzero(sizes) < 2:
            told[asked] = int(sizes.argmax())
            continue
        trees = RandomForestClassifier(_TREES, max_depth=_DEPTH, min_samples_leaf=5, random_state=seed % _MOST_SEED)
        trees.fit(x[fitted_on], codes[fitted_on], sample_weight=1 / sizes[codes[fitted_on]])
        told[asked] = trees.predict(x[asked])
    return np.bincount(codes * k + told, minlength=k * k).reshape(k, k).astype(np.int64)


def _strength(confusion: NDArray[np.int64], n_resamples: int, seed: int) -> Quantity:
    value = float(adjusted(confusion))
    drawn = replicates(confusion, lambda some: {"a": adjusted(some)}, n_resamples=n_resamples, seed=seed)["a"]
    low, high = around(value, drawn)
    return Quantity(
        name="proxy_strength",
        value=max(0.0, value),
        unit="fraction",
        n=int(confusion.sum()),
        low=max(0.0, low),
        high=max(high, 0.0),
        better="lower",
    )


def _alone(x: NDArray[Any], codes: NDArray[Any], names: list[str]) -> Table:
    """Return the association of each column with the groups, the strongest first."""
    k = int(codes.max()) + 1
    found = []
    for place, name in enumerate(names):
        column = banded(encode(x[:, place].astype(np.str_)), most=_BINS, bands=_BINS)
        table = np.bincount(column.codes.astype(np.int64) * k + codes, minlength=len(column.levels) * k)
        found.append((name, round(cramers_v(table.reshape(-1, k)), 3)))
    found.sort(key=lambda row: (-row[1], row[0]))
    return Table(name="association", columns=("column", "Cramér's V"), rows=tuple(found[:_SHOWN]), draw="heat")
