"""HopSkipJump: an attacker who sees only labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.kernels.attacks.hopskipjump import HopSkipJumpSettings, hopskipjump
from redan.kernels.draws import sample_keys
from redan.threats.evasion.blackbox import BlackBoxParams, found_by, ground

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.evasion.blackbox import Labelled

EFFORT = {"quick": (5, 30), "standard": (10, 100), "deep": (30, 200)}
"""Plan → (iterations, most inputs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopSkipJumpParams(BlackBoxParams):
    """Parameters of HopSkipJump."""


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
        unless="RDN-EVA-023",
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
        Weaker than attacks with gradients. Whole numbers, categories and fixed columns of a table are respected where
        [constraints] declares them, and moved as if continuous elsewhere.
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
        at = ground(subject, inputs, params, most, ball=False)
        observe.started("hopskipjump", iterations)
        found = hopskipjump(
            at.asking(subject.labels, budget),
            at.x,
            np.asarray(at.data.y),
            norm=params.norm,
            box=at.box,
            keys=sample_keys(seed, self.spec.id, at.data.indices),
            settings=HopSkipJumpSettings(iterations=iterations),
            max_queries=budget.left_queries(),
            rest_within=at.where.eps / 2,
            reach=at.feasible,
            stop=budget.stop,
            progress=observe.advanced,
        )
        told = found_by(
            self.spec,
            subject,
            params,
            at,
            points=found.adversarial,
            wrong=np.isfinite(found.distance),
            already=found.distance == 0,
            queries=found.queries,
            reason=found.reason,
        )
        observe.finished("hopskipjump", f"{told.title}, {found.queries} queries in {found.calls} calls")
        yield told
