"""Run a plan of white-box attacks on a subject and report what it found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.errors import UsageError
from redan.threats.evasion.measured import Attacked, finding
from redan.threats.evasion.setting import setting, told
from redan.threats.evasion.targets import UNTARGETED, aim

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Finding, Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.attacks.plans import Plan
    from redan.kernels.attacks.result import Evasion
    from redan.threats.evasion.measured import Setting

    class WhiteBox(Subject, Gradients, Labels):
        """A subject with gradients; one that has them has labels too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteBoxParams(core_params.Params):
    """Parameters of every white-box attack.

    Attributes:
        norm: norm of the perturbation; l0 counts values that change.
        eps: radius on the inputs' own scale, under l0 a number of values; the usual one for the norm when absent.
        target: class that inputs are to be taken for, by number or name, or least-likely; -1 for any wrong one.
        batch_size: most inputs in one call of the model; changes no result.
    """

    norm: Literal["linf", "l2", "l1", "l0"] = "linf"
    eps: float | None = None
    target: int | str = UNTARGETED
    batch_size: int = 500


def at_least_one(name: str, value: int) -> int:
    """Return the value of a parameter that counts what an attack does.

    Raises:
        UsageError: it is below 1: the attack would do nothing and call every input robust.
    """
    if value < 1:
        raise UsageError(f"{name} is {value}; expected a whole number from 1")
    return value


def attack(
    spec: Spec,
    subject: WhiteBox,
    inputs: Inputs,
    params: WhiteBoxParams,
    *,
    plan: Plan,
    budget: Budget,
    seed: int,
    observe: Observer,
) -> Finding:
    """Attack every test row as the parameters say; towards a class, every row of the others.

    Raises:
        UsageError: radius or target are impossible.
    """
    data = inputs.role("test")
    where = setting(subject, data, params.norm, params.eps)
    lowest = partial(_least_likely, subject, params.batch_size, budget)
    aimed = aim(params.target, data, where.classes, lowest)
    parameters = told(params, where)
    if aimed is not None:
        data, where = aimed.data, replace(where, target=aimed.name)
    return measure(
        spec,
        subject,
        data,
        where,
        parameters,
        plan=plan,
        batch_size=params.batch_size,
        budget=budget,
        seed=seed,
        observe=observe,
        targets=None if aimed is None else aimed.classes,
    )


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
    targets: NDArray[np.int64] | None = None,
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
        targets: (n,) class each row is to be taken for; any wrong one when absent.
    """
    import torch

    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.cascade import evade
    from redan.kernels.draws import sample_keys

    observe.started(spec.name, len(data))
    low, high = where.bounds
    found = evade(
        partial(_charged, subject, budget),
        _tensor(data.x),
        _classes(data.y),
        ball=Ball(norm=where.norm, eps=where.eps, box=Box(low=low, high=high)),
        keys=sample_keys(seed, spec.id, data.indices),
        plan=plan,
        batch_size=batch_size,
        targets=None if targets is None else torch.as_tensor(targets),
        stop=budget.stop,
        progress=lambda stage, done, total: observe.advanced(spec.name, done, total, stage),
    )
    attacked = as_arrays(found)
    observe.finished(spec.name, f"{1 - attacked.success.mean():.1%} robust" if len(data) else "no rows")
    predicted = np.asarray(subject.labels(attacked.adversarial))
    return finding(spec, subject.ref.name, told, attacked, where, data, predicted)


def _charged(subject: WhiteBox, budget: Budget, points: torch.Tensor) -> torch.Tensor:
    budget.charge(queries=len(points))
    return subject.logits(points)


def _tensor(x: Any) -> torch.Tensor:
    import torch

    return torch.as_tensor(np.asarray(x, dtype=np.float32))


def _classes(y: Any) -> torch.Tensor:
    import torch

    return torch.as_tensor(np.asarray(y, dtype=np.int64))


def _least_likely(subject: WhiteBox, batch_size: int, budget: Budget, data: Dataset) -> NDArray[np.int64]:
    """Ask the model for the class of the lowest score of each row, other than its own."""
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.rivals import least_likely

    oracle, x, y = Oracle(partial(_charged, subject, budget)), _tensor(data.x), _classes(data.y)
    pairs = zip(x.split(batch_size), y.split(batch_size), strict=True)
    lowest = [least_likely(oracle.logits(points), labels).numpy() for points, labels in pairs]
    return np.concatenate(lowest).astype(np.int64)


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
