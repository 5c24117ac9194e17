"""DeepFool, under its paper's name."""

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
class DeepFoolParams(WhiteBoxParams):
    """Parameters of DeepFool.

    Attributes:
        norm: norm of the perturbation.
        eps: radius on the inputs' own scale; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        batch_size: most inputs in one call of the model; changes no result.
        steps: linearisations an input, at most.
    """

    norm: Literal["linf", "l2", "l1"] = "l2"
    steps: int = 50


@probe(
    Spec(
        id="RDN-EVA-007",
        name="deepfool",
        threat="evasion",
        title="Smallest distance at which DeepFool succeeds",
        source="Moosavi-Dezfooli, Fawzi & Frossard 2016, CVPR, algorithm 2",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:1511.04599"),
        default=False,
    )
)
class DeepFool:
    """Measures how near to each input DeepFool finds a point that the model errs on.

    What it measures:
        The median smallest distance, accuracy against every ε, and robust accuracy within ε.

    Why it matters:
        A quick first look at the distance to the boundary that many publications quote.

    How:
        The model is linearised, the nearest of nine boundaries is crossed by the shortest way inside the box, and so on
        until the model errs; then the point moves along the boundary towards its shortest crossing, linearised anew six
        times, and back towards the input by bisection.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices. Any number of classes from 2 up.

    Units:
        Distances on the inputs' own scale, L2 unless another norm is asked for; accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. The value is an upper bound of the true robust accuracy.

    Cost:
        Nine gradients a linearisation (one towards a target), most often two to five of them.

    Sources:
        Moosavi-Dezfooli, Fawzi & Frossard 2016, "DeepFool: a simple and accurate method to fool deep neural
        networks", algorithm 2 and section 3.3 for other norms.

    Limits:
        Greedy: on adversarially trained models its distances are above those of FMN; quote the smaller. Some inputs
        are never reached when every nearby boundary leaves the box.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DeepFoolParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: DeepFoolParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack every test input and yield one finding."""
        from redan.kernels.attacks.plans import minimum_norm

        plan = minimum_norm("deepfool", at_least_one("steps", params.steps))
        yield attack(self.spec, subject, inputs, params, plan=plan, budget=budget, seed=seed, observe=observe)
