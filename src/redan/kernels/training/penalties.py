"""What is added to the loss so that answers change slowly with the input.

Sources: input gradients, Ross and Doshi-Velez, "Improving the adversarial robustness and interpretability of deep
neural networks by regularizing their input gradients", AAAI 2018, equation 6; spectral norms, Yoshida and Miyato,
"Spectral norm regularization for improving the generalizability of deep learning", 2017, section 3.2 and algorithm 1;
smooth labels, Szegedy et al., "Rethinking the inception architecture for computer vision", CVPR 2016, section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.training.course import Batch, Lesson

_TINY = 1e-12
_MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def smoothed(net: nn.Module, smoothing: float) -> Lesson:
    """Cross-entropy with a share of each label spread over all classes."""
    return lambda batch: functional.cross_entropy(net(batch.inputs), batch.labels, label_smoothing=smoothing)


def flat_inputs(net: nn.Module, strength: float) -> Lesson:
    """Cross-entropy plus the squared length of its gradient by the input, the mean over rows."""

    def lesson(batch: Batch) -> Tensor:
        leaf = batch.inputs.detach().requires_grad_(True)
        loss = functional.cross_entropy(net(leaf), batch.labels, reduction="none")
        (slopes,) = torch.autograd.grad(loss.sum(), leaf, create_graph=True)
        return loss.mean() + strength * slopes.flatten(1).square().sum(1).mean()

    return lesson


class SpectralPenalty:
    """Half the sum of squared largest singular values of all weight matrices, by one power iteration a step.

    A convolution counts as the matrix of its kernels, (out, in × kernel), as the source takes it.

    Args:
        net: the network.
        generator: draws the first vectors.
    """

    __slots__ = ("_layers", "_vectors")

    def __init__(self, net: nn.Module, generator: torch.Generator) -> None:
        self._layers = [part for part in net.modules() if isinstance(part, _MATRICES)]
        self._vectors = [torch.randn(len(part.weight), generator=generator) for part in self._layers]

    def __call__(self) -> Tensor:
        """Value now, with its graph."""
        values = [self._squared(place, layer.weight.flatten(1)) for place, layer in enumerate(self._layers)]
        return torch.stack(values).sum() / 2 if values else torch.zeros(())

    def _squared(self, place: int, matrix: Tensor) -> Tensor:
        with torch.no_grad():
            right = matrix.T @ self._vectors[place].to(matrix)
            right = right / right.norm().clamp_min(_TINY)
            left = matrix @ right
            self._vectors[place] = left = left / left.norm().clamp_min(_TINY)
        value: Tensor = left @ matrix @ right
        return value.square()


def spectral(net: nn.Module, strength: float, generator: torch.Generator) -> Lesson:
    """Cross-entropy plus a multiple of the spectral penalty."""
    penalty = SpectralPenalty(net, generator)
    return lambda batch: functional.cross_entropy(net(batch.inputs), batch.labels) + strength * penalty()
