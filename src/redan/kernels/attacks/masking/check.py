"""One check of the suite, and what every check is given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from redan.kernels.attacks.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.oracle import Model
    from redan.kernels.draws import Keys

Verdict: TypeAlias = Literal["passed", "flagged", "not measured"]
"""What a check says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A measured value beside its threshold; it is flagged when it lies above.

    Attributes:
        name: what is looked for.
        value: what was measured; NaN where it could not be.
        threshold: highest value of an honest model.
        meaning: what the value is and what a high one says, one sentence.
    """

    name: str
    value: float
    threshold: float
    meaning: str

    @property
    def verdict(self) -> Verdict:
        """Flagged above the threshold."""
        if math.isnan(self.value):
            return "not measured"
        return "flagged" if self.value > self.threshold else "passed"

    @property
    def flagged(self) -> bool:
        """Whether it is above the threshold."""
        return self.verdict == "flagged"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """What is examined: n samples.

    Attributes:
        model: answers (n, k) with k >= 2.
        inputs: shape (n, ...), inside the box.
        labels: true classes, shape (n,).
        ball: where an adversarial point may lie.
        keys: one key a sample, shape (n,).
        batch_size: most rows in one call.
        stop: asked between steps.
    """

    model: Model
    inputs: Tensor
    labels: Tensor
    ball: Ball
    keys: Keys
    batch_size: int
    stop: Callable[[], str | None]

    @property
    def span(self) -> float:
        """Width of the box."""
        return self.ball.box.high - self.ball.box.low

    def answers(self, points: Tensor) -> Tensor:
        """Answers to points (n, ...) without gradients, (n, k)."""
        with torch.no_grad():
            return torch.cat([self.model(batch) for batch in points.split(self.batch_size)])

    def gradients(self, objective: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Gradient (n, ...) of an objective of answers and labels at the inputs.

        Raises:
            SubjectFailed: no gradient leads back to the inputs.
        """
        oracle = Oracle(self.model)
        found = []
        for points, labels in zip(self.inputs.split(self.batch_size), self.labels.split(self.batch_size), strict=True):
            found.append(oracle.gradient(points, partial(_of_answers, objective, labels))[1])
        return torch.cat(found)


def _of_answers(objective: Callable[[Tensor, Tensor], Tensor], labels: Tensor, answers: Tensor) -> Tensor:
    return objective(answers, labels)


def columns(model: Model) -> Model:
    """Wrap a model that may give one logit a sample, so that it always gives (n, k) with k >= 2."""

    def answer(points: Tensor) -> Tensor:
        out = model(points)
        single = out.ndim == 1 or out.shape[1] == 1
        return torch.stack([-out.reshape(-1) / 2, out.reshape(-1) / 2], dim=1) if single else out

    return answer
