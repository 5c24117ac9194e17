"""Pictures as PNG bytes, with the standard library and numpy only."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PIXELS = 112
_GAP = 4


def png(image: NDArray[Any]) -> bytes:
    """Encode an image as PNG.

    Args:
        image: (h, w) or (h, w, 3), uint8.

    Source: Portable Network Graphics (third edition), sections 5 and 11; filter type 0 on every row.
    """
    grey = image.ndim == 2
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, -1)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if grey else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def is_image(shape: tuple[int, ...]) -> bool:
    """Tell whether one input of this shape can be shown: (1|3, h, w) or (h, w) of at least 4 × 4."""
    if len(shape) == 3:
        return shape[0] in (1, 3) and min(shape[1:]) >= 4
    return len(shape) == 2 and min(shape) >= 4


def triptych(clean: NDArray[Any], adversarial: NDArray[Any], *, low: float, high: float, gain: float = 10.0) -> bytes:
    """Put clean image, adversarial image and their difference side by side.

    Args:
        clean: (c, h, w) or (h, w).
        adversarial: same shape.
        low: darkest value.
        high: brightest value.
        gain: factor on the difference, which is shown around middle grey.
    """
    difference = (adversarial - clean) * gain / 2 + (low + high) / 2
    panels = [_panel(p, low=low, high=high) for p in (clean, adversarial, difference)]
    gap = np.full((panels[0].shape[0], _GAP, *panels[0].shape[2:]), 255, np.uint8)
    return png(np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1))


def _panel(image: NDArray[Any], *, low: float, high: float) -> NDArray[np.uint8]:
    scaled = np.clip((image - low) / (high - low), 0, 1)
    pixels = np.round(scaled * 255).astype(np.uint8)
    if pixels.ndim == 3:
        pixels = pixels[0] if pixels.shape[0] == 1 else np.moveaxis(pixels, 0, -1)
    factor = max(1, -(-LEAST_PIXELS // min(pixels.shape[:2])))
    return np.repeat(np.repeat(pixels, factor, axis=0), factor, axis=1)


def pairs(above: NDArray[Any], below: NDArray[Any], *, low: float, high: float) -> bytes:
    """Put images of one row above those of another, one pair a column.

    Args:
        above: (n, c, h, w) or (n, h, w).
        below: same shape.
        low: darkest value.
        high: brightest value.
    """
    columns = []
    for one, other in zip(above, below, strict=True):
        upper, lower = (_panel(p, low=low, high=high) for p in (one, other))
        gap = np.full((_GAP, *upper.shape[1:]), 255, np.uint8)
        stacked = np.concatenate([upper, gap, lower])
        columns += [stacked, np.full((len(stacked), _GAP, *stacked.shape[2:]), 255, np.uint8)]
    return png(np.concatenate(columns[:-1], axis=1))
