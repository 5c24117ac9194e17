"""What storing and sending does: fewer pixels, and blocks of cosines rounded as by JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

_KEPT = (0.75, 0.60, 0.46, 0.35, 0.25)
_STEP = (0.02, 0.04, 0.07, 0.12, 0.20)
_BLOCK = 8


def pixelate(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Average over fewer, larger pixels; nothing is drawn."""
    height, width = x.shape[2:]
    kept = _KEPT[severity - 1]
    rows, columns = _coarse(height, kept), _coarse(width, kept)
    return np.asarray(np.clip(rows @ x @ columns.T, 0, 1), np.float32)


def jpeg(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Round the cosine coefficients of blocks of 8 by 8, high frequencies more coarsely; nothing is drawn.

    Source: Ahmed, Natarajan & Rao, "Discrete cosine transform", IEEE Transactions on Computers, 1974. The steps grow
    linearly with frequency; no table of the standard is used, and channels are not mixed.
    """
    n, c, height, width = x.shape
    wide = np.pad(x, ((0, 0), (0, 0), (0, -height % _BLOCK), (0, -width % _BLOCK)), mode="edge")
    blocks = wide.reshape(n, c, wide.shape[2] // _BLOCK, _BLOCK, wide.shape[3] // _BLOCK, _BLOCK)
    basis = _cosines()
    order = np.arange(_BLOCK)
    steps = _STEP[severity - 1] * (1 + (order[:, None] + order[None, :]) / 2)
    spectrum = np.einsum("ui,ncaibj,vj->ncaubv", basis, blocks - 0.5, basis, optimize=True)
    rounded = np.round(spectrum / steps[:, None, :]) * steps[:, None, :]
    back = np.einsum("ui,ncaubv,vj->ncaibj", basis, rounded, basis, optimize=True) + 0.5
    return np.asarray(np.clip(back.reshape(wide.shape)[:, :, :height, :width], 0, 1), np.float32)


def _coarse(size: int, kept: float) -> NDArray[np.float64]:
    """Return the (size, size) matrix that averages within larger pixels and repeats the mean."""
    count = max(1, min(size - 1, round(size * kept)))
    edges = np.linspace(0, size, count + 1)
    left = np.arange(size)
    overlap = np.clip(np.minimum(edges[1:, None], left[None] + 1) - np.maximum(edges[:-1, None], left[None]), 0, None)
    means = overlap / overlap.sum(axis=1, keepdims=True)
    nearest = np.minimum(((left + 0.5) * count / size).astype(np.int64), count - 1)
    return np.asarray(means[nearest], np.float64)


def _cosines() -> NDArray[np.float64]:
    order, place = np.arange(_BLOCK)[:, None], np.arange(_BLOCK)[None, :]
    basis = np.cos(np.pi * (2 * place + 1) * order / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float64)
