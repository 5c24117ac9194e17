"""How each operation that torch knows is said as one that bounds are known for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from redan.kernels.certify.affine import Conv, Dense, Mean, Pick, Scale, View
from redan.kernels.certify.graph import Concat, MaxPool, Operation, Rectifier, Smooth, Stack, Sum

Constant: TypeAlias = Callable[[Any], Any]
"""Gives the value of an argument that does not depend on the input."""
Rule: TypeAlias = Callable[[Any, Constant], tuple[Operation | None, tuple[Any, ...]]]
"""From a traced node to an operation and the traced nodes it reads; None passes its first input on."""

TAIL = frozenset({"softmax", "log_softmax", "log", "clamp_min"})
"""Operations that keep the order of the scores in a row, when they come last."""


class Unsupported(Exception):
    """The operation is known, this use of it is not."""


def _argument(node: Any, place: int, default: Any = None) -> Any:
    return node.args[place] if len(node.args) > place else default


def _tuple(value: Any, count: int) -> tuple[int, ...]:
    numbers = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return numbers * count if len(numbers) == 1 else numbers


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(node.meta["val"].shape)


def _pass(node: Any, constant: Constant) -> tuple[None, tuple[Any, ...]]:
    if node.meta["val"].dtype != node.args[0].meta["val"].dtype:
        msg = f"to {node.meta['val'].dtype}"
        raise Unsupported(msg)
    return None, (node.args[0],)


def _dropout(node: Any, constant: Constant) -> tuple[None, tuple[Any, ...]]:
    if node.args[2]:
        msg = "in training mode"
        raise Unsupported(msg)
    return None, (node.args[0],)


def _linear(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    weight, bias = constant(node.args[1]), constant(_argument(node, 2))
    return Dense(weight=weight, bias=weight.new_zeros(len(weight)) if bias is None else bias), (node.args[0],)


def _matmul(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    weight = constant(node.args[1])
    if weight.ndim != 2:
        msg = f"by a tensor of {weight.ndim} dimensions"
        raise Unsupported(msg)
    return Dense(weight=weight.T, bias=weight.new_zeros(weight.shape[1])), (node.args[0],)


def _addmm(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    bias, weight = constant(node.args[0]), constant(node.args[2])
    return Dense(weight=weight.T, bias=bias.expand(weight.shape[1])), (node.args[1],)


def _conv(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    weight, bias = constant(node.args[1]), constant(_argument(node, 2))
    count = weight.ndim - 2
    padding = _argument(node, 4, 0)
    if isinstance(padding, str):
        if padding != "valid":
            msg = f"with padding {padding!r}"
            raise Unsupported(msg)
        padding = 0
    return Conv(
        weight=weight,
        bias=weight.new_zeros(len(weight)) if bias is None else bias,
        stride=_tuple(_argument(node, 3, 1), count),
        padding=_tuple(padding, count),
        dilation=_tuple(_argument(node, 5, 1), count),
        groups=_argument(node, 6, 1),
    ), (node.args[0],)


def _batch_norm(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    if node.args[5]:
        msg = "with statistics of the batch"
        raise Unsupported(msg)
    weight, bias, mean, var = (constant(argument) for argument in node.args[1:5])
    factor = (var + node.args[7]).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * factor
    spread = (-1, *([1] * (len(_shape(node)) - 2)))
    return Scale(factor=factor.reshape(spread), shift=shift.reshape(spread)), (node.args[0],)


def _average(
    node: Any, constant: Constant, kernel: Any, stride: Any, padding: Any
) -> tuple[Operation, tuple[Any, ...]]:
    channels = _shape(node)[1]
    kernel = _tuple(kernel, 2)
    weight = constant(torch.full((channels, 1, *kernel), 1 / (kernel[0] * kernel[1])))
    return Conv(
        weight=weight,
        bias=weight.new_zeros(channels),
        stride=_tuple(stride, 2) if stride else kernel,
        padding=_tuple(padding, 2),
        dilation=(1, 1),
        groups=channels,
    ), (node.args[0],)


def _avg_pool(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    padding = _argument(node, 3, 0)
    padded = any(_tuple(padding, 2))
    if _argument(node, 4, default=False) or _argument(node, 6) or (padded and not _argument(node, 5, default=True)):
        msg = "with ceil_mode, a divisor or padding that is not counted"
        raise Unsupported(msg)
    return _average(node, constant, node.args[1], _argument(node, 2), padding)


def _adaptive_avg_pool(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    sizes, wanted = _shape(node.args[0])[2:], _shape(node)[2:]
    if any(size % want for size, want in zip(sizes, wanted, strict=True)):
        msg = f"from {sizes} to {wanted}, which is no multiple"
        raise Unsupported(msg)
    kernel = tuple(size // want for size, want in zip(sizes, wanted, strict=True))
    return _average(node, constant, kernel, kernel, 0)


def _max_pool(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    if _argument(node, 5, default=False):
        msg = "with ceil_mode"
        raise Unsupported(msg)
    kernel = _tuple(node.args[1], 2)
    return MaxPool(
        kernel=kernel,
        stride=_tuple(_argument(node, 2), 2) if _argument(node, 2) else kernel,
        padding=_tuple(_argument(node, 3, 0), 2),
        dilation=_tuple(_argument(node, 4, 1), 2),
    ), (node.args[0],)


def _mean(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    count = len(_shape(node.args[0]))
    dims = tuple(sorted(dim % count for dim in _tuple(_argument(node, 1, ()), 1)))
    if not dims or 0 in dims:
        msg = "over the batch"
        raise Unsupported(msg)
    return Mean(dims=dims, keep=bool(_argument(node, 2, default=False))), (node.args[0],)


def _view(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    before, after = _shape(node.args[0]), _shape(node)
    if not after or after[0] != before[0]:
        msg = f"across samples, from {before} to {after}"
        raise Unsupported(msg)
    return View(shape=after[1:]), (node.args[0],)


def _pick(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    """Send the places themselves through the operation, to see where each output comes from."""
    before = _shape(node.args[0])
    places = torch.arange(torch.Size(before).numel()).reshape(before)
    moved = node.target(places, *node.args[1:], **node.kwargs)
    each = places[0].numel()
    if moved.shape[:1] != before[:1] or not torch.equal(moved[1], moved[0] + each) or int(moved[0].max()) >= each:
        msg = "across samples"
        raise Unsupported(msg)
    return Pick(index=moved[0].clone()), (node.args[0],)


def _constant_like(node: Any, argument: Any, constant: Constant) -> torch.Tensor:
    """Bring a constant operand to a shape that broadcasts over one sample of the node's output."""
    value: torch.Tensor = constant(torch.as_tensor(constant(argument)))
    value = value if value.is_floating_point() else constant(value.double())
    if value.ndim < len(_shape(node)):
        return value
    if len(value) != 1:
        msg = "a constant for each sample of a batch"
        raise Unsupported(msg)
    return value[0]


def _depends(argument: Any, constant: Constant) -> bool:
    try:
        constant(argument)
    except Unsupported:
        return True
    return False


def _add(node: Any, constant: Constant, sign: float = 1.0) -> tuple[Operation, tuple[Any, ...]]:
    first, second = node.args[:2]
    sign *= node.kwargs.get("alpha", 1)
    if _depends(first, constant) and _depends(second, constant):
        if _shape(first) != _shape(second):
            msg = f"of shapes {_shape(first)} and {_shape(second)}"
            raise Unsupported(msg)
        return Sum(signs=(1.0, sign)), (first, second)
    variable, held, factor, sign = (
        (first, second, 1.0, sign) if _depends(first, constant) else (second, first, sign, 1.0)
    )
    if _shape(variable) != _shape(node):
        msg = "that repeats the input"
        raise Unsupported(msg)
    shift = _constant_like(node, held, constant) * sign
    return Scale(factor=torch.full_like(shift, factor), shift=shift), (variable,)


def _subtract(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    return _add(node, constant, -1.0)


def _reverse_subtract(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    shift = _constant_like(node, node.args[1], constant)
    if node.kwargs.get("alpha", _argument(node, 2, 1)) != 1:
        msg = "with a factor"
        raise Unsupported(msg)
    return Scale(factor=torch.full_like(shift, -1.0), shift=shift), (node.args[0],)


def _multiply(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    first, second = node.args[:2]
    variable, held = (first, second) if _depends(first, constant) else (second, first)
    if _shape(variable) != _shape(node):
        msg = "that repeats the input"
        raise Unsupported(msg)
    factor = _constant_like(node, held, constant)
    return Scale(factor=factor, shift=torch.zeros_like(factor)), (variable,)


def _divide(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    if _shape(node.args[0]) != _shape(node) or node.kwargs:
        msg = "that repeats or rounds the input"
        raise Unsupported(msg)
    factor = 1 / _constant_like(node, node.args[1], constant)
    return Scale(factor=factor, shift=torch.zeros_like(factor)), (node.args[0],)


def _negate(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    factor = constant(torch.tensor(-1.0))
    return Scale(factor=factor, shift=torch.zeros_like(factor)), (node.args[0],)


def _concat(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    dim = _argument(node, 1, 0) % len(_shape(node))
    if dim == 0 or not all(_depends(part, constant) for part in node.args[0]):
        msg = "along the batch or with constants"
        raise Unsupported(msg)
    return Concat(dim=dim), tuple(node.args[0])


def _stack(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    dim = _argument(node, 1, 0) % len(_shape(node))
    if dim == 0 or not all(_depends(part, constant) for part in node.args[0]):
        msg = "along the batch or with constants"
        raise Unsupported(msg)
    return Stack(dim=dim), tuple(node.args[0])


def _rectifier(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    return Rectifier(), (node.args[0],)


def _leaky(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    slope = float(_argument(node, 1, 0.01))
    if not 0 <= slope < 1:
        msg = f"with slope {slope:g} outside [0, 1)"
        raise Unsupported(msg)
    return Rectifier(slope=slope), (node.args[0],)


def _smooth(node: Any, constant: Constant) -> tuple[Operation, tuple[Any, ...]]:
    # softplus is traced with its defaults, beta 1 and threshold 20
    if node.kwargs.get("approximate", "none") != "none" or tuple(node.args[1:]) not in {(), (1,), (1, 20), (1.0, 20.0)}:
        msg = "with options"
        raise Unsupported(msg)
    name = _KINDS[str(node.target).split(".")[1].rstrip("_")]
    return Smooth(name=name), (node.args[0],)


_KINDS: dict[str, Any] = {name: name for name in ("sigmoid", "tanh", "gelu", "silu", "softplus")}

KNOWN: dict[str, Rule] = {
    **dict.fromkeys(("dropout", "feature_dropout"), _dropout),
    **dict.fromkeys(("contiguous", "clone", "alias", "detach", "to", "lift_fresh_copy"), _pass),
    **dict.fromkeys(("view", "reshape", "flatten", "unsqueeze", "squeeze", "unflatten", "_unsafe_view"), _view),
    **dict.fromkeys(("permute", "transpose", "movedim", "select", "slice", "flip", "expand"), _pick),
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    **dict.fromkeys(_KINDS, _smooth),
    "linear": _linear,
    "matmul": _matmul,
    "addmm": _addmm,
    "batch_norm": _batch_norm,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive_avg_pool,
    "max_pool2d": _max_pool,
    "mean": _mean,
    "add": _add,
    "sub": _subtract,
    "rsub": _reverse_subtract,
    "mul": _multiply,
    "div": _divide,
    "neg": _negate,
    "cat": _concat,
    "stack": _stack,
    "relu": _rectifier,
    "leaky_relu": _leaky,
}
"""Operation of torch → rule."""
