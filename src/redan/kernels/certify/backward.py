"""Lower bounds of linear functions of an activation, carried back through the network to its input.

Source: Zhang et al. 2018, "Efficient neural network robustness certification with general activation functions",
theorem 3.2; with free slopes, Xu et al. 2021, "Fast and complete: enabling complete neural network verification with
rapid and massively parallel incomplete verifiers", section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from redan.kernels.certify.affine import Conv
from redan.kernels.certify.graph import Concat, Graph, MaxPool, Node, Rectifier, Smooth, Source, Stack, Sum
from redan.kernels.certify.relaxation import Lines, pool_lines, rectifier_lines, smooth_lines
from redan.kernels.certify.rows import Window, inner, local, pull_window

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.certify.region import Region
    from redan.kernels.certify.relaxation import Box


@dataclass(slots=True, kw_only=True, eq=False)
class Freedom:
    """What may be chosen freely without losing soundness, to be optimised.

    Attributes:
        slopes: rectifier → slope below each uncertain unit for each function, the shape of the coefficients there;
            clamped to [slope, 1] where it is used. Filled with the default choice when first met.
        splits: rectifier → (n, *shape), +1 where the unit is assumed active, -1 inactive, 0 not split.
        coefficients: rectifier → coefficients of the functions there in the last pass, kept where ``recording``.
        recording: whether to keep them.
        multipliers: rectifier → price ≥ 0 of leaving the assumed side, (n, r, *shape); negative values count as 0.
    """

    slopes: dict[int, Tensor] = field(default_factory=dict)
    splits: dict[int, Tensor] = field(default_factory=dict)
    multipliers: dict[int, Tensor] = field(default_factory=dict)
    coefficients: dict[int, Tensor] = field(default_factory=dict)
    recording: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Pass:
    """One backward pass: coefficients that wait at each node, and what has been added up.

    Attributes:
        graph: the network.
        region: where the inputs lie.
        boxes: bounds of the activations, by node.
        freedom: what may be optimised; None takes the default choice.
        window: how the coefficients are cut.
        total: (n, r) or (places, n, r).
    """

    graph: Graph
    region: Region
    boxes: dict[int, Box]
    freedom: Freedom | None
    window: Window | None
    total: Tensor
    waiting: dict[int, Tensor] = field(default_factory=dict)


def lower_bounds(
    graph: Graph,
    start: int,
    coefficients: Tensor,
    *,
    region: Region,
    boxes: dict[int, Box],
    freedom: Freedom | None = None,
    window: Window | None = None,
) -> Tensor:
    """Bound linear functions of a node's output from below, over the region.

    Args:
        graph: the network.
        start: the node.
        coefficients: (n, r, *shape), or (places, n, r, c, size, size) with windows; places and n may be 1 where the
            functions are the same for all.
        region: of n inputs.
        boxes: bounds of what each nonlinear node before ``start`` reads.
        freedom: what may be optimised.
        window: how the coefficients are cut.

    Returns:
        (n, r), or (places, n, r).
    """
    state = Pass(
        graph=graph,
        region=region,
        boxes=boxes,
        freedom=freedom,
        window=window,
        total=torch.zeros((), dtype=coefficients.dtype),
    )
    state.waiting[start] = coefficients
    for place in range(start, 0, -1):
        if place in state.waiting:
            _through(state, place, state.waiting.pop(place))
    # nothing waits at the input when the functions are zero
    last = state.waiting.get(0)
    return state.total if last is None else state.total + least(last, region, state.window)


def least(coefficients: Tensor, region: Region, window: Window | None) -> Tensor:
    """Smallest value of linear functions over the region.

    A ball that is cut by the box is contained in both, so the better of the two bounds holds.
    """
    dims = 3 if window else region.centre.ndim - 1
    middle, radius = (region.low + region.high) / 2, (region.high - region.low) / 2
    boxed = inner(coefficients, local(middle, window), dims) - inner(coefficients.abs(), local(radius, window), dims)
    if region.norm == "linf":
        return boxed
    flat = coefficients.flatten(-dims)
    # the derivative of a Euclidean length at 0 is not a number
    longest = (flat.square().sum(-1) + 1e-30).sqrt() if region.norm == "l2" else flat.abs().amax(-1)
    return torch.maximum(
        boxed, inner(coefficients, local(region.centre, window), dims) - region.radius.unsqueeze(1) * longest
    )


def _through(state: Pass, place: int, coefficients: Tensor) -> None:
    node = state.graph.nodes[place]
    match node.operation:
        case Rectifier(slope=slope):
            lines = rectifier_lines(slope, *state.boxes[node.parents[0]])
            _send(state, node.parents[0], _relaxed(state, place, coefficients, lines, slope))
        case Smooth(name=name):
            lines = smooth_lines(name, *state.boxes[node.parents[0]])
            _send(state, node.parents[0], _relaxed(state, place, coefficients, lines, None))
        case MaxPool():
            _send(state, node.parents[0], _pooled(state, node, coefficients))
        case Sum(signs=signs):
            for sign, parent in zip(signs, node.parents, strict=True):
                _send(state, parent, coefficients * sign)
        case Concat(dim=dim):
            sizes = [state.graph.nodes[parent].shape[dim - 1] for parent in node.parents]
            for parent, part in zip(node.parents, coefficients.split(sizes, dim + 1), strict=True):
                _send(state, parent, part)
        case Stack(dim=dim):
            for parent, part in zip(node.parents, coefficients.unbind(dim + 1), strict=True):
                _send(state, parent, part)
        case _:
            _send(state, node.parents[0], _pulled(state, node, coefficients))


def _send(state: Pass, place: int, coefficients: Tensor) -> None:
    there = state.waiting.get(place)
    state.waiting[place] = coefficients if there is None else there + coefficients


def _pulled(state: Pass, node: Node, coefficients: Tensor) -> Tensor:
    affine, parent = node.operation, state.graph.nodes[node.parents[0]]
    if isinstance(affine, (Source, Sum, Concat, Stack, Rectifier, Smooth, MaxPool)):
        raise AssertionError(affine)
    if affine.offset is not None:
        offset = local(affine.offset.expand(1, *node.shape), state.window)
        state.total = state.total + inner(coefficients, offset, len(node.shape))
    if state.window is None:
        pulled = affine.pull(coefficients.flatten(0, 1), parent.shape)
        return pulled.reshape(*coefficients.shape[:2], *parent.shape)
    if not isinstance(affine, Conv):
        return coefficients * local(affine.factor.expand(1, *node.shape), state.window)  # type: ignore[union-attr]  # windows pass only convolutions and scales
    pulled = pull_window(affine, coefficients, state.window)
    state.window = state.window.before(affine)
    # what lies in the padding is not there, and only a nonlinear node or a scale would say so by its zeros
    inside = local(torch.ones((1, *parent.shape), dtype=pulled.dtype), state.window)
    return pulled * inside if isinstance(parent.operation, Conv) else pulled


def _relaxed(state: Pass, place: int, coefficients: Tensor, lines: Lines, slope: float | None) -> Tensor:
    """Replace an activation by the line that is below the function whose sign the coefficient has."""
    cut = state.window
    dims = len(state.graph.nodes[place].shape)
    above, below = coefficients.clamp_min(0), coefficients.clamp_max(0)
    upper = local(lines.upper_slope, cut)
    lower = local(lines.lower_slope, cut)
    if slope is not None and state.freedom is not None:
        if state.freedom.recording:
            state.freedom.coefficients[place] = coefficients.detach()
        lower = _chosen(state, place, coefficients, lower, slope)
    state.total = state.total + inner(below, local(lines.upper_shift, cut), dims)
    if slope is None:
        state.total = state.total + inner(above, local(lines.lower_shift, cut), dims)
    passed = torch.addcmul(above * lower, below, upper)
    return passed if state.freedom is None else _priced(state.freedom, place, passed)


def _chosen(state: Pass, place: int, coefficients: Tensor, lower: Tensor, slope: float) -> Tensor:
    """Return the slopes under optimisation where a unit is uncertain, the only ones elsewhere."""
    freedom = state.freedom
    assert freedom is not None
    low, high = state.boxes[state.graph.nodes[place].parents[0]]
    uncertain = local(((low < 0) & (high > 0)).to(lower.dtype), state.window) > 0
    if place not in freedom.slopes:
        shape = torch.broadcast_shapes(coefficients.shape, lower.shape)
        freedom.slopes[place] = lower.detach().expand(shape).clone().requires_grad_()
    return torch.where(uncertain, freedom.slopes[place].clamp(slope, 1.0), lower)


def _priced(freedom: Freedom, place: int, passed: Tensor) -> Tensor:
    """Charge a unit assumed active for negative values before it, an inactive one for positive values.

    Source: Wang et al. 2021, "Beta-CROWN", theorem 3.1.
    """
    if place not in freedom.multipliers:
        return passed
    return passed - freedom.splits[place].unsqueeze(1) * freedom.multipliers[place].clamp_min(0)


def _pooled(state: Pass, node: Node, coefficients: Tensor) -> Tensor:
    """Give each window's coefficient to the number followed, or to the window's ceiling."""
    pool, parent = node.operation, state.graph.nodes[node.parents[0]]
    assert isinstance(pool, MaxPool)
    lines = pool_lines(pool, *state.boxes[node.parents[0]])
    above, below = coefficients.clamp_min(0), coefficients.clamp_max(0)
    state.total = state.total + inner(below, local(lines.shift, None), len(node.shape))
    passed = (above + below * local(lines.slope, None)).flatten(3)
    flat = passed.new_zeros(*passed.shape[:3], parent.shape[1] * parent.shape[2])
    places = local(lines.place.flatten(2), None).expand(passed.shape)
    return flat.scatter_add(3, places, passed).reshape(*passed.shape[:3], *parent.shape[1:])
