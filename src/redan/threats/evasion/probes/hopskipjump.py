"""HopSkipJump: an attacker who sees only labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.kernels.attacks.ball import Box
from redan.kernels.attacks.hopskipjump import HopSkipJumpSettings, hopskipjump
from redan.kernels.draws import sample_keys
from redan.threats.evasion.measured import Attacked, Setting, finding
from redan.threats.evasion.scaling import scaling
from redan.threats.evasion.setting import DEFAULT_EPS, setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.threats.evasion.scaling import Scaling

    class Labelled(Subject, Labels):
        """A subject with labels."""


EFFORT = {"quick": (5, 30), "standard": (10, 100), "deep": (30, 200)}
"""Plan → (iterations, most inputs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopSkipJumpParams(core_params.Params):
    """Parameters of HopSkipJump.

    Attributes:
        norm: distance that is made small.
        eps: distance within which an input counts as fallen; on the inputs' own scale, or as a share of each column's
            range for tables without stated bounds.
        plan: how much to spend: quick, standard or deep.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    plan: Literal["quick", "standard", "deep"] = "standard"


@probe(
    Spec(
        id="RDN-EVA-003",
        name="hopskipjump",
        threat="evasion",
        title="Robust accuracy against an attacker who sees only labels",
        source="Chen, Jordan & Wainwright 2020, IEEE S&P, algorithm 2 and equation 16",
        needs=("labels",),
        data=("test",),
        cost="minutes",
        references=("atlas:AML.T0043.001", "atlas:AML.T0015", "owasp:ML01", "arxiv:1904.02144"),
        unless="RDN-EVA-001",
    )
)
class HopSkipJump:
    """Measures how near to each input a decision-based attack finds another label.

    What it measures:
        Robust accuracy within ε and the distance to the nearest wrong label met, with labels as the only answer.

    Why it matters:
        Everybody who can ask the model can run it: no weights, no scores, no gradients.

    How:
        From a point of another class a search along the line to the input finds the boundary; random probes around it
        estimate the boundary's normal; steps along it shorten the distance. All inputs advance together, so that a
        remote endpoint sees few large calls.

    Shapes:
        x: (n, …) numbers; tables without stated bounds are scaled by each column's range. y: (n,) class indices.

    Units:
        Distances on the inputs' own scale, or as a share of each column's range for tables without bounds.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs; the value is an upper bound of the true robust accuracy.

    Cost:
        About 2000 queries an input with the standard plan, counted in the report; at most 100 inputs are attacked.

    Sources:
        Chen, Jordan & Wainwright 2020, "HopSkipJumpAttack: a query-efficient decision-based attack", algorithm 2.

    Limits:
        Weaker than attacks with gradients. Integer, categorical and one-hot columns are moved as if continuous.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = HopSkipJumpParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: HopSkipJumpParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack the first test inputs and yield one finding."""
        iterations, most = EFFORT[params.plan]
        data = first(inputs.role("test"), most)
        scale = scaling(subject, data)
        where = _setting(subject, data, params, scale)
        x = scale.inward(data.x) if scale else np.asarray(data.x, np.float32)
        observe.started("hopskipjump", iterations)

        def predict(points: NDArray[np.float32]) -> NDArray[np.integer]:
            budget.charge(queries=len(points))
            return subject.labels(scale.outward(points) if scale else points)

        found = hopskipjump(
            predict,
            x,
            np.asarray(data.y),
            norm=params.norm,
            box=Box(low=where.bounds[0], high=where.bounds[1]),
            keys=sample_keys(seed, self.spec.id, data.indices),
            settings=HopSkipJumpSettings(iterations=iterations),
            max_queries=budget.left_queries(),
            rest_within=where.eps / 2,
            stop=budget.stop,
            progress=observe.advanced,
        )
        fell = found.distance <= where.eps
        wrong = found.distance == 0
        moved = np.where(_column(fell, found.adversarial), found.adversarial, x)
        attacked = Attacked(
            adversarial=scale.outward(moved) if scale else moved,
            success=fell,
            distance=found.distance,
            stages=(("clean", int(wrong.sum())), ("hopskipjump", int((fell & ~wrong).sum()))),
            forward=found.queries,
            gradient=0,
            partial=found.reason or "",
        )
        observe.finished("hopskipjump", f"{1 - fell.mean():.1%} robust, {found.queries} queries in {found.calls} calls")
        told = replace(params, eps=where.eps).as_dict()
        predicted = np.asarray(data.y) if found.reason else subject.labels(attacked.adversarial)
        yield finding(self.spec, subject.ref.name, told, attacked, where, data, predicted)


def _setting(subject: Subject, data: Dataset, params: HopSkipJumpParams, scale: Scaling | None) -> Setting:
    if scale is None:
        return setting(subject, data, params.norm, params.eps)
    eps = DEFAULT_EPS[params.norm] if params.eps is None else params.eps
    return Setting(norm=params.norm, eps=eps, bounds=(0.0, 1.0), classes=subject.classes or data.classes)


def first(data: Dataset, most: int) -> Dataset:
    """Return the first rows of a data set."""
    return replace(data, x=data.x[:most], y=data.y[:most], indices=data.indices[:most])


def _column(mask: NDArray[np.bool_], like: NDArray[np.float32]) -> NDArray[np.bool_]:
    return mask.reshape(-1, *([1] * (like.ndim - 1)))
