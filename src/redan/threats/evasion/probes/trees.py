"""Trees read as boxes: the nearest misclassified row, exactly or between two bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch, Skipped
from redan.core.finding import Quantity
from redan.core.probe import Spec
from redan.kernels.statistics import median_interval
from redan.threats.evasion.measured import Attacked, curve, exact, finding, percent, rate
from redan.threats.evasion.sampling import numbered
from redan.threats.evasion.scaling import scaling
from redan.threats.evasion.setting import setting, usual_radius

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject, Trees
    from redan.kernels.trees.forest import Forest
    from redan.kernels.trees.nearest import Nearest
    from redan.kernels.trees.spaces import Ground
    from redan.threats.evasion.measured import Setting
    from redan.threats.evasion.scaling import Scaling

    class Readable(Subject, Labels, Trees):
        """A subject whose trees can be read."""


ROWS = {"quick": 30, "standard": 100, "deep": 200}
"""Plan → most rows of an ensemble."""
ROWS_OF_ONE = 2000
"""Most rows of a single tree, which costs next to nothing."""
EFFORT = {"quick": (150, 40), "standard": (400, 100), "deep": (2000, 3000)}
"""Plan → (lists of steps on the way to a misclassified row, boxes below it)."""
LEAVES = {"quick": 3_000_000, "standard": 6_000_000, "deep": 100_000_000}
"""Plan → most leaves times rows, so that large ensembles are measured on fewer rows."""
POOL = 500
CHECKED = 10
"""Rows on which the leaves' scores are compared with the model's answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesParams(core_params.Params):
    """Parameters of the search through trees.

    Attributes:
        norm: distance that is made small.
        eps: distance within which a row counts as fallen; on the inputs' own scale, or as a share of each column's
            range for tables without stated bounds; under l0 a number of columns.
        plan: how much to spend on ensembles: quick, standard or deep.
    """

    norm: Literal["linf", "l2", "l1", "l0"] = "linf"
    eps: float | None = None
    plan: Literal["quick", "standard", "deep"] = "standard"


@probe(
    Spec(
        id="RDN-EVA-030",
        name="trees",
        threat="evasion",
        title="Robust accuracy of trees between two bounds, exact where they meet",
        source="Kantchelian, Tygar & Joseph 2016, ICML, section 4; Zhang, Zhang & Hsieh 2020, NeurIPS, section 3; "
        "Chen et al. 2019, NeurIPS, section 3",
        needs=("labels", "trees"),
        data=("test",),
        cost="seconds",
        references=(
            "atlas:AML.T0043.000",
            "atlas:AML.T0015",
            "owasp:ML01",
            "arxiv:1509.07892",
            "arxiv:2010.11598",
            "arxiv:1906.03849",
        ),
    )
)
class TreesProbe:
    """Measures how near to each row a tree or an ensemble of trees errs, from above and from below.

    What it measures:
        Robust accuracy within ε (an upper bound, by misclassified rows that the model was asked about), certified
        accuracy within ε (a lower bound, by proof), the distance to the nearest misclassified row, and for how many
        rows both bounds are the same number.

    Why it matters:
        Trees have no gradient, and searches that only ask overstate how robust they are. Whoever has the file of the
        model can compute what is measured here.

    How:
        Every leaf is a box. One tree: the nearest point of every leaf's box in closed form. Ensembles: a walk climbs,
        one column a step, to where another class wins and comes back as far as it can; every step that the trees allow
        is looked at, across all trees at once. From below, a best-first search splits the space into boxes and bounds
        what the trees can gain in each. Comparisons are those of the library to the last bit: single precision and <=
        for scikit-learn, single precision and < for XGBoost, double precision and <= for LightGBM.

    Shapes:
        x: (n, …) numbers, finite, flattened to the columns of the model.
        y: (n,) class indices.

    Units:
        Distances on the inputs' own scale, or as a share of each column's range for tables without bounds.

    Error of the estimate:
        Wilson 95 % interval for the sample of rows. Between certified and robust accuracy lies the truth for the rows
        that were measured; for a single tree the two agree.

    Cost:
        Microseconds a row for one tree; for a forest of 100 trees about 0.3 CPU seconds a row. At most 100 rows of an
        ensemble with the standard plan, fewer where it has many leaves.

    Sources:
        Kantchelian, Tygar & Joseph 2016, "Evasion and hardening of tree ensemble classifiers"; Zhang, Zhang & Hsieh
        2020, "An efficient adversarial attack for tree ensembles"; Chen et al. 2019, "Robustness verification of
        tree-based models"; Devos, Meert & Davis 2021, "Versatile verification of tree ensembles".

    Limits:
        The lower bound is loose for large forests under l2, l1 and l0. Categorical splits, linear leaves and pipelines
        are not read. Of one-hot groups one at a time changes category; relations and costs are kept by projection, so
        a nearer row may exist than the one reported, never below the lower bound.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TreesParams

    def run(
        self,
        subject: Readable,
        inputs: Inputs,
        params: TreesParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Search for the first test rows and yield one finding; nothing is drawn at random.

        Raises:
            BudgetSpent: before the first row.
            Skipped: the trees cannot be read.
        """
        from redan.kernels.trees.lengths import Meter
        from redan.kernels.trees.nearest import Effort, nearest

        del seed
        if reason := budget.stop():
            raise BudgetSpent(f"no row was attacked: {reason}", hint="give a larger budget")
        forest: Forest = subject.forest()
        data = _first(inputs.role("test"), forest, params.plan)
        scale = scaling(subject, data)
        where = _where(subject, data, params, scale)
        numbered(data, forest.n_classes)
        table = _Table(subject, data, _ground(forest, data, where, scale, inputs), budget)
        weight = np.ones(forest.d) if scale is None else 1.0 / scale.span
        looks, boxes = EFFORT[params.plan]
        observe.started(self.spec.name, len(data))
        table.insist_on_answers()
        found = nearest(
            table.ground.forest,
            table.ground.rows,
            np.asarray(data.y, np.int64),
            table.ground.space,
            Meter(norm=params.norm, weight=np.append(weight, 0.0)),
            Effort(looks=looks, boxes=boxes),
            labels=table.labels,
            pool=table.pool(),
            stop=budget.stop,
            progress=lambda stage, done, total: observe.advanced(self.spec.name, done, total, stage),
        )
        told = _told(self.spec, subject, replace(params, eps=where.eps), table, found, where)
        observe.finished(self.spec.name, told.title)
        yield told


class _Table:
    """Rows on the way between their owner and the forest."""

    def __init__(self, subject: Readable, data: Dataset, ground: Ground, budget: Budget) -> None:
        self._subject, self.data, self.ground, self._budget = subject, data, ground, budget
        self.queries = 0
        own = np.asarray(data.x)
        # single precision cannot hold what a library compares in double
        single = own.dtype == np.float32 and ground.forest.grid == np.float32
        self._own = own.reshape(len(own), -1).astype(np.float32 if single else np.float64)

    def rows(self, points: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows of their owner that points stand for; a cell that was not moved keeps its value."""
        clean = self._own[places]
        moved = np.where(points == self.ground.rows[places], clean, points).astype(self._own.dtype)
        return moved.reshape(len(points), *self.data.x.shape[1:])

    def labels(self, points: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ask the model."""
        self.queries += len(points)
        self._budget.charge(queries=len(points))
        return np.asarray(self._subject.labels(self.rows(points, places)))

    def pool(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the rows themselves with their true classes: where a walk may start."""
        good = np.flatnonzero(self.ground.space.possible)[:POOL]
        return self.ground.rows[good], np.asarray(self.data.y, np.int64)[good]

    def insist_on_answers(self) -> None:
        """Compare what the leaves say with what the model answers.

        Raises:
            Skipped: they differ.
        """
        some = np.flatnonzero(self.ground.space.possible)[:CHECKED]
        if len(some) == 0:
            return
        forest = self.ground.forest
        scores = forest.scores(self.ground.rows[some])
        answers = self.labels(self.ground.rows[some], some)
        behind = scores.max(axis=1) - scores[np.arange(len(some)), answers]
        if (behind > 2 * forest.slack).any():
            raise Skipped(
                f"the trees of {self._subject.ref.name!r} do not answer as the model does",
                hint="attack it as a black box: --probe score-search",
            )


def _first(data: Dataset, forest: Forest, plan: str) -> Dataset:
    most = ROWS_OF_ONE if forest.n_trees == 1 else min(ROWS[plan], max(5, LEAVES[plan] // len(forest.tree)))
    x: Any = np.asarray(data.x)[:most]
    if len(x) == 0:
        raise ShapeMismatch(f"{data.name!r} has no rows", hint="choose another offset or limit")
    if x.dtype.kind not in "biuf" or int(np.prod(x.shape[1:])) != forest.d:
        raise ShapeMismatch(
            f"rows of {data.name!r} are {x.dtype} of shape {x.shape[1:]}; the trees ask about {forest.d} numbers"
        )
    if not np.isfinite(x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    return replace(data, x=x, y=data.y[:most], indices=data.indices[:most])


def _where(subject: Readable, data: Dataset, params: TreesParams, scale: Scaling | None) -> Setting:
    where = setting(subject, data, params.norm, params.eps)
    if scale is None:
        return where
    eps = usual_radius(params.norm, 1.0, data.x.shape[1]) if params.eps is None else params.eps
    return replace(where, eps=eps, bounds=(0.0, 1.0))


def _ground(forest: Forest, data: Dataset, where: Setting, scale: Scaling | None, inputs: Inputs) -> Ground:
    from redan.kernels.constraints.resolving import of_table
    from redan.kernels.trees.spaces import ground

    low = np.full(forest.d, where.bounds[0]) if scale is None else scale.low
    high = np.full(forest.d, where.bounds[1]) if scale is None else scale.low + scale.span
    rows = np.asarray(data.x).reshape(len(data), -1)
    return ground(forest, rows, low, high, of_table(inputs.constraints, data))


def _told(spec: Spec, subject: Readable, params: TreesParams, table: _Table, found: Nearest, where: Setting) -> Finding:
    data, n = table.data, len(table.data)
    wrong = found.upper == 0
    fell = found.upper <= where.eps * (1 + 1e-6)
    points = np.where((fell & ~wrong)[:, None], found.points, table.ground.rows)
    attacked = Attacked(
        adversarial=table.rows(points, np.arange(n)),
        success=fell,
        distance=found.upper,
        stages=(("clean", int(wrong.sum())), (spec.name, int((fell & ~wrong).sum()))),
        forward=table.queries,
        gradient=0,
        partial=found.reason or "",
        notes=_notes(table, found, where),
    )
    predicted = np.asarray(data.y) if found.reason else subject.labels(attacked.adversarial)
    told = finding(spec, subject.ref.name, params.as_dict(), attacked, where, data, predicted)
    return replace(
        told,
        quantities=(*told.quantities, *_bounded(found, where, table)),
        series=(*told.series, replace(curve(found.lower, where), name="certified_by_eps")),
        remedies=("robust-trees or monotone-trees: redan harden --against evasion", *told.remedies),
    )


def _notes(table: _Table, found: Nearest, where: Setting) -> tuple[str, ...]:
    n = len(table.data)
    sure = percent(float((found.lower > where.eps * (1 + 1e-6)).mean()))
    notes = [
        f"For {sure} no misclassified row exists within that distance, by proof; {percent(float(found.exact.mean()))} "
        f"of the rows are solved exactly"
    ]
    lost = n - int(table.ground.space.possible.sum())
    if lost:
        notes.append(f"{lost} of {n} rows break the constraints as they are and could not be attacked")
    return tuple(notes)


def _bounded(found: Nearest, where: Setting, table: _Table) -> tuple[Quantity, ...]:
    """Certified accuracy, exactly solved rows, and the median of the lower bounds."""
    partial = bool(found.reason)
    sure = found.lower > where.eps * (1 + 1e-6)
    rows = [
        rate("certified_accuracy", sure, better="higher", partial=partial),
        rate("solved_exactly", found.exact, better="neither", partial=partial),
        exact("rows_not_attacked", int((~table.ground.space.possible).sum()), len(table.data)),
    ]
    lower = sorted(float(value) for value in found.lower[found.upper > 0])
    if lower:
        low, high = median_interval(lower)
        middle = lower[len(lower) // 2]
        rows.append(
            Quantity(
                name="median_certified_distance",
                value=middle,
                unit=where.norm,
                n=len(lower),
                low=max(low, 0.0),
                high=high,
                better="higher",
                partial=partial,
            )
        )
    return tuple(rows)
