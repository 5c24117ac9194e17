"""The inner attack of adversarial training: a few steps from a random or a kept start, more of them where it is needed.

Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, section 2. Kept
starts: Zheng et al., "Efficient adversarial training with transferable adversarial examples", CVPR 2020, section 3.2.
Triage: an input whose class stays likely at its worst point moves the weights little, so its further steps are saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.nn import functional

from redan.core.errors import UsageError
from redan.kernels.attacks.loss import pick
from redan.kernels.attacks.oracle import untouched
from redan.kernels.attacks.projection import project, steepest

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.oracle import Model
    from redan.kernels.training.course import Batch

Objective: TypeAlias = Callable[["Tensor", "Tensor"], "Tensor"]
"""Logits (m, k) and the places of their rows in the batch (m,) to what the attack raises, summed over rows."""


_RISE = 0.1
_SINGLE = 1.25
"""Length over the radius of a single step, Wong, Rice and Kolter, "Fast is better than free", ICLR 2020, section 5."""
_SEVERAL = 2.0
"""Length over the radius of all steps together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How hard the inner attack tries."""

    steps: int
    """Gradient evaluations a row, at most."""
    length: float
    """Length of a step over the radius."""
    easy: float = 1.0
    """Rows whose class has at least this probability after a step take no further one; 1: all take all."""
    rise: float = _RISE
    """Share of the training over which the radius grows to its full length."""

    @classmethod
    def usual(cls, steps: int, *, length: float | None = None, easy: float = 1.0) -> Strength:
        """Strength of a number of steps, of the length that suits it unless one is given.

        Raises:
            UsageError: a number that is none of an attack.
        """
        if steps < 1 or not 0 < easy <= 1 or (length is not None and not length > 0):
            raise UsageError(
                f"steps={steps}, length={length}, easy={easy:g}; expected at least one step, a length above zero and "
                "a probability"
            )
        return cls(steps=steps, length=length or (_SINGLE if steps == 1 else _SEVERAL / steps), easy=easy)


class Adversary:
    """Finds inputs of high loss within the ball, with the network as in use: evaluation mode, its weights frozen.

    Args:
        net: the network, which changes between calls; a callable that is no module is used as it stands.
        ball: norm, radius and box.
        strength: steps, their length, triage.
        generator: draws the starts.
        kept: offsets of every row of the data, shape (n, ...), from which the attack goes on and where it leaves what
            it found (`offsets`); None: it starts anew each time.
    """

    __slots__ = ("_ball", "_generator", "_kept", "_net", "gradients", "strength")

    def __init__(
        self, net: Model, ball: Ball, strength: Strength, generator: torch.Generator, kept: Tensor | None = None
    ) -> None:
        self._net = net
        self._ball = ball
        self._generator = generator
        self._kept = kept
        self.strength = strength
        self.gradients = 0
        """Rows pushed through with a gradient so far."""

    def worst(self, batch: Batch, objective: Objective | None = None) -> Tensor:
        """Points of high cross-entropy, or of a high objective, shape (m, ...)."""
        ball = self._ball_at(batch.share)
        points = self._start(batch, ball)
        raised = objective or _cross_entropy(batch.labels)
        live = torch.arange(len(points))
        with untouched(self._net):
            for step in range(self.strength.steps):
                slopes, logits = self._slopes(points[live], live, raised)
                points[live] = self._moved(points[live], batch.inputs[live], slopes, ball)
                if step + 1 < self.strength.steps and self.strength.easy < 1:
                    live = live[pick(logits.softmax(1), batch.labels[live]) < self.strength.easy]
        if self._kept is not None:
            self._kept[batch.rows] = points - batch.inputs
        return points

    def _ball_at(self, share: float) -> Ball:
        grown = 1.0 if share >= self.strength.rise else (share + 0.01) / (self.strength.rise + 0.01)
        return replace(self._ball, eps=self._ball.eps * grown)

    def _start(self, batch: Batch, ball: Ball) -> Tensor:
        kept = None if self._kept is None else self._kept[batch.rows]
        move = offsets(batch.inputs, ball, self._generator) if kept is None else kept
        return project(batch.inputs + move, batch.inputs, ball)

    def _slopes(self, points: Tensor, live: Tensor, raised: Objective) -> tuple[Tensor, Tensor]:
        self.gradients += len(points)
        with torch.enable_grad():
            leaf = points.detach().requires_grad_(True)
            logits = self._net(leaf)
            (slopes,) = torch.autograd.grad(raised(logits, live), leaf)
        return slopes, logits.detach()

    def _moved(self, points: Tensor, inputs: Tensor, slopes: Tensor, ball: Ball) -> Tensor:
        # steepest() frees the directions of descent from the box, so descent on the negated objective is what it serves
        ahead = steepest(-slopes, points, ball)
        return project(points.detach() - self.strength.length * ball.eps * ahead, inputs, ball)


def offsets(inputs: Tensor, ball: Ball, generator: torch.Generator) -> Tensor:
    """Random moves of each coordinate within the radius, the shape of the inputs."""
    draws = torch.rand(inputs.shape, generator=generator, dtype=inputs.dtype)
    return draws.mul_(2 * ball.eps).sub_(ball.eps)


def _cross_entropy(labels: Tensor) -> Objective:
    return lambda logits, live: functional.cross_entropy(logits, labels[live], reduction="sum")
