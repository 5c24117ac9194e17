"""The attacks that are given no radius, each with the settings it has beside a ball."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from redan.kernels.attacks.carlini_wagner import CarliniWagnerSettings, carlini_wagner
from redan.kernels.attacks.deepfool import DeepFoolSettings, deepfool
from redan.kernels.attacks.fmn import fmn, settings_within

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.descent import Work
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.result import Closest
    from redan.kernels.attacks.watch import Watch

MinimumNorm: TypeAlias = Literal["fmn", "deepfool", "cw"]
"""Their names."""


def find_nearest(method: MinimumNorm, oracle: Oracle, work: Work, ball: Ball, steps: int, watch: Watch) -> Closest:
    """Search the nearest point at which each sample falls.

    Args:
        method: which attack.
        oracle: the model.
        work: samples; FMN starts at their points.
        ball: the norm, the box, and for FMN the scale of the steps; points beyond it are found too.
        steps: gradients a sample: all of them for FMN and C&W, linearisations for DeepFool.
        watch: asked between steps whether to end early.

    Raises:
        ValueError: the attack does not know the norm.
    """
    if method == "deepfool":
        settings = DeepFoolSettings(steps=steps)
        return deepfool(oracle, work, norm=ball.norm, box=ball.box, settings=settings, watch=watch)
    if method == "cw":
        if ball.norm != "l2":
            msg = f"the attack of Carlini and Wagner is defined for l2 here, got {ball.norm}"
            raise ValueError(msg)
        return carlini_wagner(oracle, work, box=ball.box, settings=CarliniWagnerSettings(steps=steps), watch=watch)
    return fmn(
        oracle,
        work.inputs,
        work.labels,
        norm=ball.norm,
        box=ball.box,
        settings=settings_within(ball, work.inputs[:1].numel(), steps),
        starts=work.points,
        targets=work.targets,
        wanted=work.wanted,
        watch=watch,
    )
