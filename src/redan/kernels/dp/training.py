"""Training under differential privacy: the same number of noisy steps, whatever the data are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from redan.core.errors import UsageError
from redan.kernels.dp.sampling import poisson_rows
from redan.kernels.dp.step import PrivateStep
from redan.kernels.training.average import WeightAverage
from redan.kernels.training.course import learning

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.attacks.watch import Watch
    from redan.kernels.dp.sampling import Streams
    from redan.kernels.dp.step import Privacy, RowLosses

_AVERAGE = 0.99

Optimiser: TypeAlias = Literal["sgd", "adam"]
"""Stochastic gradient descent with momentum 0.9, or Adam."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How far a private training came."""

    steps: int
    """Steps that were taken."""
    reason: str | None
    """Why it ended early."""


def train_privately(
    net: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    losses: RowLosses,
    privacy: Privacy,
    *,
    optimiser: Optimiser,
    learning_rate: float,
    streams: Streams,
    watch: Watch,
) -> Taken:
    """Train in place; afterwards the network is in evaluation mode, with the average of its weights.

    What the optimiser and the average do with noisy gradients costs no privacy. A training that ends early is covered
    by the ε of all its steps.

    Args:
        net: the network; parameters that require no gradient stay as they are.
        inputs: shape (n, …).
        labels: shape (n,).
        losses: loss of each row.
        privacy: the public numbers.
        optimiser: what follows the noisy gradients.
        learning_rate: its length of a step, > 0.
        streams: where rows and noise are drawn from.
        watch: asked before each step, told about steps.

    Raises:
        CapabilityMissing: a layer is not supported, or rows see each other.
        SubjectFailed: a gradient became infinite.
        UsageError: no parameter learns, or the learning rate is none.
    """
    if not learning_rate > 0:
        raise UsageError(f"learning_rate={learning_rate:g}; expected a positive number")
    net.train()
    weights = learning(net)
    step = PrivateStep(net, losses, privacy, streams.noise)
    follow = _optimiser(optimiser, weights, learning_rate)
    average = WeightAverage(net, _AVERAGE)
    done = 0
    while done < privacy.steps and not watch.stopped():
        rows = poisson_rows(len(inputs), privacy.sampling_rate, streams.rows(done)).to(inputs.device)
        gradients = step.gradients(inputs[rows], labels[rows])
        for parameter, gradient in zip(step.parameters, gradients, strict=True):
            parameter.grad = gradient
        follow.step()
        average.update()
        done += 1
        watch.progress("steps", done, privacy.steps)
    average.install()
    net.zero_grad(set_to_none=True)
    net.eval()
    return Taken(steps=done, reason=watch.reason)


def _optimiser(kind: Optimiser, weights: list[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    if kind == "adam":
        return torch.optim.Adam(weights, lr=learning_rate)
    return torch.optim.SGD(weights, lr=learning_rate, momentum=0.9)
