"""The thief's own network, learning from answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from redan.kernels.training.course import Batch, Course, train
from redan.kernels.training.randomness import generator, own_randomness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.attacks.watch import Watch

AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Length and pace of a copy's training.

    Attributes:
        epochs: passes over the answers.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
    """

    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-3


class Standardised(nn.Module):
    """Inputs less their mean, divided by one deviation, as the thief sees them in his own pool."""

    mean: Tensor
    spread: Tensor

    def __init__(self, pool: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", pool.mean(dim=0, keepdim=True))
        spread = pool.std() if pool.dim() > 2 else pool.std(dim=0, keepdim=True)
        self.register_buffer("spread", spread.clamp(min=1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, …) standardised inputs."""
        return (x - self.mean) / self.spread


def architecture(pool: Tensor, classes: int) -> nn.Module:
    """Return a small network for inputs like these: convolutions for images of at least 8 by 8, else two dense layers.

    A thief does not know the layers he copies; these are ordinary ones. Weights come from torch's global stream: call
    it within `own_randomness`.

    Args:
        pool: (m, …) inputs that the thief has.
        classes: classes that the answers tell apart.
    """
    if pool.dim() == 4 and min(pool.shape[2:]) >= 8:
        sides = [(side // 2) // 2 for side in pool.shape[2:]]
        return nn.Sequential(
            Standardised(pool),
            nn.Conv2d(pool.shape[1], 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * sides[0] * sides[1], 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        )
    width = int(np.prod(pool.shape[1:]))
    return nn.Sequential(
        nn.Flatten(),
        Standardised(pool.flatten(1)),
        nn.Linear(width, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def taught(
    x: NDArray[Any], told: NDArray[Any], *, pool: Tensor, pace: Pace, seed: int, key: str, watch: Watch
) -> nn.Module:
    """Train a copy from fresh weights on everything that was answered.

    Source: Orekondy, Schiele & Fritz 2019, "Knockoff nets", section 4.2 (cross-entropy with the answers themselves).

    Args:
        x: (q, …) inputs that were asked about, q at least 1.
        told: (q, k) probabilities, or one 1 a row where only labels are answered.
        pool: (m, …) inputs that the thief has.
        pace: of the training.
        seed: root seed of weights and order.
        key: names this copy among others of the run.
        watch: asked before each batch.
    """
    inputs, answers = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(told, dtype=torch.float32)
    with own_randomness(seed, "clone", key):
        net = architecture(pool, answers.shape[1])

        def lesson(batch: Batch) -> Tensor:
            return -(answers[batch.rows] * functional.log_softmax(net(batch.inputs), dim=1)).sum(dim=1).mean()

        course = Course(epochs=pace.epochs, batch_size=pace.batch_size, learning_rate=pace.learning_rate)
        train(
            net,
            inputs,
            answers.argmax(dim=1),
            lesson,
            course,
            generator=generator(seed, "clone", key, "order"),
            watch=watch,
        )
    return net


def probabilities(net: nn.Module, x: Tensor) -> Tensor:
    """Return (n, k) probabilities of a copy."""
    with torch.no_grad():
        return torch.cat([functional.softmax(net(part), dim=1) for part in x.split(AT_ONCE)])
