"""Gradient masking: whether the robust accuracy that usual attacks report can be trusted, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.evasion.trust import Differentiable


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingParams(core_params.Params):
    """Parameters of the masking suite.

    Attributes:
        norm: norm of the perturbation.
        eps: radius on the inputs' own scale; the usual one for the norm when absent.
        rows: most inputs that are looked at.
        batch_size: most inputs in one call of the model; changes no result.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    rows: int = 64
    batch_size: int = 500


@probe(
    Spec(
        id="RDN-EVA-045",
        name="gradient-masking",
        threat="evasion",
        title="Whether a robust accuracy can be trusted",
        source="Athalye et al. 2018, section 3.1; Carlini et al. 2019, section 5; Pintor et al. 2022, section 3",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "atlas:AML.T0015", "owasp:ML01", "arxiv:1802.00420", "arxiv:1902.06705"),
    )
)
class GradientMasking:
    """Measures whether a model hides its weakness from attacks instead of withstanding them.

    What it measures:
        Up to nineteen checks, each with its value and threshold, and three accuracies within the distance ε: without
        attack, under the usual attack (40 steps of Auto-PGD on the cross-entropy), and under attacks that repair what
        masks the gradient. One verdict: trustworthy, masked, or could not decide.

    Why it matters:
        A model that rounds its inputs, scales its logits or adds noise looks robust to the usual attacks and is not.
        Whoever relies on that number is not protected: an attacker adapts.

    How:
        Zero, vanishing, exploding and wrong gradients; rounding; saturated losses; random answers; probabilities
        given as logits; answers of NaN; optimisation inside the model; then contests in which the better informed
        attack must win: gradients against noise and against Square, more steps, larger radii, an unbounded attack.
        Repairs: margins instead of cross-entropy, scores before the softmax, straight-through estimates of steps,
        expectation over random draws, gradients by differences, and a long black-box search. Success is always what
        the model itself answers; a random model errs where most of 21 answers are wrong.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices.

    Units:
        Distances on the inputs' own scale, Linf or L2; accuracies and most checks as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. Contests count inputs, so a share below 2 of n never flags.

    Cost:
        About 500 gradients and 400 forwards an input where the model is robust, less where it falls at once.

    Sources:
        Athalye, Carlini & Wagner 2018, "Obfuscated gradients give a false sense of security", sections 3.1 and 4;
        Carlini et al. 2019, "On evaluating adversarial robustness", section 5; Tramèr et al. 2020, "On adaptive attacks
        to adversarial example defenses"; Pintor et al. 2022, "Indicators of attack failure", section 3.

    Limits:
        Trustworthy means that no check found anything, not that nothing is hidden. A repaired accuracy that stays high
        may be real: rounding to few levels does stop changes smaller than half a level. Operations inside TorchScript
        are repaired only where they are steps.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = MaskingParams

    def run(
        self,
        subject: Differentiable,
        inputs: Inputs,
        params: MaskingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Examine some test inputs and yield one finding."""
        from redan.threats.evasion.setting import setting, told
        from redan.threats.evasion.trust import trust
        from redan.threats.evasion.trust_finding import finding

        data = inputs.role("test")
        where = setting(subject, data, params.norm, params.eps)
        observe.started(self.spec.name, min(len(data), params.rows))
        found = trust(
            subject,
            data,
            where,
            rows=params.rows,
            batch_size=params.batch_size,
            budget=budget,
            seed=seed,
            rule=self.spec.id,
            observe=observe,
        )
        observe.finished(self.spec.name, found.verdict)
        yield finding(self.spec, subject.ref.name, told(params, where), found, where)
