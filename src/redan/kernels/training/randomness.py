"""Random numbers of training: streams of our own, and the global one given back untouched."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from redan.core.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = 2**63


def generator(seed: int, *keys: str | int) -> torch.Generator:
    """Return a stream for one purpose, named by keys."""
    return torch.Generator().manual_seed(derive(seed, *keys) % _WORD)


@contextmanager
def own_randomness(seed: int, *keys: str | int) -> Iterator[None]:
    """Let layers such as dropout, and fresh weights, draw from a stream of their own.

    They can only draw from the global stream, which is afterwards as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator(seed, *keys).get_state())
        yield
