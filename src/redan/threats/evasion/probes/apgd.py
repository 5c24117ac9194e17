"""Auto-PGD alone, under its paper's name, for comparison with published figures."""

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
class ApgdParams(WhiteBoxParams):
    """Parameters of Auto-PGD.

    Attributes:
        norm: norm of the perturbation; l0 counts values that change.
        eps: radius on the inputs' own scale, under l0 a number of values; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        member: objective: cross-entropy, difference of logits ratio, or the latter towards nine targets.
        batch_size: most inputs in one call of the model; changes no result.
    """

    member: Literal["apgd-ce", "apgd-dlr", "apgd-t"] = "apgd-ce"


@probe(
    Spec(
        id="RDN-EVA-002",
        name="apgd",
        threat="evasion",
        title="Robust accuracy under Auto-PGD alone",
        source="Croce & Hein 2020, ICML, algorithm 1, sections 3.2 and 4",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:2003.01690"),
        default=False,
    )
)
class Apgd:
    """Measures which inputs withstand 100 steps of Auto-PGD within a distance ε.

    What it measures:
        Robust accuracy under one member of the reference ensemble, as its paper sets it.

    Why it matters:
        Published figures name this attack; the cascade's verdict is at least as low in practice and cheaper.

    How:
        Projected gradient descent with momentum from a random start, which halves its step and goes back to its best
        point when progress stalls. With too few classes for an objective the margin takes its place, and the finding
        says so.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices.

    Units:
        Distances on the inputs' own scale; under L0 the number of values that change. Accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. The value is an upper bound of the true robust accuracy.

    Cost:
        At most 100 gradients an input, nine times that for the targeted member.

    Sources:
        Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
        attacks", algorithm 1.

    Limits:
        One attack alone overestimates robustness; quote the cascade.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ApgdParams

    def run(
        self, subject: WhiteBox, inputs: Inputs, params: ApgdParams, *, budget: Budget, seed: int, observe: Observer
    ) -> Iterator[Finding]:
        """Attack every test input and yield one finding."""
        from redan.kernels.attacks.plans import member

        plan = member(params.member)
        yield attack(self.spec, subject, inputs, params, plan=plan, budget=budget, seed=seed, observe=observe)
