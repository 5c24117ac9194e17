"""The evasion cascade: the verdict of an ensemble of strong white-box attacks at a fraction of its cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.probe import Spec
from redan.threats.evasion.measured import Attacked, finding
from redan.threats.evasion.setting import setting

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.attacks.result import Evasion
    from redan.threats.evasion.measured import Setting

    class WhiteBox(Subject, Gradients, Labels):
        """A subject with gradients; one that has them has labels too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeParams(core_params.Params):
    """Parameters of the cascade.

    Attributes:
        norm: norm of the perturbation.
        eps: radius on the inputs' own scale; the usual one for the norm when absent.
        plan: how much to spend: quick, standard or deep.
        batch_size: most inputs in one call of the model; changes no result.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    plan: Literal["quick", "standard", "deep"] = "standard"
    batch_size: int = 500


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
        Distances on the inputs' own scale, Linf or L2; accuracies as fractions of n.

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
        A model that masks its gradients can look robust here; the report does not yet say whether it does.
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
        data = inputs.role("test")
        where = setting(subject, data, params.norm, params.eps)
        observe.started("cascade", len(data))
        found = _evade(subject, data, where, params, budget, seed, observe, self.spec.id)
        attacked = as_arrays(found)
        observe.finished("cascade", f"{1 - attacked.success.mean():.1%} robust")
        # batch_size changes no result, so it must not change the fingerprint either
        told = {k: v for k, v in replace(params, eps=where.eps).as_dict().items() if k != "batch_size"}
        predicted = np.asarray(subject.labels(attacked.adversarial))
        yield finding(self.spec, subject.ref.name, told, attacked, where, data, predicted)


def _evade(
    subject: WhiteBox,
    data: Dataset,
    where: Setting,
    params: CascadeParams,
    budget: Budget,
    seed: int,
    observe: Observer,
    probe_id: str,
) -> Evasion:
    import torch

    from redan.kernels.attacks.cascade import evade
    from redan.kernels.attacks.plans import plan_for
    from redan.kernels.attacks.projection import Ball, Box
    from redan.kernels.draws import sample_keys

    low, high = where.bounds
    x = torch.as_tensor(np.asarray(data.x, dtype=np.float32))

    def model(points: torch.Tensor) -> torch.Tensor:
        budget.charge(queries=len(points))
        return subject.logits(points)

    return evade(
        model,
        x,
        torch.as_tensor(np.asarray(data.y, dtype=np.int64)),
        ball=Ball(norm=params.norm, eps=where.eps, box=Box(low=low, high=high)),
        keys=sample_keys(seed, probe_id, data.indices),
        plan=plan_for(params.plan, params.norm),
        batch_size=params.batch_size,
        stop=budget.stop,
        progress=lambda stage, done, total: observe.advanced("cascade", done, total, stage),
    )


def as_arrays(found: Evasion) -> Attacked:
    """Turn the kernel's tensors into arrays."""
    return Attacked(
        adversarial=found.adversarial.numpy(),
        success=found.success.numpy(),
        distance=found.distance.numpy(),
        stages=found.waterfall(),
        forward=found.counts.forward,
        gradient=found.counts.gradient,
        partial=found.reason or "",
        torch=True,
    )
