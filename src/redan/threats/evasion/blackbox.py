"""What attacks without gradients share: the scale they walk on, the rows they may ask, and the finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from redan.core import params as core_params
from redan.core.errors import Contained
from redan.core.finding import Finding, Quantity
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.reach import Anywhere
from redan.kernels.constraints.resolving import of_table
from redan.kernels.constraints.walking import Feasible
from redan.kernels.statistics import median_interval
from redan.threats.evasion.measured import Attacked, Setting, exact, finding
from redan.threats.evasion.scaling import Scaling, scaling
from redan.threats.evasion.setting import DEFAULT_EPS, setting

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.probe import Spec
    from redan.core.subject import Labels, Scores, Subject
    from redan.kernels.attacks.ball import Norm

    class Labelled(Subject, Labels, Protocol):
        """A subject with labels."""

    class Scoring(Labelled, Scores, Protocol):
        """A subject with labels and scores."""


SMALLEST = 1e-30
"""What a probability is at least before its logarithm is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackBoxParams(core_params.Params):
    """Parameters of an attack that only asks.

    Attributes:
        norm: distance of the ball, or the one that is made small.
        eps: distance within which an input counts as fallen; on the inputs' own scale, or as a share of each column's
            range for tables without stated bounds.
        plan: how much to spend: quick, standard or deep.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """Where an attack takes place.

    Attributes:
        data: rows that are attacked, as the owner has them.
        x: the same on the attack's scale, float32.
        where: norm, radius, box and classes.
        scale: the shares of columns' ranges, None where the attack walks on the owner's scale.
        feasible: the rows that a table's rules allow; None without rules.
    """

    data: Dataset
    x: NDArray[np.float32]
    where: Setting
    scale: Scaling | None
    feasible: Feasible | None

    @property
    def ball(self) -> Ball:
        """The ball of the attack."""
        return Ball(norm=self.where.norm, eps=self.where.eps, box=self.box)

    @property
    def box(self) -> Box:
        """The box of the attack."""
        return Box(low=self.where.bounds[0], high=self.where.bounds[1])

    def asking(self, ask: Callable[[NDArray[Any]], NDArray[Any]], budget: Budget) -> Callable[[Any], NDArray[Any]]:
        """Wrap a subject's method so that it takes what the attack hands out, and charge the budget, or end it."""

        def asked(points: NDArray[Any]) -> NDArray[Any]:
            budget.charge(queries=len(points))
            # allowed rows are on the owner's scale already
            rows = points if self.feasible or self.scale is None else self.scale.outward(points)
            try:
                return ask(rows)
            except Contained as err:
                budget.end(err.message)
                raise

        return asked

    def rows(self, points: NDArray[np.float32]) -> NDArray[Any]:
        """Return the inputs that points of the search stand for, on the owner's scale."""
        if self.feasible is not None:
            return self.feasible.rows(points, np.arange(len(points)))
        return points if self.scale is None else self.scale.outward(points)

    def distances(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how far those inputs lie from the clean ones, on the attack's scale."""
        reach = self.feasible or Anywhere(self.x, self.where.norm)
        return reach.lengths(points, np.arange(len(points)))


def ground(subject: Subject, inputs: Inputs, params: BlackBoxParams, most: int, *, ball: bool) -> Ground:
    """Prepare the first test rows for an attack.

    Args:
        subject: the model.
        inputs: its data, and the rules of a table.
        params: norm and radius.
        most: most rows.
        ball: whether nothing outside the radius is to be asked.
    """
    data = first(inputs.role("test"), most)
    constraints = of_table(inputs.constraints, data)
    scale = scaling(subject, data)
    where = _where(subject, data, params.norm, params.eps, scale)
    x = scale.inward(data.x) if scale else np.asarray(data.x, np.float32)
    feasible = None
    if constraints is not None:
        low, span = (scale.low, scale.span) if scale else (0.0, 1.0)
        radius = where.eps if ball else np.inf
        feasible = Feasible(constraints, data.x, x, low=low, span=span, norm=params.norm, eps=radius)
    return Ground(data=data, x=x, where=where, scale=scale, feasible=feasible)


def _where(subject: Subject, data: Dataset, norm: Norm, eps: float | None, scale: Scaling | None) -> Setting:
    known = setting(subject, data, norm, eps)
    if scale is None:
        return known
    return replace(known, eps=DEFAULT_EPS[norm] if eps is None else eps, bounds=(0.0, 1.0))


def first(data: Dataset, most: int) -> Dataset:
    """Return the first rows of a data set."""
    return replace(data, x=data.x[:most], y=data.y[:most], indices=data.indices[:most])


def log_scores(subject: Scoring) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a subject's scores as logits or logarithms: a margin of probabilities near 0 and 1 says nothing."""

    def scores(x: NDArray[Any]) -> NDArray[Any]:
        answer = np.asarray(subject.scores(x), np.float64)
        return np.log(np.maximum(answer, SMALLEST)) if subject.score_kind == "probabilities" else answer

    return scores


def found_by(
    spec: Spec,
    subject: Labelled,
    params: BlackBoxParams,
    at: Ground,
    *,
    points: NDArray[np.float32],
    wrong: NDArray[np.bool_],
    already: NDArray[np.bool_],
    queries: int,
    reason: str | None,
) -> Finding:
    """Put a finding together.

    Args:
        spec: of the probe.
        subject: the model.
        params: of the probe.
        at: where the attack took place.
        points: (n, ...) best point of the search for each row.
        wrong: (n,) whether the model errs on what that point stands for.
        already: (n,) whether it errs on the clean row.
        queries: rows asked.
        reason: why the attack was cut short.
    """
    lengths = np.where(already, 0.0, np.where(wrong, at.distances(points), np.inf))
    fell = lengths <= at.where.eps * (1 + 1e-6)
    moved = np.where(_column(fell & ~already, points), points, at.x)
    attacked = Attacked(
        adversarial=at.rows(moved),
        success=fell,
        distance=lengths,
        stages=(("clean", int(already.sum())), (spec.name, int((fell & ~already).sum()))),
        forward=queries,
        gradient=0,
        partial=reason or "",
        notes=_notes(at),
    )
    told = replace(params, eps=at.where.eps).as_dict()
    predicted = np.asarray(at.data.y) if reason else subject.labels(attacked.adversarial)
    found = finding(spec, subject.ref.name, told, attacked, at.where, at.data, predicted)
    return replace(found, quantities=(*found.quantities, *_priced(at, attacked, already)))


def _notes(at: Ground) -> tuple[str, ...]:
    if at.feasible is None:
        return ()
    n = len(at.data)
    impossible = n - int(at.feasible.possible().sum())
    kept = "every row that was asked keeps the constraints"
    if not impossible:
        return (f"With constraints: {kept}",)
    return (f"With constraints: {kept}; {impossible} of {n} rows break them as they are and could not be attacked",)


def _priced(at: Ground, found: Attacked, already: NDArray[np.bool_]) -> tuple[Quantity, ...]:
    """Return how many rows could not be attacked, and what the changes of the others cost."""
    if at.feasible is None:
        return ()
    impossible = exact("rows_not_attacked", int((~at.feasible.possible()).sum()), len(at.data))
    costs = sorted(float(c) for c in at.feasible.cost(found.adversarial)[found.success & ~already])
    if not costs or not at.feasible.prices:
        return (impossible,)
    low, high = median_interval(costs)
    low = max(low, 0.0)  # nothing costs less
    middle = costs[len(costs) // 2]
    cost = Quantity(name="median_cost", value=middle, unit="cost", n=len(costs), low=low, high=high, better="higher")
    return impossible, cost


def _column(mask: NDArray[np.bool_], like: NDArray[np.float32]) -> NDArray[np.bool_]:
    return mask.reshape(-1, *([1] * (like.ndim - 1)))
