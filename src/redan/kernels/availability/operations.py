"""Count what a torch model computes for one input: exact, free of noise, and blind to nothing that torch dispatches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2), "_addmm_activation": (1, 2)}
"""Name → places of the two factors of a matrix product."""
_CONVOLUTIONS = frozenset({"convolution", "mkldnn_convolution", "_convolution"})
_TRANSPOSED = 6
"""Place of the flag that a convolution is transposed."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was computed.

    Attributes:
        products: multiply-accumulates of matrix products and convolutions.
        live: those of them whose factors are not zero, by the mean density of both factors.
        elements: values that any other operation produced.
        by_kind: operation → (products, live).
    """

    products: float = 0.0
    live: float = 0.0
    elements: float = 0.0
    by_kind: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def work(self) -> float:
        """Everything that is computed, zeros included."""
        return self.products + self.elements

    @property
    def energy(self) -> float:
        """Everything that hardware which skips zeros computes."""
        return self.live + self.elements

    def product(self, kind: str, count: float, density: float) -> None:
        """Add multiply-accumulates."""
        self.products += count
        self.live += count * density
        before, live = self.by_kind.get(kind, (0.0, 0.0))
        self.by_kind[kind] = (before + count, live + count * density)


class _Counting(TorchDispatchMode):
    """Adds every operation that is dispatched while it is entered."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self._tally = tally

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and add it."""
        del types
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _PRODUCTS:
            first, second = (args[place] for place in _PRODUCTS[name])
            self._tally.product(name, float(out.numel()) * first.shape[-1], _density(first) * _density(second))
        elif name in _CONVOLUTIONS:
            self._convolved(name, args, out)
        elif isinstance(out, torch.Tensor):
            self._tally.elements += out.numel()
        return out

    def _convolved(self, name: str, args: Any, out: Tensor) -> None:
        x, weight = args[:2]
        transposed = len(args) > _TRANSPOSED and args[_TRANSPOSED] is True
        each = weight.numel() / weight.shape[0]
        count = (x if transposed else out).numel() * each
        self._tally.product(name, count, _density(x) * _density(weight))


def _density(x: Tensor) -> float:
    return float(torch.count_nonzero(x)) / max(x.numel(), 1)


def count(model: Callable[[Tensor], Tensor], x: Tensor) -> Tally:
    """Count what a model computes for inputs (n, …); give one at a time where its work depends on the input.

    Source: Shumailov et al. 2021, section 3.1: energy as the density of activations where hardware skips zeros, and
    the number of computations where they depend on the input.
    """
    tally = Tally()
    with torch.no_grad(), _Counting(tally):
        model(x)
    return tally
