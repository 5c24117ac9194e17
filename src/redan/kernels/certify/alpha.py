"""CROWN with the slopes below uncertain rectifiers optimised, for the margins and for the bounds they rest on.

Source: Xu et al. 2021, "Fast and complete: enabling complete neural network verification with rapid and massively
parallel incomplete verifiers", section 3.1 (alpha-CROWN).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from redan.kernels.certify.backward import Freedom, lower_bounds
from redan.kernels.certify.crown import bounded_rows, crown, cut, margin_rows
from redan.kernels.certify.relaxation import interval

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.watch import Watch
    from redan.kernels.certify.graph import Graph
    from redan.kernels.certify.region import Region
    from redan.kernels.certify.relaxation import Box

MARGIN_SLACK = 1e-5
"""Share of the largest score by which a margin's bound is lowered, against the rounding of float32."""
LEARNING_RATE = 0.25
DECAY = 0.98


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounded:
    """What is known of n inputs.

    Attributes:
        region: around the inputs.
        labels: true classes, (n,).
        boxes: bounds of each node but the last.
        margins: lower bounds of z_y - z_j for each other class, (n, k - 1), rounding taken off.
        slack: what was taken off, (n,).
    """

    region: Region
    labels: Tensor
    boxes: dict[int, Box]
    margins: Tensor
    slack: Tensor

    def certified(self) -> Tensor:
        """Whether no point of the region is misclassified, (n,)."""
        return (self.margins > 0).all(dim=1)

    def rows(self, chosen: Tensor) -> Bounded:
        """Return what is known of chosen inputs."""
        return Bounded(
            region=self.region.rows(chosen),
            labels=self.labels[chosen],
            boxes={place: (low[chosen], high[chosen]) for place, (low, high) in self.boxes.items()},
            margins=self.margins[chosen],
            slack=self.slack[chosen],
        )


def plain(graph: Graph, region: Region, labels: Tensor) -> Bounded:
    """Bound the margins by plain CROWN.

    Args:
        graph: the network.
        region: around n inputs.
        labels: (n,).
    """
    with torch.no_grad():
        rows, _ = margin_rows(labels, graph.n_classes, dtype=region.centre.dtype)
        boxes = crown(graph, region)
        last = graph.nodes[-1]
        low, high = interval(last, [boxes[parent] for parent in last.parents])
        slack = MARGIN_SLACK * torch.maximum(low.abs(), high.abs()).amax(dim=1)
        margins = bounded_rows(graph, rows, region, boxes)
        return Bounded(region=region, labels=labels, boxes=boxes, margins=margins - slack.unsqueeze(1), slack=slack)


def optimised(graph: Graph, found: Bounded, *, steps: int, watch: Watch) -> Bounded:
    """Tighten bounds by ascent on the slopes; every step is valid, so the best of all is kept.

    Args:
        graph: the network.
        found: bounds to start from.
        steps: of Adam.
        watch: asked to stop between steps.
    """
    rows, _ = margin_rows(found.labels, graph.n_classes, dtype=found.region.centre.dtype)
    inner: dict[int, Freedom] = {}
    outer = Freedom()
    optimiser: torch.optim.Adam | None = None
    margins, boxes = found.margins, found.boxes
    for _ in range(steps):
        if watch.stopped() or bool((margins > 0).all()):
            break
        with torch.enable_grad():
            now = crown(graph, found.region, freedom=inner, known=found.boxes)
            bounds = lower_bounds(
                graph, len(graph.nodes) - 1, rows, region=found.region, boxes=now, freedom=outer
            ) - found.slack.unsqueeze(1)
            slopes = [slope for freedom in (outer, *inner.values()) for slope in freedom.slopes.values()]
            if not slopes:
                break
            optimiser = optimiser or torch.optim.Adam(slopes, lr=LEARNING_RATE)
            optimiser.zero_grad()
            bounds.clamp_max(0).sum().neg().backward()
        optimiser.step()
        _settle(optimiser, slopes)
        margins = torch.maximum(margins, bounds.detach())
        boxes = {place: cut(boxes[place], (low.detach(), high.detach())) for place, (low, high) in now.items()}
    return replace(found, margins=margins, boxes=boxes)


def _settle(optimiser: torch.optim.Adam, slopes: list[Tensor]) -> None:
    """Bring the slopes back into [0, 1], where their gradient is not lost, and shorten the next step."""
    with torch.no_grad():
        for slope in slopes:
            slope.clamp_(0.0, 1.0)
    for group in optimiser.param_groups:
        group["lr"] *= DECAY
