"""Which inputs of a set no attack within a distance can move to a wrong class: cheap bounds first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.core.errors import ShapeMismatch, Skipped
from redan.kernels.attacks.watch import Watch, never, silent
from redan.kernels.certify.alpha import Bounded, optimised, plain
from redan.kernels.certify.branch import branched
from redan.kernels.certify.crown import CHUNK
from redan.kernels.certify.region import Region
from redan.kernels.certify.rows import widest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.certify.graph import Graph
    from redan.kernels.certify.region import Norm

STAGES = ("crown", "alpha-crown", "branch and bound")
"""What can certify an input, in order."""
WRONG, FELL, OPEN, UNSEEN = -1, -2, -3, -4
"""Instead of a stage: misclassified without attack, moved by an attack before, not decided, not reached."""
BATCH = 8
"""Inputs bounded together: more leave the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is spent on inputs that plain CROWN leaves open."""

    alpha_steps: int
    """Steps of slope optimisation."""
    domains: int
    """Most parts that one input's region is split into."""


EFFORTS = {
    "quick": Effort(alpha_steps=0, domains=0),
    "standard": Effort(alpha_steps=5, domains=200),
    "deep": Effort(alpha_steps=10, domains=4000),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certified:
    """What was proven of n inputs."""

    stage: Tensor
    """Place in STAGES of what certified each input, or WRONG, FELL, OPEN, UNSEEN; int64, (n,)."""
    margin: Tensor
    """Lower bound of the smallest margin z_y - z_j over the region, (n,); -inf where none was computed."""
    reason: str | None
    """Why it was cut short, if it was."""

    @property
    def certified(self) -> Tensor:
        """Whether every point of the region gets the true class, bool, (n,)."""
        return self.stage >= 0

    def count(self, stage: int) -> int:
        """How many inputs have a stage."""
        return int((self.stage == stage).sum())


def certify(
    graph: Graph,
    inputs: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm,
    bounds: tuple[float, float],
    effort: Effort,
    fell: Tensor | None = None,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = silent,
) -> Certified:
    """Certify inputs one batch after another.

    Args:
        graph: the network, from `reading.read`.
        inputs: (n, …) inside the bounds, of the graph's dtype.
        labels: (n,) true classes.
        eps: radius of the ball, >= 0.
        norm: its norm.
        bounds: lowest and highest legal value of a coordinate.
        effort: what is spent on open inputs.
        fell: (n,) inputs that an attack has moved already; nothing is spent on them.
        stop: asked between steps; a text ends with what was proven so far.
        progress: told the stage, the inputs done and the inputs in all.

    Raises:
        ShapeMismatch: inputs and labels do not fit together or leave the bounds.
    """
    _fit(graph, inputs, labels, eps, bounds)
    watch = Watch(stop=stop, progress=progress)
    n = len(inputs)
    stage = torch.full((n,), UNSEEN)
    margin = torch.full((n,), -math.inf, dtype=inputs.dtype)
    for places in torch.arange(n).split(BATCH):
        if watch.stopped():
            break
        x, y = inputs[places], labels[places]
        with torch.no_grad():
            wrong = graph.forward(x).argmax(dim=1) != y
        stage[places] = torch.where(wrong, WRONG, OPEN)
        gone = torch.zeros_like(wrong) if fell is None else fell[places] & ~wrong
        stage[places[gone]] = FELL
        tried = places[~wrong & ~gone]
        if len(tried):
            region = Region.around(inputs[tried], eps=eps, norm=norm, bounds=bounds)
            stage[tried], margin[tried] = _climb(graph, region, labels[tried], effort, watch)
        watch.progress("certify", int(places[-1]) + 1, n)
    return Certified(stage=stage, margin=margin, reason=watch.reason)


def _climb(graph: Graph, region: Region, labels: Tensor, effort: Effort, watch: Watch) -> tuple[Tensor, Tensor]:
    """Stage and margin of each input, with more effort on those that stay open."""
    found = plain(graph, region, labels)
    stage = torch.where(found.certified(), 0, OPEN)
    margin = found.margins.amin(dim=1)
    places = torch.arange(len(labels))

    def narrowed(better: Bounded, number: int) -> Bounded:
        nonlocal places
        done = better.certified()
        margin[places] = better.margins.amin(dim=1)
        if number:
            stage[places[done]] = number
        places = places[~done]
        return better.rows((~done).nonzero().flatten())

    found = narrowed(found, 0)
    if len(labels) * (graph.n_classes - 1) * widest(graph, len(graph.nodes) - 1, None) > CHUNK:
        # a slope for each margin and unit would not fit
        return stage, margin
    if effort.alpha_steps and len(places):
        found = narrowed(optimised(graph, found, steps=effort.alpha_steps, watch=watch), 1)
    if effort.domains and len(places):
        narrowed(branched(graph, found, domains_each=effort.domains, watch=watch), 2)
    return stage, margin


def radii(
    graph: Graph,
    inputs: Tensor,
    labels: Tensor,
    *,
    low: Tensor,
    high: Tensor,
    norm: Norm,
    bounds: tuple[float, float],
    halvings: int,
    stop: Callable[[], str | None] = never,
) -> Tensor:
    """Lower bounds of each input's distance to the nearest misclassified point, by bisection with plain CROWN.

    Args:
        graph: the network.
        inputs: (n, …).
        labels: (n,).
        low: (n,) radii that are certified already, 0 where none is.
        high: (n,) largest radii that are tried.
        norm: of the distance.
        bounds: lowest and highest legal value of a coordinate.
        halvings: how often each interval is halved.
        stop: asked between batches.

    Returns:
        (n,) certified radii, between low and high.
    """
    low, high = low.clone(), high.clone()
    for _ in range(halvings):
        for places in (high > low).nonzero().flatten().split(BATCH):
            if stop():
                return low
            middle = (low[places] + high[places]) / 2
            region = Region.around(inputs[places], eps=middle, norm=norm, bounds=bounds)
            proven = plain(graph, region, labels[places]).certified()
            low[places[proven]] = middle[proven]
            high[places[~proven]] = middle[~proven]
    return low


def check_faithful(graph: Graph, logits: Tensor, inputs: Tensor) -> None:
    """Compare a graph with the model it was read from, so that no bound is given for another function.

    Args:
        graph: the network as it was read.
        logits: (n, k) what the model answers, logits or logarithms of probabilities.
        inputs: (n, …) what it was asked.

    Raises:
        Skipped: they differ.
    """
    with torch.no_grad():
        ours, theirs = (torch.log_softmax(z.double(), dim=1) for z in (graph.forward(inputs), logits))
    # beyond e^-50 probabilities are clamped by those who take their logarithm
    apart = (ours.clamp_min(-50) - theirs.clamp_min(-50)).abs().max() if len(inputs) else torch.zeros(())
    if not float(apart) <= 1e-3:
        msg = f"the model does not do what its graph says: log-probabilities differ by {float(apart):.3g}"
        raise Skipped(msg, hint="bounds need a deterministic module whose steps do not depend on values")


def _fit(graph: Graph, inputs: Tensor, labels: Tensor, eps: float, bounds: tuple[float, float]) -> None:
    if labels.shape != (len(inputs),) or tuple(inputs.shape[1:]) != graph.nodes[0].shape:
        msg = f"inputs {tuple(inputs.shape)} and labels {tuple(labels.shape)} do not fit {graph.nodes[0].shape}"
        raise ShapeMismatch(msg)
    if not 0 <= eps < math.inf:
        msg = f"eps must be a finite number from 0, got {eps}"
        raise ShapeMismatch(msg)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < graph.n_classes:
        msg = f"labels must lie in 0 .. {graph.n_classes - 1}, got {int(labels.min())} .. {int(labels.max())}"
        raise ShapeMismatch(msg)
    if len(inputs) and not bounds[0] <= float(inputs.min()) <= float(inputs.max()) <= bounds[1]:
        msg = f"inputs must lie in [{bounds[0]}, {bounds[1]}], got values outside"
        raise ShapeMismatch(msg, hint="give the bounds of the data, or scale the data to the bounds")
