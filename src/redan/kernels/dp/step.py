"""One step of DP-SGD: clip each row's gradient, add noise to the sum, divide by a public number.

Source: Abadi et al. 2016, "Deep learning with differential privacy", algorithm 1, with the sum divided by the expected
number of rows: a quotient made from the rows there are tells neighbouring data sets apart (Ponomareva et al. 2023, "How
to DP-fy ML", section 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch

from redan.core.errors import SubjectFailed, UsageError
from redan.kernels.dp.bookkeeping import Book
from redan.kernels.dp.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

RowLosses: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""Answers (n, …) and labels (n,) to the loss of each row, shape (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """The public numbers of private training; none of them may come from the data.

    Raises:
        UsageError: a number outside its range.
    """

    noise_multiplier: float
    """Standard deviation of the noise over the clipping norm, >= 0; 0 adds none and promises nothing."""
    clip: float
    """Largest length of a row's gradient, > 0."""
    sampling_rate: float
    """Probability of a row to take part in a step, in (0, 1]."""
    batch_size: float
    """What the noisy sum is divided by: the number of rows expected in a step, > 0."""
    steps: int
    """Number of steps, > 0."""

    def __post_init__(self) -> None:
        """Refuse what is none of a training."""
        positive = (self.clip, self.batch_size, self.steps)
        if not all(number > 0 and math.isfinite(number) for number in positive):
            raise UsageError(
                f"clip={self.clip:g}, batch_size={self.batch_size:g}, steps={self.steps}; expected positive numbers"
            )
        if not (self.noise_multiplier >= 0 and math.isfinite(self.noise_multiplier)):
            raise UsageError(f"noise_multiplier={self.noise_multiplier:g}; expected a number that is not negative")
        if not 0 < self.sampling_rate <= 1:
            raise UsageError(f"sampling_rate={self.sampling_rate:g}; expected a probability above 0")


class PrivateStep:
    """Makes the gradients that a private step hands to an optimiser.

    Args:
        net: the network; parameters that require no gradient take no part.
        losses: loss of each row.
        privacy: the public numbers.
        noise: where the noise comes from; nothing else may draw from it.
        rows_at_once: rows in memory at a time, which changes nothing else; None takes as many as fit 64 MiB.

    Raises:
        CapabilityMissing: a layer is not supported.
    """

    def __init__(
        self,
        net: nn.Module,
        losses: RowLosses,
        privacy: Privacy,
        noise: torch.Generator,
        rows_at_once: int | None = None,
    ) -> None:
        self._net = net
        self._losses = losses
        self._privacy = privacy
        self._noise = noise
        self._book = Book(net)
        # memory is kept, for a fresh page costs as much as the numbers on it
        self._drawn = [torch.empty(parameter.shape, dtype=parameter.dtype) for parameter in self.parameters]
        self._at_once = rows_at_once
        self._rehearsed = False

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What learns."""
        return self._book.parameters

    def gradients(self, inputs: Tensor, labels: Tensor) -> list[Tensor]:
        """Return the noisy mean of the clipped gradients, one tensor for each of `parameters`.

        Args:
            inputs: the rows that were drawn, (m, …); m may be 0, and then there is noise alone.
            labels: shape (m,).

        Raises:
            SubjectFailed: a gradient became NaN or infinite.
            CapabilityMissing: a layer was used in a way that is not supported.
        """
        std, share = self._privacy.noise_multiplier * self._privacy.clip, 1 / self._privacy.batch_size
        totals = self.clipped_sum(inputs, labels)
        return [
            torch.add(
                drawn.normal_(0.0, std * share, generator=self._noise).to(total.device), total, alpha=share, out=total
            )
            for total, drawn in zip(totals, self._drawn, strict=True)
        ]

    def clipped_sum(self, inputs: Tensor, labels: Tensor) -> list[Tensor]:
        """Return the sum of the rows' clipped gradients before noise, one tensor for each of `parameters`.

        The first call rehearses on made-up rows (see `redan.kernels.dp.rehearsal`).
        """
        if not len(inputs):
            return [torch.zeros_like(parameter, requires_grad=False) for parameter in self.parameters]
        at_once = self._fitting(inputs, labels)
        first, *others = zip(inputs.split(at_once), labels.split(at_once), strict=True)
        totals = self._clipped(*first)
        for part in others:
            for total, more in zip(totals, self._clipped(*part), strict=True):
                total.add_(more)
        return totals

    def _fitting(self, inputs: Tensor, labels: Tensor) -> int:
        if not self._rehearsed:
            fitting = rehearse(self._net, self._losses, inputs, labels)
            self._at_once = self._at_once or fitting
            self._rehearsed = True
        return self._at_once or len(inputs)

    def _clipped(self, inputs: Tensor, labels: Tensor) -> list[Tensor]:
        found = self._book.clipped(lambda: self._losses(self._net(inputs), labels), self._privacy.clip)
        if not math.isfinite(float(found.norms.sum())):
            raise SubjectFailed("a gradient became infinite while training", hint="give a smaller learning_rate")
        return [found.sums[parameter] for parameter in self.parameters]
