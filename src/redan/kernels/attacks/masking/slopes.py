"""Checks of the gradients themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.errors import SubjectFailed
from redan.kernels.attacks.loss import cross_entropy, margin
from redan.kernels.attacks.masking.check import Check
from redan.kernels.attacks.projection import column, dual_norm, l2_norm

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.masking.check import Case

_NAN = float("nan")
_STEP = 0.05
"""Of eps: how far the measured slope reaches."""


def margin_gradients(case: Case) -> Tensor | None:
    """Gradients (n, ...) of the margin, None where no gradient leads to the inputs."""
    try:
        return case.gradients(margin)
    except SubjectFailed:
        return None


def slopes(case: Case, clean: Tensor, gradients: Tensor | None) -> list[Check]:
    """All checks of the gradients of the margin.

    Args:
        case: what is examined.
        clean: answers to the inputs, (n, k).
        gradients: of the margin, None where there are none.
    """
    return [_zero(gradients), _vanishing(case, clean, gradients), _uneven(gradients), _disagreeing(case, gradients)]


def _zero(gradients: Tensor | None) -> Check:
    value = 1.0 if gradients is None else float((~gradients.flatten(1).any(dim=1)).double().mean())
    return Check(
        name="zero gradients",
        value=value,
        threshold=0.1,
        meaning="share of inputs whose margin has no gradient, or one that is exactly zero",
    )


def _vanishing(case: Case, clean: Tensor, gradients: Tensor | None) -> Check:
    value = _NAN
    if gradients is not None:
        lengths = dual_norm(gradients, case.ball.norm)
        reach = margin(clean, case.labels).abs()[lengths > 0] / lengths[lengths > 0]
        value = float(reach.median() / _diameter(case)) if len(reach) else _NAN
    return Check(
        name="vanishing gradients",
        value=value,
        threshold=10.0,
        meaning="how far the slope says the class boundary is, over the size of the whole input space; median",
    )


def _diameter(case: Case) -> float:
    size = case.inputs[0].numel()
    return float(case.span * {"linf": 1.0, "l2": size**0.5}.get(case.ball.norm, float(size)))


def _uneven(gradients: Tensor | None) -> Check:
    value = _NAN
    if gradients is not None:
        lengths = l2_norm(gradients.double())
        lengths = lengths[lengths > 0]
        if len(lengths) > 1:
            value = float(lengths.quantile(0.9) / lengths.quantile(0.1))
    return Check(
        name="exploding gradients",
        value=value,
        threshold=1e6,
        meaning="the ninth decile of the gradients' lengths over the first",
    )


def _disagreeing(case: Case, gradients: Tensor | None) -> Check:
    """Compare the fall of the margin along a short steepest step with what the gradient foretells."""
    value = _NAN
    if gradients is not None and bool(gradients.any()):
        direction = gradients.sign() if case.ball.norm == "linf" else _unit(gradients)
        step = _STEP * case.ball.eps
        moved = (case.inputs - step * direction).clamp(case.ball.box.low, case.ball.box.high)
        foretold = ((case.inputs - moved) * gradients).flatten(1).sum(dim=1).double()
        before = margin(case.answers(case.inputs), case.labels)
        fell = (before - margin(case.answers(moved), case.labels)).double()
        usable = foretold > 0
        if bool(usable.any()):
            value = abs(1 - float((fell[usable] / foretold[usable]).nan_to_num(0.0).median()))
    return Check(
        name="wrong gradients",
        value=value,
        threshold=0.9,
        meaning="median error of the gradient's forecast for a step of a twentieth of eps; 1 is as bad as none",
    )


def _unit(gradients: Tensor) -> Tensor:
    return gradients / column(l2_norm(gradients).clamp_min(1e-30), gradients)


def saturated(case: Case, clean: Tensor, gradients: Tensor | None) -> Check:
    """Share of rightly classified samples whose margin has a gradient and whose cross-entropy has none.

    Args:
        case: what is examined.
        clean: answers to the inputs, (n, k).
        gradients: of the margin, None where there are none.
    """
    value = _NAN
    if gradients is not None:
        sloped = (clean.argmax(1) == case.labels) & gradients.flatten(1).any(dim=1)
        if bool(sloped.any()):
            still = ~case.gradients(cross_entropy).flatten(1).any(dim=1)
            value = float(still[sloped].double().mean())
    return Check(
        name="saturated loss",
        value=value,
        threshold=0.1,
        meaning="share of inputs so sure that the cross-entropy of the usual attacks has no gradient in this precision",
    )
