"""NES: an attacker who sees scores and estimates gradients from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.kernels.attacks.nes import NesSettings, nes
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
class NesParams(BlackBoxParams):
    """Parameters of NES."""


@probe(
    Spec(
        id="RDN-EVA-022",
        name="nes",
        threat="evasion",
        title="Robust accuracy against gradients estimated from scores",
        source="Ilyas et al. 2018, ICML, sections 3.1 and 3.2",
        needs=("labels", "scores"),
        data=("test",),
        cost="minutes",
        references=("atlas:AML.T0043.001", "atlas:AML.T0015", "owasp:ML01", "arxiv:1804.08598"),
        default=False,
    )
)
class Nes:
    """Measures how many inputs fall to gradient steps whose gradients are estimated from scores.

    What it measures:
        Robust accuracy within ε with scores as the only answer, by descent along estimated slopes.

    Why it matters:
        It needs few round trips: one call asks for a whole estimate. Where it beats an attack with true gradients, the
        model hides its gradients.

    How:
        The margin at pairs of random points on both sides of the current one gives a slope; a step against it, with
        momentum, stays in the ball; a step that does not help is halved. All inputs share each call.

    Shapes:
        x: (n, …) numbers; tables without stated bounds are scaled by each column's range. y: (n,) class indices.

    Units:
        Distances on the inputs' own scale, or as a share of each column's range for tables without bounds.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs; the value is an upper bound of the true robust accuracy.

    Cost:
        At most 1000 queries an input with the standard plan, in about 40 calls; at most 100 inputs are attacked.

    Sources:
        Ilyas, Engstrom, Athalye & Lin 2018, "Black-box adversarial attacks with limited queries and information",
        ICML, sections 3.1 and 3.2.

    Limits:
        Runs only when named. Says nothing about trees: their scores are flat around an input, so every slope is zero.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = NesParams

    def run(
        self, subject: Scoring, inputs: Inputs, params: NesParams, *, budget: Budget, seed: int, observe: Observer
    ) -> Iterator[Finding]:
        """Attack the first test inputs and yield one finding."""
        queries, most = EFFORT[params.plan]
        settings = NesSettings(queries=queries, shorten=True)
        yield by_scores(
            self.spec,
            nes,
            settings,
            subject,
            inputs,
            params,
            most=most,
            budget=budget,
            seed=seed,
            observe=observe,
        )
