"""Attributions of torch networks, through captum."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from redan.kernels.explain.attribution import Attribution

Logits: TypeAlias = Callable[[Tensor], Tensor]
STEPS = 32
"""Points of the path that integrated gradients sum over (Gauss-Legendre)."""
AT_ONCE = 512
"""Most inputs in one call of the model."""


def saliency(logits: Logits, x: Tensor, classes: Tensor) -> Attribution:
    """Size of the gradient of the class score, signed.

    Source: Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks", section 3.

    Args:
        logits: (n, …) to (n, k), differentiable.
        x: (n, …) inputs.
        classes: (n,) classes to explain.
    """
    from captum.attr import Saliency

    return _timed(
        "saliency",
        len(x),
        lambda: Saliency(logits).attribute(x.clone().requires_grad_(), target=classes, abs=False),
    )


def integrated_gradients(logits: Logits, x: Tensor, classes: Tensor, *, baseline: Tensor) -> Attribution:
    """Gradient times input along the straight way from a baseline; the sum is the difference of the class scores.

    Source: Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks", equation 1.

    Args:
        logits: (n, …) to (n, k), differentiable.
        x: (n, …) inputs.
        classes: (n,) classes to explain.
        baseline: (1, …) input that stands for "nothing there".
    """
    from captum.attr import IntegratedGradients

    def run() -> Tensor:
        found: Tensor = IntegratedGradients(logits).attribute(
            x, baselines=baseline, target=classes, n_steps=STEPS, internal_batch_size=AT_ONCE
        )
        return found

    return _timed("integrated-gradients", len(x) * STEPS, run)


def grad_cam(logits: Logits, x: Tensor, classes: Tensor, *, layer: nn.Module) -> Attribution:
    """Activations of a convolution weighted by their mean gradient, enlarged to the input.

    Source: Selvaraju et al. 2017, "Grad-CAM", equations 1 and 2.

    Args:
        logits: (n, c, h, w) to (n, k), differentiable, with the layer inside.
        x: (n, c, h, w) images.
        classes: (n,) classes to explain.
        layer: the convolution, usually the last.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    def run() -> Tensor:
        coarse = LayerGradCam(logits, layer).attribute(
            x.clone().requires_grad_(), target=classes, relu_attributions=True
        )
        assert isinstance(coarse, Tensor)
        fine: Tensor = LayerAttribution.interpolate(coarse.detach(), tuple(x.shape[2:]), interpolate_mode="bilinear")
        return fine.expand_as(x) / x.shape[1]

    return _timed("grad-cam", len(x), run)


def occlusion(logits: Logits, x: Tensor, classes: Tensor, *, baseline: Tensor, window: int) -> Attribution:
    """How much the class score falls when a square of the image is covered.

    Source: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2.

    Args:
        logits: (n, c, h, w) to (n, k); no gradients are taken.
        x: (n, c, h, w) images.
        classes: (n,) classes to explain.
        baseline: (1, c, h, w) image that squares are covered with.
        window: side of the square in pixels; it moves by half its side.
    """
    from captum.attr import Occlusion

    stride = max(1, window // 2)
    spots = (-(-(x.shape[2] - window) // stride) + 1) * (-(-(x.shape[3] - window) // stride) + 1)

    def run() -> Tensor:
        with torch.no_grad():
            found: Tensor = Occlusion(logits).attribute(
                x,
                sliding_window_shapes=(x.shape[1], window, window),
                strides=(x.shape[1], stride, stride),
                baselines=baseline,
                target=classes,
                perturbations_per_eval=max(1, AT_ONCE // len(x)),
            )
        return found

    return _timed("occlusion", len(x) * spots, run)


def last_convolution(net: nn.Module) -> nn.Module | None:
    """Return the last 2-D convolution in the order of definition, or None."""
    found = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
    return found[-1] if found else None


def _timed(method: str, calls: int, run: Callable[[], Any]) -> Attribution:
    begun = time.process_time()
    values: NDArray[np.float64] = run().detach().cpu().numpy().astype(np.float64)
    return Attribution(method=method, values=values, calls=calls, cpu_s=time.process_time() - begun)
