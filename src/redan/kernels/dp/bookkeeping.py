"""Clipped gradient sums by book-keeping: one forward pass, one backward pass that leaves the weights out.

While the backward pass computes gradients of activations only, each layer's input and the gradient of its output are
written down. From those two follow the length of each row's gradient and, once all lengths are known, the sum of the
clipped gradients, without any row's gradient being made where that costs more (Bu, Wang, Zha & Karypis 2023,
"Differentially private optimization on large model at small cost", algorithm 1).
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from redan.core.errors import CapabilityMissing
from redan.kernels.dp import layers
from redan.kernels.dp.attention import attend
from redan.kernels.dp.layers import Placed, Target
from redan.kernels.dp.shares import Share, Tokens, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SLACK = 1e-6
"""Added to lengths before dividing by them, so that rounding leaves no row longer than the clipping norm."""

Losses: TypeAlias = "Callable[[], Tensor]"
"""Runs the network on some rows and returns the loss of each, shape (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clipped:
    """A sum of clipped gradients."""

    sums: dict[Tensor, Tensor]
    """For each parameter that learns; zero where no gradient arrived."""
    norms: Tensor
    """Length of each row's gradient before clipping, shape (n,)."""
    held_bytes: int
    """Activations and gradients that were held at once."""


@dataclass(slots=True, eq=False)
class _Use:
    """One call of a layer."""

    inputs: Tensor
    version: int
    placed: Callable[[Tensor, Tensor], list[Placed]]
    name: str
    gradient: Tensor | None = None


class Book:
    """What layers were given and what came back.

    Args:
        net: the network; its layers are checked once.

    Raises:
        CapabilityMissing: a layer whose gradients by row are not known, or which mixes rows.
    """

    def __init__(self, net: nn.Module) -> None:
        self.parameters = [p for p in net.parameters() if p.requires_grad]
        self._layers = layers.check(net)
        self._names = {id(layer): name for name, layer in net.named_modules()}
        self._uses: list[_Use] = []
        self._tokens: dict[object, Tokens] = {}
        self._anchor = torch.zeros((), requires_grad=True)

    def clipped(self, losses: Losses, clip: float) -> Clipped:
        """Return the sum of the rows' gradients, each first scaled down to the clipping norm if it is longer.

        Args:
            losses: runs the network on n > 0 rows.
            clip: largest Euclidean length of a row's gradient over all parameters; infinity clips nothing.

        Raises:
            CapabilityMissing: the losses are not one a row, a layer's first axis is not the rows, or an input of a
                layer was overwritten.
        """
        try:
            with self._writing(), torch.enable_grad():
                each = losses()
                if each.ndim != 1:
                    raise CapabilityMissing(
                        f"the loss has shape {tuple(each.shape)}; expected one number for each row",
                        hint="use reduction='none'",
                    )
                if each.requires_grad:
                    torch.autograd.grad(each.sum(), self._anchor, allow_unused=True)
            return self._closed(len(each), clip, each)
        finally:
            self._uses.clear()
            self._tokens.clear()

    def record(self, output: Tensor, inputs: Tensor, name: str, placed: Callable[..., list[Placed]]) -> Tensor:
        """Write down one use of some parameters, and return the output, through which its gradient will pass.

        Args:
            output: of the use.
            inputs: that it was given.
            name: the layer.
            placed: makes shares of inputs and output gradient.
        """
        use = _Use(inputs.detach(), inputs._version, placed, name)
        if output._is_view():
            # a later write into a view would take the hook to another gradient; this is the same memory, yet no view
            output = torch.ops.aten._unsafe_view(output, output.shape)
        if not output.requires_grad:
            output = _Rooted.apply(output, self._anchor)  # type: ignore[no-untyped-call]  # torch gives it no types
        output.register_hook(partial(setattr, use, "gradient"))
        self._uses.append(use)
        return output

    def tokens(self, inputs: Tensor) -> Tokens:
        """Return inputs as n rows of vectors, one object for one tensor."""
        key = inputs.data_ptr(), tuple(inputs.shape), inputs.stride()
        return self._tokens.setdefault(key, Tokens(inputs.reshape(len(inputs), -1, inputs.shape[-1])))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        hooks = []
        for layer in self._layers:
            if isinstance(layer, nn.MultiheadAttention):
                layer.__dict__["forward"] = partial(attend, layer, self, self._names[id(layer)])
            else:
                hooks.append(layer.register_forward_hook(self._called, with_kwargs=True))
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self.parameters:
                parameter.requires_grad_(True)
            for hook in hooks:
                hook.remove()
            for layer in self._layers:
                layer.__dict__.pop("forward", None)

    def _called(self, layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> Tensor:
        inputs = given[0] if given else next(iter(named.values()))
        shares_of = partial(layers.shares, layer, tokens_of=self.tokens)
        return self.record(output, inputs, self._names[id(layer)], shares_of)

    def _closed(self, n: int, clip: float, like: Tensor) -> Clipped:
        held = sum(_bytes(use.inputs) + _bytes(use.gradient) for use in self._uses)
        shares = self._shares(n)
        squared = torch.zeros(n, dtype=like.dtype, device=like.device)
        for share in shares.values():
            squared += share.squared_norms()
        norms = squared.sqrt()
        factors = (clip / (norms + _SLACK)).clamp_(max=1.0)
        return Clipped(sums=_sums(self.parameters, shares, factors), norms=norms, held_bytes=held)

    def _shares(self, n: int) -> dict[Target, Share]:
        """Turn what was written down into one share for each parameter."""
        learning: set[Tensor] = set(self.parameters)
        found: dict[Target, list[Share]] = {}
        for use in self._uses:
            if use.gradient is None:
                continue
            _check_use(use, n)
            for target, share in use.placed(use.inputs, use.gradient):
                if target.parameter in learning:
                    found.setdefault(target, []).append(share)
        return {target: summed(parts) for target, parts in found.items()}


class _Rooted(torch.autograd.Function):
    """Lets a gradient flow to an output that depends on nothing that learns."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, anchor: Tensor) -> Tensor:
        ctx.mark_dirty(output)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None]:
        return None, None


def _sums(parameters: list[nn.Parameter], shares: dict[Target, Share], factors: Tensor) -> dict[Tensor, Tensor]:
    parts: dict[Tensor, list[tuple[Target, Tensor]]] = {parameter: [] for parameter in parameters}
    for target, share in shares.items():
        parts[target.parameter].append((target, share.weighted(factors)))
    return {parameter: _assembled(parameter, found) for parameter, found in parts.items()}


def _assembled(parameter: Tensor, parts: list[tuple[Target, Tensor]]) -> Tensor:
    if len(parts) == 1 and parts[0][1].shape == parameter.shape:
        return parts[0][1]
    whole = torch.zeros_like(parameter, requires_grad=False)
    for target, part in parts:
        whole[target.start : target.stop] += part
    return whole


def _check_use(use: _Use, n: int) -> None:
    if len(use.inputs) != n or use.gradient is None or len(use.gradient) != n:
        raise CapabilityMissing(
            f"layer {use.name!r} was given {tuple(use.inputs.shape)} for {n} rows; expected the rows as first axis",
            hint="use batch_first=True, and let every layer keep the rows apart",
        )
    if use.inputs._version != use.version:
        raise CapabilityMissing(
            f"the input of layer {use.name!r} was overwritten after it had been used",
            hint="write x = x + y instead of x += y, and inplace=False",
        )


def _bytes(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.numel() * tensor.element_size()
