"""Learning from a handful of rows: gradient steps from shared weights that stay as they are.

Source: Finn, Abbeel and Levine, "Model-agnostic meta-learning for fast adaptation of deep networks", ICML 2017,
algorithm 2; first order: section 5.2 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.func import functional_call
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.training.episodes import Episode

Weights: TypeAlias = Mapping[str, "Tensor"]
"""Name to value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How a network learns from the support of an episode."""

    ways: int
    """Classes, and outputs of the network that stand for them, the first ones."""
    steps: int
    """Gradient steps."""
    rate: float
    """Their length."""
    second_order: bool = False
    """Keep the graph, so that a loss after the steps knows how they depend on the start."""


class Adapted:
    """A network with weights of its own.

    Args:
        net: the network whose other weights and buffers it shares; used in the mode it is in.
        weights: what was learnt.
        ways: outputs that count, the first ones.
    """

    __slots__ = ("_buffers", "_net", "_ways", "weights")

    def __init__(self, net: nn.Module, weights: Weights, ways: int) -> None:
        self._net = net
        self._ways = ways
        self.weights = weights
        # batch normalisation writes to its buffers while training; those of the shared network must not drift
        self._buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}

    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits (m, ways)."""
        logits: Tensor = functional_call(self._net, {**self.weights, **self._buffers}, (inputs,))
        return logits[:, : self._ways]

    def settled(self) -> Adapted:
        """The same without the graph that leads back to the start."""
        return Adapted(self._net, {name: value.detach() for name, value in self.weights.items()}, self._ways)


def adapt(net: nn.Module, episode: Episode, how: Adaptation) -> Adapted:
    """Take a few gradient steps on the support of an episode; the network is left as it was."""
    weights = _leaves({name: value for name, value in net.named_parameters() if value.requires_grad}, how)
    for _ in range(how.steps):
        loss = functional.cross_entropy(Adapted(net, weights, how.ways)(episode.support), episode.support_labels)
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=how.second_order, allow_unused=True)
        moved = {
            name: value if slope is None else value - how.rate * slope
            for (name, value), slope in zip(weights.items(), slopes, strict=True)
        }
        weights = _leaves(moved, how)
    return Adapted(net, weights, how.ways)


def _leaves(weights: dict[str, Tensor], how: Adaptation) -> dict[str, Tensor]:
    if how.second_order:
        return weights
    return {name: value.detach().requires_grad_(True) for name, value in weights.items()}


def slopes_of(loss: Tensor, net: nn.Module, adapted: Adapted, how: Adaptation) -> dict[str, Tensor]:
    """Gradients of a loss after adapting by the shared weights.

    First order: the gradient at the adapted weights is taken for that at the shared ones.
    """
    shared = dict(net.named_parameters())
    names = list(adapted.weights)
    sources = [shared[name] for name in names] if how.second_order else list(adapted.weights.values())
    slopes = torch.autograd.grad(loss, sources, allow_unused=True)
    return {name: slope.detach() for name, slope in zip(names, slopes, strict=True) if slope is not None}
