"""Bounds of all activations and of the margins of a network over balls around inputs, many inputs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.certify.affine import Conv, Dense, Mean
from redan.kernels.certify.backward import Freedom, lower_bounds
from redan.kernels.certify.graph import Concat, Graph, MaxPool, Rectifier, Smooth, Stack, Sum
from redan.kernels.certify.relaxation import interval
from redan.kernels.certify.rows import widest, window_of

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.certify.region import Region
    from redan.kernels.certify.relaxation import Box
    from redan.kernels.certify.rows import Window

SLACK = 1e-5
"""Share of a layer's largest bound by which its bounds are widened, against the rounding of float32. Measured against
float64 the bounds of nets with thousands of units a layer err by about a tenth of it."""
CHUNK = 1 << 24
"""Most coefficients at the input that one backward pass may hold."""


def ibp(graph: Graph, region: Region) -> dict[int, Box]:
    """Interval bounds of every node, (n, *shape) each."""
    boxes: dict[int, Box] = {0: (region.low, region.high)}
    for place, node in enumerate(graph.nodes[1:], start=1):
        boxes[place] = widened(interval(node, [boxes[parent] for parent in node.parents]))
    return boxes


def crown(
    graph: Graph,
    region: Region,
    *,
    freedom: dict[int, Freedom] | None = None,
    known: dict[int, Box] | None = None,
) -> dict[int, Box]:
    """Bounds of every node but the last: intervals, and backward bounds of what nonlinear nodes read.

    Args:
        graph: the network.
        region: around n inputs.
        freedom: for each node what may be optimised in its bounds, or None for the default choice.
        known: bounds from before, which are kept where they are better; units that are certain in them and those
            written as windows are left out.

    Returns:
        By node, lowest and highest value, (n, *shape) each.
    """
    boxes: dict[int, Box] = {0: (region.low, region.high)}
    wanted = needing_bounds(graph, exact_boxes=region.norm == "linf")
    for place in range(1, len(graph.nodes) - 1):
        node = graph.nodes[place]
        box = interval(node, [boxes[parent] for parent in node.parents])
        box = box if isinstance(node.operation, (Rectifier, MaxPool, Concat, Stack)) else widened(box)
        before = box if known is None else known[place]
        if place in wanted and (known is None or repays(graph, place, before)):
            own = None if freedom is None else freedom.setdefault(place, Freedom())
            box = cut(box, tightened(graph, place, region, boxes, before, own))
        boxes[place] = box if known is None else cut(box, before)
    return boxes


def needing_bounds(graph: Graph, *, exact_boxes: bool) -> set[int]:
    """Nodes that a nonlinear node reads and whose interval bounds are not exact already.

    Args:
        graph: the network.
        exact_boxes: the region is a box, so that the intervals of one mixing layer right after it are exact.
    """
    mixed = [0] * len(graph.nodes)
    for place, node in enumerate(graph.nodes):
        before = max((mixed[parent] for parent in node.parents), default=0)
        if isinstance(node.operation, (Dense, Conv, Mean)):
            mixed[place] = before + 1
        elif isinstance(node.operation, (Rectifier, Smooth, MaxPool, Sum, Concat, Stack)):
            mixed[place] = before + 1 if isinstance(node.operation, Sum) or before else before
        else:
            mixed[place] = before
    read = {
        parent
        for node in graph.nodes
        if isinstance(node.operation, (Rectifier, Smooth, MaxPool))
        for parent in node.parents
    }
    return {place for place in read if mixed[place] > (1 if exact_boxes else 0)}


def repays(graph: Graph, place: int, before: Box) -> bool:
    """Whether it is worth to bound a node a second time with free slopes, which are kept for every function.

    Windows have many more functions for each input than they can repay; beyond a size the slopes would not fit.
    """
    functions = 2 * len(before[0]) * uncertain_units(graph, place, before).shape[1]
    return window_of(graph, place) is None and functions * widest(graph, place, None) <= CHUNK


def tightened(
    graph: Graph, place: int, region: Region, boxes: dict[int, Box], before: Box, freedom: Freedom | None
) -> Box:
    """Backward bounds of a node, where there is something to gain.

    Args:
        graph: the network.
        place: of the node.
        region: around n inputs.
        boxes: bounds of the nodes before it.
        before: bounds of the node itself, valid; returned for units that are left out.
        freedom: what may be optimised.
    """
    window = window_of(graph, place)
    if window is not None:
        return widened(_bounds_by_window(graph, place, region, boxes, window))
    chosen = uncertain_units(graph, place, before)
    low, high = (end.flatten(1) for end in before)
    if chosen.shape[1]:
        found = widened(_bounds_in_full(graph, place, region, boxes, freedom, chosen))
        low, high = (end.scatter(1, chosen, new) for end, new in zip((low, high), found, strict=True))
    return low.reshape_as(before[0]), high.reshape_as(before[1])


def cut(first: Box, second: Box) -> Box:
    """Box that lies in both boxes."""
    return torch.maximum(first[0], second[0]), torch.minimum(first[1], second[1])


def uncertain_units(graph: Graph, place: int, box: Box) -> Tensor:
    """Units of each input whose bounds matter, (n, r): where only rectifiers read them, those that may have both signs.

    Inputs with fewer of them than others repeat some unit that is certain.
    """
    low, high = (end.detach().flatten(1) for end in box)
    readers = [node.operation for node in graph.nodes if place in node.parents]
    if not all(isinstance(reader, Rectifier) for reader in readers):
        return torch.arange(low.shape[1]).expand(len(low), -1)
    uncertain = (low < 0) & (high > 0)
    most = int(uncertain.sum(dim=1).max())
    order: Tensor = uncertain.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices
    return order[:, :most]


def _bounds_in_full(
    graph: Graph,
    place: int,
    region: Region,
    boxes: dict[int, Box],
    freedom: Freedom | None,
    chosen: Tensor,
) -> Box:
    shape = graph.nodes[place].shape
    units = torch.eye(torch.Size(shape).numel(), dtype=region.centre.dtype)
    width = widest(graph, place, None)
    step = chosen.shape[1] if freedom is not None else max(1, CHUNK // (2 * len(region) * width))
    lows, highs = [], []
    for part in chosen.split(step, dim=1):
        rows = units[part].reshape(*part.shape, *shape)
        both = torch.cat([rows, -rows], dim=1)
        found = lower_bounds(graph, place, both, region=region, boxes=boxes, freedom=freedom)
        low, high = found.split(part.shape[1], dim=1)
        lows.append(low)
        highs.append(-high)
    return torch.cat(lows, dim=1), torch.cat(highs, dim=1)


def _bounds_by_window(graph: Graph, place: int, region: Region, boxes: dict[int, Box], window: Window) -> Box:
    channels, height, width = graph.nodes[place].shape
    units = torch.eye(channels, dtype=region.centre.dtype)
    step = max(1, CHUNK // (2 * len(region) * widest(graph, place, window)))
    lows, highs = [], []
    for part in units.split(step):
        both = torch.cat([part, -part]).reshape(1, 1, 2 * len(part), channels, 1, 1)
        found = lower_bounds(graph, place, both, region=region, boxes=boxes, window=window)
        low, high = found.permute(1, 2, 0).reshape(len(region), 2 * len(part), height, width).chunk(2, dim=1)
        lows.append(low)
        highs.append(-high)
    return torch.cat(lows, dim=1), torch.cat(highs, dim=1)


def widened(box: Box) -> Box:
    """Move both ends outwards by more than rounding can have moved them inwards."""
    low, high = box
    size = torch.maximum(low.abs(), high.abs()).detach().reshape(len(low), -1).amax(dim=1)
    slack = SLACK * size.reshape(-1, *([1] * (low.ndim - 1)))
    return low - slack, high + slack


def margin_rows(labels: Tensor, n_classes: int, *, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Coefficients of the margins z_y - z_j.

    Args:
        labels: (n,) true classes.
        n_classes: k.
        dtype: of the coefficients.

    Returns:
        Coefficients (n, k - 1, k), and the other class j of each, (n, k - 1).
    """
    units = torch.eye(n_classes, dtype=dtype)
    others = torch.arange(n_classes - 1).expand(len(labels), -1)
    others = others + (others >= labels[:, None]).long()
    return units[labels].unsqueeze(1) - units[others], others


def crown_margins(graph: Graph, region: Region, labels: Tensor) -> Tensor:
    """Lower bounds of the margins z_y - z_j over the region for all other classes j, (n, k - 1), by plain CROWN."""
    rows, _ = margin_rows(labels, graph.n_classes, dtype=region.centre.dtype)
    return bounded_rows(graph, rows, region, crown(graph, region))


def bounded_rows(graph: Graph, rows: Tensor, region: Region, boxes: dict[int, Box]) -> Tensor:
    """Lower bounds (n, r) of linear functions (n, r, k) of the scores, as many at once as memory is meant for."""
    last = len(graph.nodes) - 1
    step = max(1, CHUNK // (len(region) * widest(graph, last, None)))
    found = [lower_bounds(graph, last, part, region=region, boxes=boxes) for part in rows.split(step, dim=1)]
    return torch.cat(found, dim=1)


def ibp_margins(graph: Graph, region: Region, labels: Tensor) -> Tensor:
    """Lower bounds of the margins by intervals up to the last affine part, (n, k - 1)."""
    low, high = ibp(graph, region)[len(graph.nodes) - 1]
    _, others = margin_rows(labels, graph.n_classes, dtype=low.dtype)
    return low.gather(1, labels[:, None]) - high.gather(1, others)
