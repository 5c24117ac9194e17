"""What was asked, as a row of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_row(x: Any, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Return an input as float32, or None when it is no array of finite numbers of that shape."""
    if not isinstance(x, np.ndarray) or x.shape != shape or x.dtype.kind not in "fiu":
        return None
    with np.errstate(over="ignore"):  # what no float32 holds is no input, and no warning
        row = np.ascontiguousarray(x, dtype=np.float32)
    return row if np.isfinite(row).all() else None
