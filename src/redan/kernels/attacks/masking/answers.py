"""Checks of what the model answers, before any attack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels import draws
from redan.kernels.attacks.bpda import BREAKS
from redan.kernels.attacks.masking.check import Check
from redan.kernels.attacks.rewriting import Rewriting
from redan.kernels.attacks.starts import random_points

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.masking.check import Case

NOISE_STREAM = 900_001
_TINY_STREAM = 900_002
_TINY_STEP = 1e-5
"""Of the box's width: far below one level of any quantisation, far above the resolution of single precision."""
_SUM_TOLERANCE = 1e-3
_SAMPLE = 8


def unanswered(case: Case, clean: Tensor) -> Check:
    """Share of inputs and of random points near them that get no finite answer."""
    near = case.answers(random_points(case.inputs, case.ball, case.keys, stream=NOISE_STREAM))
    broken = ~torch.isfinite(torch.cat([clean, near])).all(dim=1)
    return Check(
        name="unanswered",
        value=float(broken.double().mean()),
        threshold=0.0,
        meaning="share of inputs answered with NaN or infinity, from which no gradient leads anywhere",
    )


def random_answers(case: Case, clean: Tensor, *, repeats: int = 3) -> Check:
    """Largest difference between answers to the same input, over the spread of the answer."""
    spread = (clean.amax(1) - clean.amin(1)).clamp_min(1e-12)
    again = torch.stack([(case.answers(case.inputs) - clean).abs().amax(1) / spread for _ in range(repeats)])
    return Check(
        name="randomness",
        value=float(again.nan_to_num(0.0).max()),
        threshold=1e-3,
        meaning="difference between answers to one input, over their range; a random model hides where it errs",
    )


def probabilities(clean: Tensor) -> Check:
    """Whether the answers given as logits are probabilities."""
    answers = clean.float()
    looks = (answers >= 0).all(dim=1) & (answers <= 1).all(dim=1) & ((answers.sum(1) - 1).abs() < _SUM_TOLERANCE)
    return Check(
        name="probabilities given as logits",
        value=float(looks.double().mean()),
        threshold=0.99,
        meaning="share of answers that are probabilities; their differences vanish long before the class changes",
    )


def deaf(case: Case, clean: Tensor) -> Check:
    """Share of samples whose answer does not change at all under a tiny change of every coordinate."""
    value = float("nan")
    if not _coarse(clean):
        shape = tuple(case.inputs.shape[1:])
        signs = torch.from_numpy(draws.uniform(case.keys, shape, stream=_TINY_STREAM)).to(case.inputs) - 0.5
        moved = case.inputs + 2 * _TINY_STEP * case.span * signs
        same = (case.answers(moved.clamp(case.ball.box.low, case.ball.box.high)) == clean).all(dim=1)
        value = float(same.double().mean())
    return Check(
        name="piecewise constant",
        value=value,
        threshold=0.1,
        meaning="share of inputs whose answer ignores a tiny change of every value: the model rounds what it is given",
    )


def _coarse(answers: Tensor) -> bool:
    """Whether the answers are of half precision, which ignores tiny changes honestly."""
    halves = (answers.half().to(answers) == answers).all() | (answers.bfloat16().to(answers) == answers).all()
    return answers.dtype not in {torch.float32, torch.float64} or bool(halves)


def learning_inside(case: Case) -> Check:
    """How often the model runs a backward pass while it answers."""
    points = case.inputs[:_SAMPLE].clone().requires_grad_(True)
    with torch.enable_grad():
        seen = Rewriting(points)
        try:
            with seen:
                case.model(points)
        except BREAKS:
            pass  # a model that differentiates itself may not survive being watched; what was seen until then counts
    return Check(
        name="optimisation inside",
        value=float(seen.learned),
        threshold=0.0,
        meaning="backward passes the model runs while it answers; gradients do not lead through them",
    )


def noise_falls(case: Case, tries: int) -> Tensor:
    """Which samples a random point of the ball makes the model err on, (n,)."""
    fell = torch.zeros(len(case.inputs), dtype=torch.bool, device=case.inputs.device)
    for number in range(tries):
        points = random_points(case.inputs, case.ball, case.keys, stream=NOISE_STREAM + 10 + number)
        fell |= case.answers(points).argmax(1) != case.labels
    return fell
