"""Small regions that decide by themselves: cut out where an explanation points, pasted onto other images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

HOSTS = 24
"""Other images that a region is pasted onto."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Carried:
    """What the region of each image does on other images.

    Attributes:
        corner: (n, 2) row and column of its upper left pixel.
        taken: (n,) of the hosts, how many are then taken for the class of the image it was cut from.
        random: (n,) the same for a region at a random place of the same image.
        hosts: images that each region was pasted onto.
    """

    corner: NDArray[np.int64]
    taken: NDArray[np.int64]
    random: NDArray[np.int64]
    hosts: int


def strongest(values: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Return the corner of the square with the largest sum of attribution, (n, 2).

    Args:
        values: (n, c, h, w) attribution.
        size: side of the square in pixels.
    """
    heat = np.maximum(values.sum(axis=1), 0)
    total = np.pad(heat, ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
    sums = total[:, size:, size:] - total[:, :-size, size:] - total[:, size:, :-size] + total[:, :-size, :-size]
    place = sums.reshape(len(values), -1).argmax(axis=1)
    return np.stack(np.unravel_index(place, sums.shape[1:]), axis=1).astype(np.int64)


def carried(
    labels: Callable[[NDArray[Any]], NDArray[Any]],
    x: NDArray[Any],
    answered: NDArray[Any],
    corner: NDArray[np.int64],
    *,
    size: int,
    keys: NDArray[Any],
) -> Carried:
    """Paste each image's region onto images of other classes and count how often the class comes along.

    Source: Chou, Tramèr & Pellegrino 2020, "SentiNet", sections IV-B and IV-C, with the same square at a random place
    in the place of their inert pattern.

    Args:
        labels: (m, c, h, w) images to (m,) classes.
        x: (n, c, h, w) images.
        answered: (n,) classes the model gives them; at least two different ones.
        corner: (n, 2) where each region is.
        size: its side in pixels.
        keys: (n,) key of each image's draws.
    """
    h, w = x.shape[2:]
    anywhere = np.concatenate(
        [integers(keys, (1,), h - size + 1, stream=1), integers(keys, (1,), w - size + 1, stream=2)], axis=1
    )
    picks = integers(keys, (HOSTS,), 2**31 - 1, stream=3)
    taken, random = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
    by_class = {int(c): np.flatnonzero(answered != c) for c in np.unique(answered)}
    for i in range(len(x)):
        others = by_class[int(answered[i])]
        hosts = x[others[picks[i] % len(others)]]
        pasted = [_pasted(hosts, x[i], at[i], size) for at in (corner, anywhere)]
        told = labels(np.concatenate(pasted)) == answered[i]
        taken[i], random[i] = int(told[:HOSTS].sum()), int(told[HOSTS:].sum())
    return Carried(corner=corner, taken=taken, random=random, hosts=HOSTS)


def _pasted(hosts: NDArray[Any], image: NDArray[Any], at: NDArray[np.int64], size: int) -> NDArray[Any]:
    top, left = int(at[0]), int(at[1])
    made = hosts.copy()
    made[:, :, top : top + size, left : left + size] = image[:, top : top + size, left : left + size]
    return made
