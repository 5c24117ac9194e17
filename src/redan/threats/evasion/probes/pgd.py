"""Projected gradient descent, under its paper's name."""

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
class PgdParams(WhiteBoxParams):
    """Parameters of projected gradient descent.

    Attributes:
        norm: norm of the perturbation; l0 counts values that change.
        eps: radius on the inputs' own scale, under l0 a number of values; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        batch_size: most inputs in one call of the model; changes no result.
        steps: gradients an input and restart.
        restarts: random starts.
        step: length of a step over ε; 2.5 over the number of steps when absent.
    """

    steps: int = 40
    restarts: int = 1
    step: float | None = None


@probe(
    Spec(
        id="RDN-EVA-005",
        name="pgd",
        threat="evasion",
        title="Robust accuracy under projected gradient descent alone",
        source="Madry et al. 2018, ICLR, section 2.1",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:1706.06083"),
        default=False,
    )
)
class Pgd:
    """Measures which inputs withstand projected gradient descent with a fixed step.

    What it measures:
        Robust accuracy under the attack that most publications and most training recipes use.

    Why it matters:
        Published figures name it; the cascade's verdict is at least as low in practice.

    How:
        From a random point of the ball, steps of one length that lower the cross-entropy of the true class fastest
        under the norm, each followed by the nearest point of ball and box. No momentum.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices. Any number of classes from 2 up.

    Units:
        Distances on the inputs' own scale; under L0 the number of values that change. Accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. The value is an upper bound of the true robust accuracy.

    Cost:
        At most `steps` gradients an input and restart; fallen inputs cost nothing more.

    Sources:
        Madry et al. 2018, "Towards deep learning models resistant to adversarial attacks", section 2.1.

    Limits:
        A scaled cross-entropy or a flat loss defeats it; quote the cascade. The paper measures Linf and L2.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = PgdParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: PgdParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack every test input and yield one finding."""
        from redan.kernels.attacks.plans import pgd

        plan = pgd(at_least_one("steps", params.steps), at_least_one("restarts", params.restarts), params.step)
        yield attack(self.spec, subject, inputs, params, plan=plan, budget=budget, seed=seed, observe=observe)
