"""Rewrites a model's operations while it runs, so that a gradient exists where the model gives none.

Every value stays what the model computes; only the way back changes. A whole or logical tensor cannot carry a gradient,
so it gets a *shadow*: the real-valued tensor it would be without the step. What is computed from it is computed from
the shadow as well, and the first floating-point result takes its gradient from there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

if TYPE_CHECKING:
    from collections.abc import Callable

_BELOW = {"gt", "ge", "__gt__", "__ge__", "greater", "greater_equal"}
_ABOVE = {"lt", "le", "__lt__", "__le__", "less", "less_equal"}
_WHOLE = {"to", "type", "type_as", "long", "int", "short", "byte", "char", "bool"}
_SQUASHING = {
    "softmax",
    "log_softmax",
    "_softmax",
    "sigmoid",
    "logsigmoid",
    "expit",
    "exp",
    "tanh",
    "hardtanh",
    "clamp",
}
_SQUASHING |= {"clamp_max", "clamp_min", "relu", "round", "floor", "argmax", "topk", "sort", "max", "half"}
_LEAVING = {"numpy", "__array__", "item", "tolist", "__bool__", "__float__", "__int__", "__index__", "__len__", "equal"}
_OUTSIDE = {"numpy", "__array__", "tolist"}
_RETURNING = {"tensor", "as_tensor", "stack", "cat", "__getitem__", "embedding", "take", "gather"}
_LEARNING = (torch.autograd.grad, torch.autograd.backward, Tensor.backward)
_SHADOWED: dict[str, Callable[..., Any]] = {
    "__invert__": lambda a: 1 - a,
    "bitwise_not": lambda a: 1 - a,
    "logical_not": lambda a: 1 - a,
    "__and__": lambda a, b: a * b if _same_kind(a, b) else a,
    "logical_and": lambda a, b: a * b,
    "__or__": lambda a, b: a + b - a * b if _same_kind(a, b) else a,
    "logical_or": lambda a, b: a + b - a * b,
    "__rshift__": lambda a, b: a / 2**b,
    "__lshift__": lambda a, b: a * 2**b,
    "bitwise_right_shift": lambda a, b: a / 2**b,
    "bitwise_left_shift": lambda a, b: a * 2**b,
    "__floordiv__": torch.true_divide,
    "floor_divide": torch.true_divide,
}
"""What an operation on whole or logical tensors is for their shadows, where it is not the operation itself."""
_SMALLEST = 1e-12
_UNSATURATED = 8.0
"""Difference of scores up to which a softmax has a gradient worth following."""


def _same_kind(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor)


class Rewriting(TorchFunctionMode):
    """While it is entered, operations of torch called from Python on anything derived from `inputs` are rewritten.

    Args:
        inputs: the batch, shape (n, ...), requiring gradients.

    Attributes:
        squashed: what went into each operation that may lose differences between scores, such as a softmax, in order.
        learned: how often the model asked for gradients or ran a backward pass itself.
    """

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.squashed: list[Tensor] = []
        self.learned = 0
        self._inputs = inputs
        self._outside = False
        self._shadows: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation."""
        kwargs, name = kwargs or {}, _name(func)
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if func in _LEARNING:
            self.learned += 1
            return func(*args, **kwargs)
        if first is not None and name in _LEAVING:
            self._outside = self._outside or name in _OUTSIDE
            return func(first.detach(), *args[1:], **kwargs)
        if name == "_set_grad_enabled" or (first is not None and _in_place(name) and first.is_leaf):
            return func(*args, **kwargs)
        # a model that switches gradients off around part of itself gets them back
        with torch.inference_mode(mode=False), torch.enable_grad():
            if self._outside and first is not None and self._came_back(first):
                first = _borrow(first, self._inputs.to(first))
                args = (first, *args[1:])
            if first is not None and first.requires_grad:
                return self._differentiable(name, func, first, args, kwargs)
            return self._linked(name, self._shadowed(name, func, args, kwargs))

    def _differentiable(
        self, name: str, func: Any, first: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if name in {"detach", "data"}:
            return first.clone()
        if name in {"sign", "sgn"}:
            return _borrow(func(first.detach()), torch.tanh(first / _width(first)))
        if name in {"masked_fill", "masked_fill_"} and _is_nan(args[2] if len(args) > 2 else kwargs.get("value")):
            return first.clone()
        if name in _SQUASHING and first.ndim in {1, 2} and len(first) == len(self._inputs):
            self.squashed.append(first)
        out = self._shadowed(name, func, args, kwargs)
        if name == "softmax" and isinstance(out, Tensor):
            return _borrow(out.detach(), _softened(func, first, args, kwargs))
        if name in _BELOW | _ABOVE and isinstance(out, Tensor):
            gap = (first - args[1]) if name in _BELOW else (args[1] - first)
            self._keep(out, torch.sigmoid(gap / _width(gap)))
        elif name in _WHOLE and isinstance(out, Tensor) and not out.is_floating_point():
            self._keep(out, first)
        return out

    def _shadowed(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation, and once more on the shadows of its arguments where there are any."""
        if name == "where" and len(args) == 3:
            return self._chosen(func, *args)
        out = func(*args, **kwargs)
        if not isinstance(out, Tensor) or not self._any_shadow((args, kwargs)):
            return out
        soft = self._soft(_SHADOWED.get(name, func), args, kwargs)
        if soft is None or soft.shape != out.shape:
            return out
        if out.is_floating_point():
            return _borrow(out, soft)
        self._keep(out, soft)
        return out

    def _soft(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        soft_args, soft_kwargs = tree_map(self._shadow_or_constant, (args, kwargs))
        try:
            soft = func(*soft_args, **soft_kwargs)
        except (RuntimeError, TypeError, IndexError, ValueError):
            return None  # the operation is for whole numbers only: no gradient leads through it
        return soft if isinstance(soft, Tensor) and soft.is_floating_point() else None

    def _chosen(self, func: Any, condition: Any, yes: Any, no: Any) -> Any:
        """A choice between two values: its condition matters too, and a branch of NaN is a refusal to be ignored."""
        if _is_nan(yes) or _is_nan(no):
            return no if _is_nan(yes) else yes
        out = func(condition, yes, no)
        shadow = self._shadows.get(id(condition))
        if shadow is None:
            return out
        apart = torch.as_tensor(yes).detach() - torch.as_tensor(no).detach()
        return _borrow(out, shadow[1] * apart.to(out), keep=True)

    def _linked(self, name: str, out: Any) -> Any:
        """Where values come back from outside torch in the shape of the input, let them depend on the input."""
        if name in _RETURNING and isinstance(out, Tensor) and self._came_back(out):
            return _borrow(out, self._inputs.to(out))
        return out

    def _came_back(self, values: Tensor) -> bool:
        """Whether these values may be the inputs after a detour that torch did not record."""
        return values.shape == self._inputs.shape and values.is_floating_point() and not values.requires_grad

    def _keep(self, hard: Tensor, soft: Tensor) -> None:
        self._shadows[id(hard)] = (hard, soft)  # holding the tensor keeps its id from being given to another

    def _any_shadow(self, tree: Any) -> bool:
        found = False

        def look(leaf: Any) -> Any:
            nonlocal found
            found = found or id(leaf) in self._shadows
            return leaf

        if self._shadows:
            tree_map(look, tree)
        return found

    def _shadow_or_constant(self, leaf: Any) -> Any:
        if id(leaf) in self._shadows:
            return self._shadows[id(leaf)][1]
        return leaf.detach() if isinstance(leaf, Tensor) else leaf


def _borrow(hard: Tensor, soft: Tensor, *, keep: bool = False) -> Tensor:
    """The values of one tensor with the gradient of another; with `keep`, beside its own."""
    own = hard if hard.requires_grad or keep else hard.detach()
    return own + (soft - soft.detach()).to(own.dtype)


def _softened(func: Any, scores: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """A softmax of scores that are divided, row by row, until none of them vanishes beside another."""
    dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)
    spread = (scores.amax(dim, keepdim=True) - scores.amin(dim, keepdim=True)).detach().float()
    softened: Tensor = func((scores / (spread / _UNSATURATED).clamp_min(1.0)).float(), *args[1:], **kwargs)
    return softened


def _width(values: Tensor) -> Tensor:
    """The width of a soft step: the mean size of what is compared."""
    return values.detach().abs().mean().clamp_min(_SMALLEST)


def _is_nan(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.is_floating_point() and bool(value.isnan().all())
    return isinstance(value, float) and math.isnan(value)


def _in_place(name: str) -> bool:
    return name.endswith("_") and not name.startswith("__")


def _name(func: Any) -> str:
    """Name of an operation; that of the attribute where it reads one."""
    name: str = getattr(func, "__name__", "")
    return getattr(getattr(func, "__self__", None), "__name__", name) if name == "__get__" else name
