"""The strongest search by scores for the budget: an attacker who sees how sure the model is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.kernels.attacks.score_search import ScoreSearchSettings, score_search
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
class ScoreSearchParams(BlackBoxParams):
    """Parameters of the search by scores."""


@probe(
    Spec(
        id="RDN-EVA-023",
        name="score-search",
        threat="evasion",
        title="Robust accuracy against an attacker who sees scores",
        source="Andriushchenko et al. 2020, ECCV, algorithms 1 to 3; Guo et al. 2019, ICML, algorithm 1",
        needs=("labels", "scores"),
        data=("test",),
        cost="minutes",
        references=(
            "atlas:AML.T0043.001",
            "atlas:AML.T0015",
            "owasp:ML01",
            "arxiv:1912.00049",
            "arxiv:1905.07121",
        ),
        unless="RDN-EVA-001 RDN-EVA-030",
    )
)
class ScoreSearch:
    """Measures how many inputs fall to a search that asks for scores.

    What it measures:
        Robust accuracy within ε, and the distance to the wrong answer found, with scores as the only answer.

    Why it matters:
        An endpoint that tells how sure it is tells an attacker at every query whether the last change helped.

    How:
        Under Linf the Square attack: a square of an image, or a run of columns of a table, is set to the edge of the
        ball and stays where the true class's lead over the others shrinks. Under L2 steps along single columns, or
        along cosines of an image, spend the first half of the queries (SimBA), and Square goes on from there. All
        inputs advance together, one call a query. What falls is then brought back towards its input as far as the
        model still errs.

    Shapes:
        x: (n, …) numbers; tables without stated bounds are scaled by each column's range. y: (n,) class indices.

    Units:
        Distances on the inputs' own scale, or as a share of each column's range for tables without bounds.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs; the value is an upper bound of the true robust accuracy.

    Cost:
        At most 1000 queries an input with the standard plan, fewer where it falls; at most 100 inputs are attacked.

    Sources:
        Andriushchenko, Croce, Flammarion & Hein 2020, "Square Attack"; Guo, Gardner, You, Wilson & Weinberger 2019,
        "Simple black-box adversarial attacks".

    Limits:
        Weaker than attacks with gradients. Distances are those of the points it found, not the smallest there are.
        Whole numbers, categories and fixed columns of a table are respected where [constraints] declares them.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ScoreSearchParams

    def run(
        self,
        subject: Scoring,
        inputs: Inputs,
        params: ScoreSearchParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack the first test inputs and yield one finding."""
        queries, most = EFFORT[params.plan]
        settings = ScoreSearchSettings(queries=queries, shorten=True)
        yield by_scores(
            self.spec,
            score_search,
            settings,
            subject,
            inputs,
            params,
            most=most,
            budget=budget,
            seed=seed,
            observe=observe,
        )
