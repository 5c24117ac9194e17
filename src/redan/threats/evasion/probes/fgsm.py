"""The fast gradient sign method: one step, under its paper's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.threats.evasion.whitebox import WhiteBoxParams, attack

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.evasion.whitebox import WhiteBox


@dataclass(frozen=True, slots=True, kw_only=True)
class FgsmParams(WhiteBoxParams):
    """Parameters of the fast gradient sign method.

    Attributes:
        norm: norm of the perturbation; l0 counts values that change.
        eps: radius on the inputs' own scale, under l0 a number of values; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        batch_size: most inputs in one call of the model; changes no result.
    """


@probe(
    Spec(
        id="RDN-EVA-004",
        name="fgsm",
        threat="evasion",
        title="Robust accuracy under one step along the gradient",
        source="Goodfellow, Shlens & Szegedy 2015, ICLR, section 4",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:1412.6572"),
        default=False,
    )
)
class Fgsm:
    """Measures which inputs withstand one full step against the gradient of the loss.

    What it measures:
        Robust accuracy under the cheapest attack there is.

    Why it matters:
        A model that one step breaks is not robust at all; and a model that withstands one step but not the cascade was
        often trained against one step.

    How:
        One step of length ε that lowers the cross-entropy of the true class fastest: the sign of the gradient under
        Linf, the normalised gradient under L2, the largest values under L1 and L0; then back into the box.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices. Any number of classes from 2 up.

    Units:
        Distances on the inputs' own scale; under L0 the number of values that change. Accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. The value is an upper bound of the true robust accuracy.

    Cost:
        One gradient and two forward samples an input.

    Sources:
        Goodfellow, Shlens & Szegedy 2015, "Explaining and harnessing adversarial examples", section 4.

    Limits:
        Very weak; a figure to compare with publications, not a verdict. The paper defines Linf alone.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = FgsmParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: FgsmParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack every test input and yield one finding."""
        from redan.kernels.attacks.plans import fgsm

        plan = fgsm()
        yield attack(self.spec, subject, inputs, params, plan=plan, budget=budget, seed=seed, observe=observe)
