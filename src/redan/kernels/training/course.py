"""The course of a training: batches, learning rates, averages, and when to end.

The learning rate rises linearly over the first tenth and falls along a cosine to zero (Loshchilov and Hutter, "SGDR:
stochastic gradient descent with warm restarts", ICLR 2017, equation 5, without restarts); weights move by Adam with
decoupled decay (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch

from redan.core.errors import SubjectFailed, UsageError
from redan.kernels.training.average import WeightAverage

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.attacks.watch import Watch

_WARM_SHARE = 0.1
_AVERAGE = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Length and pace of a training."""

    epochs: int
    """Passes over the data."""
    batch_size: int
    """Rows in a batch."""
    learning_rate: float
    """Adam's, at its highest."""
    weight_decay: float = 0.0
    """Share of each weight lost a step, times the learning rate."""

    def pace(self, share: float) -> float:
        """Learning rate after a share of the training."""
        if share < _WARM_SHARE:
            return self.learning_rate * share / _WARM_SHARE
        return self.learning_rate * (1 + math.cos(math.pi * (share - _WARM_SHARE) / (1 - _WARM_SHARE))) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a lesson is given; m rows."""

    rows: Tensor
    """Their places in the data, int64, shape (m,)."""
    inputs: Tensor
    """Shape (m, ...)."""
    labels: Tensor
    """Classes, int64, shape (m,)."""
    share: float
    """How much of the training is over, in (0, 1)."""


Lesson: TypeAlias = Callable[[Batch], "Tensor"]
"""The loss of a batch, a scalar with its graph; called with the network in training mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How far a training came."""

    epochs: int
    """Whole passes over the data."""
    reason: str | None
    """Why it ended early."""


def train(
    net: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    lesson: Lesson,
    course: Course,
    *,
    generator: torch.Generator,
    watch: Watch,
    after_batch: Callable[[int], None] | None = None,
) -> Trained:
    """Train in place; afterwards the network is in evaluation mode, with the average of its weights, without gradients.

    Args:
        net: the network; parameters that require no gradient stay as they are.
        inputs: shape (n, ...), n > 0.
        labels: classes, int64, shape (n,).
        lesson: the loss of a batch.
        course: length and pace.
        generator: draws the order of the rows.
        watch: asked before each batch, told about epochs.
        after_batch: called with the number of batches done.

    Raises:
        SubjectFailed: the loss became NaN or infinite.
        UsageError: no parameter requires a gradient.
    """
    optimiser = torch.optim.AdamW(learning(net), lr=course.learning_rate, weight_decay=course.weight_decay)
    average = WeightAverage(net, _AVERAGE)
    parts = math.ceil(len(inputs) / course.batch_size)
    total = course.epochs * parts
    done = epochs = 0
    net.train()
    while epochs < course.epochs and not watch.stopped():
        # equal parts, so that no last batch of one row breaks batch normalisation
        for rows in torch.randperm(len(inputs), generator=generator).tensor_split(parts):
            if watch.stopped():
                break
            share = (done + 0.5) / total
            batch = Batch(rows=rows, inputs=inputs[rows], labels=labels[rows], share=share)
            _step(optimiser, lesson(batch), course.pace(share))
            average.update()
            done += 1
            if after_batch is not None:
                after_batch(done)
        else:
            epochs += 1
            watch.progress("epochs", epochs, course.epochs)
    average.install()
    net.zero_grad(set_to_none=True)
    net.eval()
    return Trained(epochs=epochs, reason=watch.reason)


def learning(net: nn.Module) -> list[nn.Parameter]:
    """Weights that may change.

    Raises:
        UsageError: there is none.
    """
    found = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if not found:
        raise UsageError(
            "no weight of the model may change: all of them have requires_grad=False",
            hint="set requires_grad on the layers to train",
        )
    return found


def _step(optimiser: torch.optim.Optimizer, loss: Tensor, pace: float) -> None:
    if not bool(torch.isfinite(loss.detach())):
        raise SubjectFailed(
            f"the loss became {float(loss.detach())} while training", hint="give a smaller learning_rate"
        )
    for group in optimiser.param_groups:
        group["lr"] = pace
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
