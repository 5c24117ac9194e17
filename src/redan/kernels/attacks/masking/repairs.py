"""What an attack follows instead of the masked gradient; success is always what the model itself answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from redan.core.errors import SubjectFailed
from redan.kernels.attacks.bpda import straight_through
from redan.kernels.attacks.descent import Schedule
from redan.kernels.attacks.eot import FEWEST, draws_needed, expectation
from redan.kernels.attacks.loss import margin
from redan.kernels.attacks.plans import Plan, Round
from redan.kernels.attacks.smoothing import smoothed

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.masking.check import Case
    from redan.kernels.attacks.oracle import Model

_SMALLEST = 1e-30
_PAIRS = 24
_WIDTH = 0.5
"""Of eps under Linf: wide enough to reach over the steps of a quantisation."""

SMOOTHED_PLAN = Plan(
    name="smoothed", rounds=(Round(name="smoothed", schedule=Schedule(steps=25, step_first=0.5)),), minimum_norm_steps=0
)
"""For gradients that cost as much as fifty answers."""


def logarithm(model: Model) -> Model:
    """Wrap a model that answers probabilities, so that it answers their logarithms."""
    return lambda points: model(points).clamp_min(_SMALLEST).log()


def refusal(model: Model) -> Model:
    """Wrap a model that answers NaN, so that such a row is a class of its own, after the last: not the right answer."""

    def answer(points: Tensor) -> Tensor:
        found = model(points)
        none = ~torch.isfinite(found).all(dim=1, keepdim=True)
        known = torch.where(none, torch.zeros_like(found), found)
        low = known.amin(dim=1, keepdim=True).detach() - 1
        return torch.cat([known, torch.where(none, torch.ones_like(low), low)], dim=1)

    return answer


def averaged(case: Case) -> tuple[Case, int]:
    """The case with a model that answers with the mean of as many draws as its gradients need, and their number."""
    surrogate = replace(case, model=straight_through(case.model))
    try:
        draws = draws_needed(lambda: surrogate.gradients(margin))
    except SubjectFailed:
        draws = FEWEST
    return replace(case, model=expectation(straight_through(case.model), draws)), draws


def differenced(case: Case, seed: int) -> Case:
    """The case with a model whose gradients are differences of its answers."""
    size = case.inputs[0].numel()
    eps = case.ball.eps if case.ball.norm == "linf" else case.ball.eps / size**0.5
    return replace(
        case, model=smoothed(straight_through_scores(case.model), width=_WIDTH * eps, pairs=_PAIRS, seed=seed)
    )


def straight_through_scores(model: Model) -> Model:
    """Answers before any softmax, without gradients: differences of probabilities that are all 0 or 1 say nothing."""
    surrogate = straight_through(model)

    def answer(points: Tensor) -> Tensor:
        with torch.enable_grad():
            return surrogate(points.detach().requires_grad_(True)).detach()

    return answer
