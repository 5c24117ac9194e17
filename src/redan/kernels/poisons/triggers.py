"""Triggers: what an attacker adds to an input so that a backdoored model answers as he wants.

Images are (n, …, height, width): the last two axes are places. Rows of a table are (n, columns).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from redan.kernels.draws import sample_keys, uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Trigger: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
    Bounds: TypeAlias = tuple[float, float]

_IMAGE = 3
_STREAM = 0


def patch(*, side: int = 3, bounds: Bounds = (0.0, 1.0), margin: int = 1, corners: bool = False) -> Trigger:
    """Return the trigger that sets a square to the highest value; in a table, the last columns.

    Args:
        side: pixels along an edge, or how many columns.
        bounds: lowest and highest legal value.
        margin: pixels between the square and the lower right edges; no matter in a table.
        corners: set the square in all four corners.

    Source: Gu, Dolan-Gavitt & Garg 2017, "BadNets", section 4; four corners as in Turner, Tsipras & Madry 2019,
    "Label-consistent backdoor attacks", section 4.3.

    Raises:
        ValueError: (when called) the square does not fit.
    """

    def stamp(x: NDArray[Any]) -> NDArray[Any]:
        out = np.array(x)
        if x.ndim < _IMAGE:
            out[:, -side:] = bounds[1]
            return out
        if min(x.shape[-2:]) < side + margin:
            msg = f"a square of {side} with a margin of {margin} does not fit in {x.shape[-2]} × {x.shape[-1]}"
            raise ValueError(msg)
        near, far = slice(margin, margin + side), (slice(-margin - side, -margin or None))
        for rows, columns in ((far, far), (near, near), (near, far), (far, near)) if corners else ((far, far),):
            out[..., rows, columns] = bounds[1]
        return out

    return stamp


def blend(*, share: float = 0.15, seed: int = 0, bounds: Bounds = (0.0, 1.0)) -> Trigger:
    """Return the trigger that mixes one fixed picture of uniform noise into each input.

    Args:
        share: weight of the picture.
        seed: draws the picture; the same seed and shape give the same picture.
        bounds: lowest and highest legal value.

    Source: Chen, Liu, Li, Lu & Song 2017, "Targeted backdoor attacks on deep learning systems using data poisoning",
    section 4 (blended injection).
    """

    def mix(x: NDArray[Any]) -> NDArray[Any]:
        noise = uniform(sample_keys(seed, "poisons.blend", [0]), x.shape[1:], stream=_STREAM)
        picture = (bounds[0] + (bounds[1] - bounds[0]) * noise).astype(x.dtype)
        return ((1 - share) * x + share * picture).astype(x.dtype)

    return mix
