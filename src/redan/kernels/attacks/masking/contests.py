"""Checks that set attacks against each other: where the better informed one loses, something is masked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from redan.core.errors import SubjectFailed
from redan.kernels.attacks.apgd import ApgdSchedule
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.masking.check import Check
from redan.kernels.attacks.plans import Plan, Round
from redan.kernels.attacks.square import SquareSettings, square

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.decision import Scored
    from redan.kernels.attacks.masking.check import Case

STEPS = 40
"""Of the attack most figures are published with."""
_MORE_STEPS = 160
_FEW = 2
"""Samples by which an honest contest may be lost whatever their share."""


def plain(steps: int = STEPS) -> Plan:
    """The usual attack: cross-entropy descent from one random start."""
    only = Round(name="plain", schedule=ApgdSchedule(steps=steps, loss="ce"), noise=1.0)
    return Plan(name="plain", rounds=(only,), minimum_norm_steps=0)


def usual(case: Case, *, steps: int = STEPS, widen: float = 1.0) -> tuple[Tensor, Tensor]:
    """Run the usual attack: points (n, ...) and which samples fell, (n,); without a gradient nothing is moved."""
    case = replace(case, ball=replace(case.ball, eps=case.ball.eps * widen))
    try:
        found = evade(
            case.model,
            case.inputs,
            case.labels,
            ball=case.ball,
            keys=case.keys,
            plan=plain(steps),
            batch_size=case.batch_size,
            stop=case.stop,
        )
    except SubjectFailed:
        return case.inputs, case.answers(case.inputs).argmax(1) != case.labels
    return found.adversarial, found.success


def black_box(case: Case, places: Tensor, queries: int) -> Scored:
    """Run Square on the samples at the places."""
    inputs = case.inputs[places]

    def scores(points: np.ndarray) -> np.ndarray:
        # Square refuses NaN; a row without an answer ties all classes, so that the search walks past it
        return case.answers(torch.from_numpy(points).to(inputs)).float().nan_to_num(0.0).cpu().numpy()

    return square(
        scores,
        inputs.float().cpu().numpy(),
        case.labels[places].cpu().numpy(),
        ball=case.ball,
        keys=case.keys[places.cpu().numpy()],
        settings=SquareSettings(queries=queries),
        batch_size=case.batch_size,
        stop=case.stop,
    )


def _contest(name: str, won: Tensor, threshold: float, meaning: str) -> Check:
    """Share of samples that only the attack with fewer means made fall; a few of them are chance."""
    count = int(won.sum())
    share = count / len(won) if len(won) else float("nan")
    return Check(
        name=name, value=share if count > _FEW else min(share, threshold), threshold=threshold, meaning=meaning
    )


def margin_wins(by_margin: Tensor, by_gradient: Tensor) -> Check:
    """The cascade on margins against the usual attack, which is the same model with another loss."""
    meaning = "share of inputs that fall once the margin takes the place of the cross-entropy"
    return _contest("margin beats cross-entropy", by_margin & ~by_gradient, 0.4, meaning)


def noise_wins(by_noise: Tensor, by_gradient: Tensor) -> Check:
    """Random points of the ball against every attack that follows the model's own gradients."""
    meaning = "share of inputs that random points make fall and attacks with gradients do not"
    return _contest("noise beats gradients", by_noise & ~by_gradient, 0.05, meaning)


def black_box_wins(by_square: Tensor, by_gradient: Tensor) -> Check:
    """Square against every attack that follows the model's own gradients."""
    meaning = "share of inputs that fall to an attack without gradients and not to those with them"
    return _contest("black box beats gradients", by_square & ~by_gradient, 0.08, meaning)


def repair_wins(by_repaired: Tensor, by_gradient: Tensor) -> Check:
    """The strongest attack, repairs included, against every attack that follows the model's own gradients."""
    meaning = "share of inputs that fall only once the gradients are repaired"
    return _contest("repair beats gradients", by_repaired & ~by_gradient, 0.1, meaning)


def more_steps(case: Case, fell: Tensor) -> Check:
    """Four times the steps from another start against the usual attack."""
    _, longer = usual(replace(case, keys=case.keys + np.uint64(1)), steps=_MORE_STEPS)
    meaning = f"share of inputs that fall to {_MORE_STEPS} steps and not to {STEPS}: the search had not ended"
    return _contest("more steps help", longer & ~fell, 0.1, meaning)


def not_monotone(case: Case, fell: Tensor) -> Check:
    """Half and twice the radius: more room must not help the defender."""
    halved, doubled = (usual(case, widen=factor)[1] for factor in (0.5, 2.0))
    rise = max(float((smaller & ~larger).double().mean()) for smaller, larger in ((halved, fell), (fell, doubled)))
    return Check(
        name="not monotone in eps",
        value=rise,
        threshold=0.1,
        meaning="share of inputs that fall within a radius and withstand the same attack within twice that radius",
    )


def unbounded(case: Case, predicted: Tensor) -> Check:
    """An attack that may change everything must succeed, where the model knows more than one answer."""
    value = float("nan")
    if len(predicted.unique()) > 1:
        size = case.inputs[0].numel()
        reach = {"linf": case.span, "l2": case.span * size**0.5, "l1": case.span * size}
        eps = reach.get(case.ball.norm, float(size))
        _, fell = usual(case, widen=eps / case.ball.eps)
        value = float((~fell).double().mean())
    return Check(
        name="unbounded attack fails",
        value=value,
        threshold=0.05,
        meaning="share of inputs that withstand an attack free to turn them into any other input",
    )


def stuck(clean: Tensor, best: Tensor, fell: Tensor) -> Check:
    """Samples whose margin the cascade could not lower at all.

    Args:
        clean: margins at the inputs, (n,).
        best: lowest margins met, (n,).
        fell: which samples fell, (n,).
    """
    still = ~fell & (clean > 0) & (best >= clean * (1 - 1e-3))
    return Check(
        name="loss does not move",
        value=float(still.double().mean()),
        threshold=0.1,
        meaning="share of inputs whose margin no step of the cascade lowered",
    )
