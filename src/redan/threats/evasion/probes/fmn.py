"""The fast minimum-norm attack, under its paper's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.threats.evasion.whitebox import WhiteBoxParams, at_least_one, attack

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.evasion.whitebox import WhiteBox


@dataclass(frozen=True, slots=True, kw_only=True)
class FmnParams(WhiteBoxParams):
    """Parameters of the fast minimum-norm attack.

    Attributes:
        norm: norm of the perturbation; l0 counts values that change.
        eps: radius on the inputs' own scale, under l0 a number of values; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        batch_size: most inputs in one call of the model; changes no result.
        steps: gradients an input.
    """

    steps: int = 100


@probe(
    Spec(
        id="RDN-EVA-006",
        name="fmn",
        threat="evasion",
        title="Smallest distance at which the fast minimum-norm attack succeeds",
        source="Pintor et al. 2021, NeurIPS, algorithm 1",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:2102.12827"),
        default=False,
    )
)
class Fmn:
    """Measures how near to each input the fast minimum-norm attack finds a point that the model errs on.

    What it measures:
        The median smallest distance, accuracy against every ε, and robust accuracy within ε.

    Why it matters:
        One run answers for every radius, and it fails on other inputs than attacks within a radius do.

    How:
        Steps along the normalised gradient of the margin; the radius that points are held in shrinks after a success
        and grows after a failure, by less and less. Last, bisection towards the input.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices. Any number of classes from 2 up.

    Units:
        Distances on the inputs' own scale; under L0 the number of values that change. Accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. The value is an upper bound of the true robust accuracy.

    Cost:
        `steps` gradients and about 10 forward samples an input.

    Sources:
        Pintor et al. 2021, "Fast minimum-norm adversarial attacks through adaptive norm constraints", algorithm 1.

    Limits:
        The scale of the steps is taken from ε, so give one of the right order. An upper bound of the distance.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = FmnParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: FmnParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack every test input and yield one finding."""
        from redan.kernels.attacks.plans import minimum_norm

        plan = minimum_norm("fmn", at_least_one("steps", params.steps))
        yield attack(self.spec, subject, inputs, params, plan=plan, budget=budget, seed=seed, observe=observe)
