"""The evasion cascade: cheap steps on all samples, deep search where the margin is small, a minimum-norm member last.

Robust accuracy is the share of samples no member could make the model err on. Every fall is confirmed by a plain
forward of the original model at a point inside ball and box. Which samples a round works on depends on the whole set,
never on the batch; random draws depend on the sample alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.errors import ShapeMismatch
from redan.kernels.attacks.oracle import Model, Oracle, Outputs, untouched
from redan.kernels.attacks.search import Search
from redan.kernels.attacks.watch import Watch, never, silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.plans import Plan
    from redan.kernels.attacks.result import Evasion
    from redan.kernels.draws import Keys


def evade(
    model: Model,
    inputs: Tensor,
    labels: Tensor,
    *,
    ball: Ball,
    keys: Keys,
    plan: Plan,
    batch_size: int = 500,
    outputs: Outputs = "logits",
    targets: Tensor | None = None,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = silent,
) -> Evasion:
    """Attack every sample and say which survive.

    Args:
        model: module or differentiable callable; used in evaluation mode and left exactly as it was.
        inputs: shape (n, ...), floating point, inside the box.
        labels: true classes, int64, shape (n,).
        ball: norm, radius and box.
        keys: one key a sample (`draws.sample_keys`), shape (n,).
        plan: the rounds to run.
        batch_size: most work items in one call of the model.
        outputs: what the model answers.
        targets: for each sample the class that the model must answer for it to fall, int64, shape (n,), never the
            sample's own; default: any wrong class.
        stop: asked between steps; a text ends the attack with the partial result and that reason.
        progress: told stage, samples done and samples in all.

    Raises:
        ShapeMismatch: inputs, labels, targets, keys and model do not fit together, or inputs leave the box.
        SubjectFailed: the model answered NaN or infinity, or gives no gradient.
    """
    _fit(inputs, labels, ball, keys)
    if targets is not None:
        _fit_targets(labels, targets)
    watch = Watch(stop=stop, progress=progress)
    with untouched(model):
        oracle = Oracle(model, outputs=outputs)
        search = Search(
            oracle,
            inputs.detach(),
            labels,
            ball=ball,
            keys=keys,
            batch_size=batch_size,
            watch=watch,
            wanted=targets,
        )
        search.clean()
        for number, one in enumerate(plan.rounds):
            search.round(number, one)
        if plan.minimum_norm_steps:
            search.minimum_norm(plan.minimum_norm, plan.minimum_norm_steps)
        if plan.witness_queries and targets is None:
            search.witness(plan.witness_queries)
    return search.result()


def _fit_targets(labels: Tensor, targets: Tensor) -> None:
    """Refuse targets of another shape, and a target that is the sample's own class."""
    if targets.shape != labels.shape or targets.is_floating_point():
        msg = f"{len(labels)} labels need as many target classes, got {targets.dtype} of shape {tuple(targets.shape)}"
        raise ShapeMismatch(msg)
    if bool((targets == labels).any()):
        msg = f"{int((targets == labels).sum())} samples are to be moved to the class they belong to"
        raise ShapeMismatch(msg, hint="leave out the samples of the target class")


def _fit(inputs: Tensor, labels: Tensor, ball: Ball, keys: Keys) -> None:
    """Refuse what does not fit together."""
    if not inputs.is_floating_point():
        msg = f"inputs must be floating point, got {inputs.dtype}"
        raise ShapeMismatch(msg)
    if labels.shape != (len(inputs),) or len(keys) != len(inputs):
        msg = f"{len(inputs)} inputs need as many labels and keys, got {tuple(labels.shape)} and {len(keys)}"
        raise ShapeMismatch(msg)
    if len(inputs) == 0:
        return
    low, high = float(inputs.min()), float(inputs.max())
    if not (ball.box.low <= low and high <= ball.box.high):
        msg = f"inputs must lie in [{ball.box.low}, {ball.box.high}], got values from {low} to {high}"
        raise ShapeMismatch(msg, hint="give the bounds of the data, or scale the data to the bounds")
