"""Random views of images as differentiable maps, each keyed, so that every image meets its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from redan.kernels.draws import normal, uniform, words

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.draws import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far views differ.

    Attributes:
        degrees: most rotation to either side.
        zoom: most enlargement or reduction, as a factor above 1.
        shift: most shift along each axis, as a share of that axis.
        light: most change of brightness, as a share of the box.
        contrast: most change of contrast, as a factor above 1.
        noise: standard deviation of the noise, as a share of the box.
    """

    degrees: float = 15.0
    zoom: float = 1.1
    shift: float = 0.05
    light: float = 0.1
    contrast: float = 1.1
    noise: float = 0.02


def seen(x: Tensor, keys: Keys, spread: Spread, *, low: float, high: float) -> Tensor:
    """Return one random view of each image, differentiable by the image.

    Args:
        x: (n, c, h, w).
        keys: (n,); the view of an image depends on its key alone.
        spread: how far views differ.
        low: darkest value.
        high: brightest value.

    Source: Athalye, Engstrom, Ilyas & Kwok 2018, "Synthesizing robust adversarial examples", section 2.2 and the
    distributions of its two-dimensional case, narrower here.
    """
    drawn = torch.from_numpy(2 * uniform(keys, (6,), stream=0) - 1).to(x.dtype)
    degrees, zoom, down, right, light, contrast = drawn.unbind(dim=1)
    turned = _placed(x, degrees * spread.degrees, spread.zoom**zoom, down * spread.shift, right * spread.shift)
    span = high - low
    middle = turned.mean(dim=(1, 2, 3), keepdim=True)
    lit = middle + (turned - middle) * _wide(spread.contrast**contrast) + _wide(light) * spread.light * span
    noise = torch.from_numpy(normal(keys, tuple(x.shape[1:]), stream=1)).to(x.dtype)
    view: Tensor = (lit + noise * spread.noise * span).clamp(low, high)
    return view


def _wide(each: Tensor) -> Tensor:
    return each[:, None, None, None]


def _placed(x: Tensor, degrees: Tensor, zoom: Tensor, down: Tensor, right: Tensor) -> Tensor:
    height, width = x.shape[2:]
    radians = degrees * (math.pi / 180)
    cos, sin = torch.cos(radians) / zoom, torch.sin(radians) / zoom
    # coordinates run from -1 to 1 along each axis, so turning an oblong image needs the ratio of its sides
    aspect = height / width
    # what is moved by a share of an axis is read twice that share earlier on it
    rows = torch.stack(
        [
            torch.stack([cos, -sin * aspect, -2 * (cos * right - sin * aspect * down)], dim=1),
            torch.stack([sin / aspect, cos, -2 * (sin / aspect * right + cos * down)], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(rows, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def view_keys(keys: Keys, number: int) -> Keys:
    """Return the keys of the views of one number, one for each image, independent of those of other numbers."""
    return np.asarray(words(keys, (), stream=1000 + number), np.uint64).reshape(-1)
