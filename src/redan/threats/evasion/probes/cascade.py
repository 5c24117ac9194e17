"""The evasion cascade: the verdict of an ensemble of strong white-box attacks at a fraction of its cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

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
class CascadeParams(WhiteBoxParams):
    """Parameters of the cascade.

    Attributes:
        norm: norm of the perturbation; l0 counts values that change.
        eps: radius on the inputs' own scale, under l0 a number of values; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        plan: how much to spend: quick, standard or deep.
        batch_size: most inputs in one call of the model; changes no result.
    """

    plan: Literal["quick", "standard", "deep"] = "standard"


@probe(
    Spec(
        id="RDN-EVA-001",
        name="cascade",
        threat="evasion",
        title="Robust accuracy under a cascade of white-box attacks",
        source="Croce & Hein 2020 (APGD, AutoAttack); Pintor et al. 2021 (FMN); Madry et al. 2018, eq. 2.1",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:2003.01690", "arxiv:2102.12827"),
    )
)
class Cascade:
    """Measures which inputs withstand every attack of a cascade within a distance ε.

    What it measures:
        Robust accuracy: the share of all inputs (a misclassified clean input counts as fallen) for which no attack
        found a point inside the ball and the box that the model misclassifies. Also the accuracy-against-ε curve from
        the smallest distances met, and which stage made each input fall.

    Why it matters:
        An attacker who knows or can copy the model finds such points; the number is what an auditor quotes.

    How:
        A few cheap steps on all inputs; targeted descents on those with a small margin; restarts on the hardest;
        and a minimum-norm attack on all, because fixed-ε and minimum-norm attacks fail on different inputs. Every
        success is verified again by a plain forward pass of the original model in its own precision.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices. Any number of classes from 2 up.

    Units:
        Distances on the inputs' own scale; under L0 the number of values that change. Accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. The value is an upper bound of the true robust accuracy: an
        attack that fails proves nothing.

    Cost:
        About 50 gradient and 10 forward samples an input with the standard plan; counted in the report.

    Sources:
        Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
        attacks", algorithm 1 and section 4; Pintor et al. 2021, "Fast minimum-norm adversarial attacks through
        adaptive norm constraints", algorithm 1.

    Limits:
        A model that masks its gradients can look robust here; RDN-EVA-045 (gradient-masking), which runs beside this
        probe, says whether it does and attacks it with repaired gradients.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CascadeParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: CascadeParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack every test input and yield one finding."""
        from redan.kernels.attacks.plans import plan_for

        plan = plan_for(params.plan, params.norm)
        yield attack(self.spec, subject, inputs, params, plan=plan, budget=budget, seed=seed, observe=observe)
