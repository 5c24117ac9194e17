"""The attack of Carlini and Wagner, under its paper's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

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
class CarliniWagnerParams(WhiteBoxParams):
    """Parameters of the attack of Carlini and Wagner.

    Attributes:
        norm: l2.
        eps: radius on the inputs' own scale; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        batch_size: most inputs in one call of the model; changes no result.
        steps: gradients an input, over all weights tried.
    """

    norm: Literal["l2"] = "l2"
    steps: int = 600


@probe(
    Spec(
        id="RDN-EVA-008",
        name="cw",
        threat="evasion",
        title="Smallest L2 distance at which the attack of Carlini and Wagner succeeds",
        source="Carlini & Wagner 2017, IEEE S&P, sections V and VI.A",
        needs=("gradients",),
        data=("test",),
        cost="minutes",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:1608.04644"),
        default=False,
    )
)
class CarliniWagner:
    """Measures how near, in L2, the attack of Carlini and Wagner finds a point that the model errs on.

    What it measures:
        The median smallest L2 distance, accuracy against every ε, and robust accuracy within ε.

    Why it matters:
        It broke defensive distillation, and publications still quote it.

    How:
        Adam makes squared distance plus a weighted margin small, in a variable that cannot leave the box; the weight is
        searched for each input. Last, one shortest crossing of the boundary and bisection.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices. Any number of classes from 2 up.

    Units:
        L2 distances on the inputs' own scale; accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. The value is an upper bound of the true robust accuracy.

    Cost:
        `steps` gradients an input; nothing is saved when an input falls early.

    Sources:
        Carlini & Wagner 2017, "Towards evaluating the robustness of neural networks", sections V.A, V.B and VI.A.

    Limits:
        FMN finds points as near at a sixth of the gradients. L2 alone; the paper's Linf and L0 forms are not offered.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CarliniWagnerParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: CarliniWagnerParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack every test input and yield one finding."""
        from redan.kernels.attacks.plans import minimum_norm

        plan = minimum_norm("cw", at_least_one("steps", params.steps))
        yield attack(self.spec, subject, inputs, params, plan=plan, budget=budget, seed=seed, observe=observe)
