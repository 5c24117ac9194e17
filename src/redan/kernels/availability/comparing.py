"""Is one input really dearer than usual ones? Paired readings, and a median of ratios with its interval."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.kernels.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LEAST_ROUNDS = 6
"""Fewer readings cannot bound a median at 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Median:
    """A median with its interval and the number of readings."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Median:
        """Take the median of readings; its interval is that of order statistics.

        Raises:
            ValueError: fewer readings than can bound a median.
        """
        if len(values) < LEAST_ROUNDS:
            msg = f"a median with an interval needs {LEAST_ROUNDS} readings, got {len(values)}"
            raise ValueError(msg)
        low, high = median_interval(values)
        return cls(value=statistics.median(values), low=low, high=high, n=len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Costs of a chosen input and of usual ones, read in turns.

    Attributes:
        ratio: chosen over usual, by round.
        chosen: cost of the chosen input.
        usual: cost of the usual inputs.
    """

    ratio: Median
    chosen: Median
    usual: Median

    @property
    def beyond_noise(self) -> bool:
        """Whether the chosen input is dearer with 95 % confidence."""
        return self.ratio.low > 1


def compare(cost: Callable[[Any], float], chosen: Any, usual: Sequence[Any], *, rounds: int) -> Compared:
    """Read both costs in turns, so that a machine that is busy for a while slows both alike.

    Every round takes another usual input, in turn, and which of the two goes first alternates.

    Args:
        cost: of one input; must not remember what was asked before.
        chosen: the input suspected of being dear; the readings that made it suspect are not used again.
        usual: inputs as they come.
        rounds: readings of each.
    """
    dear, plain = [], []
    for number in range(rounds):
        other = usual[number % len(usual)]
        if number % 2:
            dear.append(cost(chosen))
            plain.append(cost(other))
        else:
            plain.append(cost(other))
            dear.append(cost(chosen))
    ratios = [a / b for a, b in zip(dear, plain, strict=True)]
    return Compared(ratio=Median.of(ratios), chosen=Median.of(dear), usual=Median.of(plain))
