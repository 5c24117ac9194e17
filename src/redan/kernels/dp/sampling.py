"""Which rows take part in a step, and where its random numbers come from.

Each row takes part on its own with a public probability (Poisson sampling), which is what the accountants assume; a
shuffled pass over the data is something else. The number of rows decides nothing else about a step.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from redan.kernels.training.randomness import generator

if TYPE_CHECKING:
    from torch import Tensor

_WORDS = 624
_WORDS_AT = 24
"""Where torch keeps the 624 words of its Mersenne Twister in the 64-bit cells of a generator's state, in bytes."""


class Streams:
    """Random numbers of a private training.

    Args:
        seed: the same seed gives the same rows and noise; None draws from the operating system, so that nobody can
            subtract the noise. A torch generator keeps 32 bits of a seed, few enough to try them all.
    """

    __slots__ = ("_seed", "noise", "secret")

    def __init__(self, seed: int | None) -> None:
        self.secret = seed is None
        self._seed = 0 if seed is None else seed
        self.noise = _unguessable() if seed is None else generator(seed, "noise")

    def rows(self, step: int) -> torch.Generator:
        """Return the stream that chooses the rows of a step."""
        return _unguessable() if self.secret else generator(self._seed, "rows", step)


def poisson_rows(n: int, sampling_rate: float, draws: torch.Generator) -> Tensor:
    """Choose each of n rows with a probability; none may be chosen.

    Args:
        n: rows there are.
        sampling_rate: probability in (0, 1].
        draws: where chance comes from.

    Returns:
        Places in ascending order, int64; sampling_rate · n of them on average.
    """
    # 53 bits: with the 24 of single precision a small rate would be off by more than its share
    return torch.nonzero(torch.rand(n, generator=draws, dtype=torch.float64) < sampling_rate).flatten()


def _unguessable() -> torch.Generator:
    """Return a generator whose whole state, not only a seed, comes from the operating system."""
    made = torch.Generator().manual_seed(0)
    state = made.get_state()
    cells = state[_WORDS_AT : _WORDS_AT + 8 * _WORDS].view(torch.int64)
    words = torch.frombuffer(bytearray(os.urandom(4 * _WORDS)), dtype=torch.int32)
    cells.copy_(words.to(torch.int64) & 0xFFFFFFFF)
    return made.set_state(state)
