"""Run a plan of white-box attacks on a subject and report what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from redan.threats.evasion.measured import Attacked, finding

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding, Scalar
    from redan.core.inputs import Dataset
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.attacks.plans import Plan
    from redan.kernels.attacks.result import Evasion
    from redan.threats.evasion.measured import Setting

    class WhiteBox(Subject, Gradients, Labels):
        """A subject with gradients; one that has them has labels too."""


def measure(
    spec: Spec,
    subject: WhiteBox,
    data: Dataset,
    where: Setting,
    told: dict[str, Scalar],
    *,
    plan: Plan,
    batch_size: int,
    budget: Budget,
    seed: int,
    observe: Observer,
) -> Finding:
    """Attack every row with every round of a plan.

    Args:
        spec: the probe that asks.
        subject: the model.
        data: what is attacked.
        where: norm, radius and box.
        told: parameters as the finding shows them.
        plan: rounds of the cascade, or one member alone.
        batch_size: most rows in one call of the model.
        budget: asked between steps; charged for every row the model sees.
        seed: root seed.
        observe: told about progress.
    """
    observe.started(spec.name, len(data))
    attacked = as_arrays(_evade(spec, subject, data, where, plan, batch_size, budget, seed, observe))
    observe.finished(spec.name, f"{1 - attacked.success.mean():.1%} robust" if len(data) else "no rows")
    predicted = np.asarray(subject.labels(attacked.adversarial))
    return finding(spec, subject.ref.name, told, attacked, where, data, predicted)


def _evade(
    spec: Spec,
    subject: WhiteBox,
    data: Dataset,
    where: Setting,
    plan: Plan,
    batch_size: int,
    budget: Budget,
    seed: int,
    observe: Observer,
) -> Evasion:
    import torch

    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.cascade import evade
    from redan.kernels.draws import sample_keys

    def model(points: torch.Tensor) -> torch.Tensor:
        budget.charge(queries=len(points))
        return subject.logits(points)

    low, high = where.bounds
    return evade(
        model,
        torch.as_tensor(np.asarray(data.x, dtype=np.float32)),
        torch.as_tensor(np.asarray(data.y, dtype=np.int64)),
        ball=Ball(norm=where.norm, eps=where.eps, box=Box(low=low, high=high)),
        keys=sample_keys(seed, spec.id, data.indices),
        plan=plan,
        batch_size=batch_size,
        stop=budget.stop,
        progress=lambda stage, done, total: observe.advanced(spec.name, done, total, stage),
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
        notes=found.notes,
        torch=True,
    )
