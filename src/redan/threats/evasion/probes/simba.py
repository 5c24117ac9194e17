"""SimBA: an attacker who sees scores and tries one direction after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.kernels.attacks.simba import SimbaSettings, simba
from redan.threats.evasion.blackbox import BlackBoxParams
from redan.threats.evasion.scoring import by_scores

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.evasion.blackbox import Scoring

EFFORT = {"quick": (200, 30), "standard": (1000, 100), "deep": (5000, 200)}
"""Plan → (queries an input, most inputs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimbaParams(BlackBoxParams):
    """Parameters of SimBA.

    Attributes:
        basis: directions that are tried: single coordinates, or cosines with the low frequencies first.
    """

    basis: Literal["pixels", "cosines"] = "cosines"


@probe(
    Spec(
        id="RDN-EVA-021",
        name="simba",
        threat="evasion",
        title="Robust accuracy against one direction after another, judged by scores",
        source="Guo et al. 2019, ICML, algorithm 1 and section 3.2",
        needs=("labels", "scores"),
        data=("test",),
        cost="minutes",
        references=("atlas:AML.T0043.001", "atlas:AML.T0015", "owasp:ML01", "arxiv:1905.07121"),
        default=False,
    )
)
class Simba:
    """Measures how many inputs fall to steps along an orthonormal basis, kept where the score falls.

    What it measures:
        Robust accuracy within ε with scores as the only answer, by the simplest search there is.

    Why it matters:
        Its perturbations are few waves or few pixels, unlike those of other attacks: where it finds what Square
        misses, neither number is the model's robustness. It asks in an order that query detectors know.

    How:
        A step along a pixel or a cosine of low frequency is kept where it shrinks the true class's lead; where it does
        not, the step back is tried. All inputs advance together, in orders of their own.

    Shapes:
        x: (n, …) numbers; tables without stated bounds are scaled by each column's range. y: (n,) class indices.

    Units:
        Distances on the inputs' own scale, or as a share of each column's range for tables without bounds.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs; the value is an upper bound of the true robust accuracy.

    Cost:
        At most 1000 queries an input with the standard plan, fewer where it falls; at most 100 inputs are attacked.

    Sources:
        Guo, Gardner, You, Wilson & Weinberger 2019, "Simple black-box adversarial attacks", ICML, algorithm 1.

    Limits:
        Runs only when named: score-search holds it. Under L2 it gets farther than Square on networks in a few hundred
        queries; under Linf, and in thousands, it does not.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SimbaParams

    def run(
        self, subject: Scoring, inputs: Inputs, params: SimbaParams, *, budget: Budget, seed: int, observe: Observer
    ) -> Iterator[Finding]:
        """Attack the first test inputs and yield one finding."""
        queries, most = EFFORT[params.plan]
        settings = SimbaSettings(queries=queries, basis=params.basis, shorten=True)
        yield by_scores(
            self.spec,
            simba,
            settings,
            subject,
            inputs,
            params,
            most=most,
            budget=budget,
            seed=seed,
            observe=observe,
        )
