"""Branch and bound on the signs of uncertain rectifiers, for margins that bounds alone leave open.

A margin is proven when it is proven on both sides of every split. What remains when the effort ends is undecided, which
is not the same as broken.

Sources: Bunel et al. 2020, "Branch and bound for piecewise linear neural network verification", section 5.2 (choice of
the split); Wang et al. 2021, "Beta-CROWN", theorem 3.1 (prices of the split constraints).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from redan.kernels.certify.backward import Freedom, lower_bounds
from redan.kernels.certify.crown import margin_rows
from redan.kernels.certify.graph import Rectifier

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.watch import Watch
    from redan.kernels.certify.alpha import Bounded
    from redan.kernels.certify.graph import Graph

BATCH = 32
"""Domains bounded together."""
STEPS = 3
"""Steps of ascent on a domain: it starts from its parent's slopes, and further splits pay more than further steps."""
SLOPE_RATE, PRICE_RATE = 0.2, 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Domains:
    """Parts of the regions in which signs of some units are assumed; d of them.

    Attributes:
        image: whose region, (d,).
        row: which margin, (d,).
        bound: lower bound of that margin there, (d,).
        splits: rectifier → (d, *shape), +1 active, -1 inactive, 0 open.
        slopes: rectifier → slopes that gave the bound, (d, 1, *shape).
        prices: rectifier → multipliers that gave it, (d, 1, *shape).
        scores: rectifier → how much a split of each unit promises, (d, *shape), 0 where none is possible.
    """

    image: Tensor
    row: Tensor
    bound: Tensor
    splits: dict[int, Tensor]
    slopes: dict[int, Tensor]
    prices: dict[int, Tensor]
    scores: dict[int, Tensor]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.image)

    def rows(self, chosen: Tensor) -> Domains:
        """Return chosen ones."""

        def those(held: dict[int, Tensor]) -> dict[int, Tensor]:
            return {place: part[chosen] for place, part in held.items()}

        return Domains(
            image=self.image[chosen],
            row=self.row[chosen],
            bound=self.bound[chosen],
            splits=those(self.splits),
            slopes=those(self.slopes),
            prices=those(self.prices),
            scores=those(self.scores),
        )


def joined(first: Domains, second: Domains) -> Domains:
    """Return both lists as one."""

    def both(one: dict[int, Tensor], other: dict[int, Tensor]) -> dict[int, Tensor]:
        return {place: torch.cat([part, other[place]]) for place, part in one.items()}

    return Domains(
        image=torch.cat([first.image, second.image]),
        row=torch.cat([first.row, second.row]),
        bound=torch.cat([first.bound, second.bound]),
        splits=both(first.splits, second.splits),
        slopes=both(first.slopes, second.slopes),
        prices=both(first.prices, second.prices),
        scores=both(first.scores, second.scores),
    )


def branched(graph: Graph, found: Bounded, *, domains_each: int, watch: Watch) -> Bounded:
    """Prove margins by splitting, the most promising inputs first.

    Args:
        graph: the network; splits are made at its rectifiers.
        found: bounds so far.
        domains_each: most domains spent on one input.
        watch: asked to stop between batches.
    """
    margins = found.margins.clone()
    open_rows = (margins <= 0).nonzero()
    if not len(open_rows) or not rectifiers(graph):
        return found
    spent = torch.zeros(len(margins), dtype=torch.long)
    waiting = root(graph, found, open_rows[:, 0], open_rows[:, 1])
    while len(waiting) and not watch.stopped():
        chosen = next_batch(waiting, margins, spent, domains_each)
        if not len(chosen):
            break
        children = halves(waiting.rows(chosen))
        spent.index_add_(0, children.image, torch.ones_like(children.image))
        kept = torch.ones(len(waiting), dtype=torch.bool)
        kept[chosen] = False
        waiting = joined(waiting.rows(kept.nonzero().flatten()), bounded(graph, found, children, steps=STEPS))
        waiting = waiting.rows((waiting.bound <= 0).nonzero().flatten())
        settle(margins, waiting, open_rows)
    return replace(found, margins=margins)


def settle(margins: Tensor, waiting: Domains, open_rows: Tensor) -> None:
    """Write what is proven by now: a margin is bounded by the lowest bound among its open domains."""
    lowest = torch.full_like(margins, torch.inf)
    places = waiting.image * margins.shape[1] + waiting.row
    lowest.view(-1).scatter_reduce_(0, places, waiting.bound, "amin")
    image, row = open_rows.T
    # every domain of a margin proven: it is positive, how far is not known
    value = lowest[image, row].nan_to_num(posinf=torch.finfo(margins.dtype).tiny)
    margins[image, row] = torch.maximum(margins[image, row], value)


def next_batch(waiting: Domains, margins: Tensor, spent: Tensor, domains_each: int) -> Tensor:
    """Places of the next domains: of inputs with effort left, in the order of their worst open domain."""
    worst = torch.full((len(margins),), torch.inf, dtype=margins.dtype)
    worst.scatter_reduce_(0, waiting.image, waiting.bound, "amin")
    possible = torch.stack([score.flatten(1).amax(dim=1) for score in waiting.scores.values()]).amax(dim=0) > 0
    stuck = torch.zeros(len(margins), dtype=torch.bool).index_put_((waiting.image[~possible],), torch.tensor(True))
    eligible = ((spent < domains_each) & ~stuck)[waiting.image]
    order = torch.argsort(-worst[waiting.image], stable=True)
    return order[eligible[order]][:BATCH]


def halves(parents: Domains) -> Domains:
    """Split each domain at its most promising unit."""
    flat = torch.cat([score.flatten(1) for score in parents.scores.values()], dim=1)
    best = flat.argmax(dim=1)
    both = joined(parents, parents)
    begin = 0
    for place, score in parents.scores.items():
        size = score[0].numel()
        here = ((best >= begin) & (best < begin + size)).nonzero().flatten()
        splits = both.splits[place].flatten(1)
        splits[here, best[here] - begin] = 1
        splits[here + len(parents), best[here] - begin] = -1
        both.splits[place].copy_(splits.reshape_as(both.splits[place]))
        begin += size
    return both


def rectifiers(graph: Graph) -> list[int]:
    """Places of the rectifiers."""
    return [place for place, node in enumerate(graph.nodes) if isinstance(node.operation, Rectifier)]


def root(graph: Graph, found: Bounded, image: Tensor, row: Tensor) -> Domains:
    """Bound whole regions, one domain for each open margin."""
    shapes = {place: graph.nodes[place].shape for place in rectifiers(graph)}
    none = {place: torch.zeros((len(image), *shape)) for place, shape in shapes.items()}
    whole = Domains(
        image=image,
        row=row,
        bound=found.margins[image, row],
        splits=none,
        slopes={},
        prices={place: torch.zeros((len(image), 1, *shape)) for place, shape in shapes.items()},
        scores={},
    )
    return bounded(graph, found, whole, steps=3 * STEPS)


def split_boxes(graph: Graph, found: Bounded, domains: Domains) -> dict[int, tuple[Tensor, Tensor]]:
    """Bounds of what rectifiers read, with the assumed signs."""
    boxes = {place: (low[domains.image], high[domains.image]) for place, (low, high) in found.boxes.items()}
    for place, splits in domains.splits.items():
        (parent,) = graph.nodes[place].parents
        low, high = boxes[parent]
        boxes[parent] = (
            torch.where(splits > 0, low.clamp_min(0), low),
            torch.where(splits < 0, high.clamp_max(0), high),
        )
    return boxes


def bounded(graph: Graph, found: Bounded, domains: Domains, *, steps: int) -> Domains:
    """Bound domains by ascent on slopes and prices, starting from those they have."""
    region = found.region.rows(domains.image)
    boxes = split_boxes(graph, found, domains)
    every, _ = margin_rows(found.labels[domains.image], graph.n_classes, dtype=region.centre.dtype)
    rows = every[torch.arange(len(domains)), domains.row].unsqueeze(1)
    freedom = Freedom(
        slopes={place: slope.clone().requires_grad_() for place, slope in domains.slopes.items()},
        splits=domains.splits,
        multipliers={place: price.clone().requires_grad_() for place, price in domains.prices.items()},
        recording=True,
    )
    best, optimiser = domains.bound.clone(), None
    for _ in range(steps):
        with torch.enable_grad():
            bound = (
                lower_bounds(graph, len(graph.nodes) - 1, rows, region=region, boxes=boxes, freedom=freedom).squeeze(1)
                - found.slack[domains.image]
            )
            optimiser = optimiser or _adam(freedom)
            optimiser.zero_grad()
            bound.clamp_max(0).sum().neg().backward()
        best = torch.maximum(best, bound.detach())
        if bool((best > 0).all()):
            break
        optimiser.step()
        with torch.no_grad():
            for slope in freedom.slopes.values():
                slope.clamp_(0.0, 1.0)
            for price in freedom.multipliers.values():
                price.clamp_min_(0.0)
    slopes = {place: slope.detach() for place, slope in freedom.slopes.items()}
    return replace(
        domains,
        bound=best,
        slopes=slopes,
        prices={place: price.detach() for place, price in freedom.multipliers.items()},
        scores=promise(graph, boxes, freedom.coefficients),
    )


def _adam(freedom: Freedom) -> torch.optim.Adam:
    groups = [
        {"params": list(freedom.slopes.values()), "lr": SLOPE_RATE},
        {"params": list(freedom.multipliers.values()), "lr": PRICE_RATE},
    ]
    return torch.optim.Adam(groups)


def promise(
    graph: Graph,
    boxes: dict[int, tuple[Tensor, Tensor]],
    coefficients: dict[int, Tensor],
) -> dict[int, Tensor]:
    """How much the chord above each unit costs the bound, (d, *shape); 0 where its sign is known.

    What the line below costs depends on where in its interval the unit ends up, and counting it made choices worse.
    """
    found = {}
    for place, here in sorted(coefficients.items()):
        low, high = boxes[graph.nodes[place].parents[0]]
        uncertain = (low < 0) & (high > 0)
        below = here.squeeze(1).clamp_max(0)
        chord = -low * high / (high - low).clamp_min(1e-12)
        # a unit that costs nothing now may still be split when no other is left
        found[place] = torch.where(uncertain, -below * chord + 1e-9, 0.0)
    return found
