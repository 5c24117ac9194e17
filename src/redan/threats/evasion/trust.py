"""Can a measured robust accuracy be trusted? The masking suite on a subject; for the probe and for mitigations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Subject
    from redan.kernels.attacks.masking.check import Check
    from redan.kernels.attacks.masking.suite import Examination, Trust
    from redan.threats.evasion.measured import Setting

    class Differentiable(Subject, Gradients):
        """A subject with gradients."""


COLUMNS = ("check", "value", "threshold", "verdict", "meaning")
"""Heads of the table of checks."""
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trusted:
    """What the suite says about a subject; n samples.

    Attributes:
        verdict: trustworthy, masked, or could not decide.
        checks: every check.
        data: the rows that were looked at.
        clean: (n,) which are right without an attack.
        before: (n,) which fell to the usual attack; misclassified inputs among them.
        after: (n,) which fell to any attack, repaired ones included.
        adversarial: (n, …) points at which they fell, else the inputs.
        wrong_rate: share of wrong answers at those points; below 1 only where the model is random.
        stages: attack → how many it was the first to make fall.
        repairs: what was repaired.
        reason: why nothing could be decided or why it ended early, else empty.
        queries: rows the model saw.
    """

    verdict: Trust
    checks: tuple[Check, ...]
    data: Dataset
    clean: NDArray[Any]
    before: NDArray[Any]
    after: NDArray[Any]
    adversarial: NDArray[Any]
    wrong_rate: float
    stages: tuple[tuple[str, int], ...]
    repairs: tuple[str, ...]
    reason: str
    queries: int

    def rows(self) -> tuple[tuple[Scalar, ...], ...]:
        """The checks as rows of a table under `COLUMNS`, those that did not pass first."""
        ranked = sorted(self.checks, key=lambda check: check.verdict == "passed")
        return tuple((c.name, _number(c.value), c.threshold, c.verdict, c.meaning) for c in ranked)


def _number(value: float) -> float | None:
    """A number as a table shows it, nothing where it was not measured."""
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None


def trust(
    subject: Differentiable,
    data: Dataset,
    where: Setting,
    *,
    rows: int,
    batch_size: int,
    budget: Budget,
    seed: int,
    rule: str,
    observe: Observer,
) -> Trusted:
    """Run the masking suite.

    Args:
        subject: the model.
        data: inputs and classes; at most `rows` of them are looked at, the same whatever their order.
        where: norm (linf or l2), radius and box.
        rows: most rows.
        batch_size: most rows in one call of the model; changes no result.
        budget: asked between steps; charged for every row the model sees.
        seed: root seed.
        rule: identifier that random draws are keyed by, and progress is told under.
        observe: told about progress.
    """
    import torch

    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.masking.suite import examine
    from redan.kernels.draws import sample_keys

    keys = sample_keys(seed, rule, data.indices)
    chosen = np.argsort(keys, kind="stable")[:rows]
    part = replace(data, x=data.x[chosen], y=data.y[chosen], indices=data.indices[chosen])
    model = _Charged(subject, budget)
    found = examine(
        model,
        torch.as_tensor(np.asarray(part.x, dtype=np.float32)),
        torch.as_tensor(np.asarray(part.y, dtype=np.int64)),
        ball=Ball(norm=where.norm, eps=where.eps, box=Box(low=where.bounds[0], high=where.bounds[1])),
        keys=keys[chosen],
        seed=seed,
        batch_size=batch_size,
        stop=budget.stop,
        progress=lambda stage, done, total: observe.advanced(rule, done, total, stage),
    )
    return _as_arrays(found, part, model.seen)


class _Charged:
    """The subject's logits; every row is charged to the budget and counted."""

    __slots__ = ("_budget", "_subject", "seen")

    def __init__(self, subject: Differentiable, budget: Budget) -> None:
        self._subject, self._budget, self.seen = subject, budget, 0

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        self.seen += len(points)
        self._budget.charge(queries=len(points))
        return self._subject.logits(points)


def _as_arrays(found: Examination, data: Dataset, queries: int) -> Trusted:
    """Turn the kernel's tensors into arrays."""
    return Trusted(
        verdict=found.verdict,
        checks=found.checks,
        data=data,
        clean=found.clean.numpy(),
        before=found.before.numpy(),
        after=found.after.numpy(),
        adversarial=found.adversarial.numpy(),
        wrong_rate=found.wrong_rate,
        stages=found.stages,
        repairs=found.repairs,
        reason=found.reason or "",
        queries=queries,
    )
