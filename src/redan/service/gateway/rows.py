"""From decoded values to rows as one model takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redan.service.gateway.refusal import INVALID, TOO_LARGE
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.models.served import Served


def fitted(values: NDArray[Any], served: Served, most_rows: int) -> NDArray[Any]:
    """Return values (n, …) as rows in the model's own type.

    Raises:
        Refused: no row, too many, another shape, or values that the type cannot hold.
    """
    shape, wanted = values.shape, served.shape
    if shape[1:] != wanted:
        if not shape or int(np.prod(shape[1:])) != int(np.prod(wanted)):
            raise Refused(INVALID, f"rows have the shape {list(shape[1:])}; this model takes {list(wanted)}")
        values = values.reshape(shape[0], *wanted)
    if not 1 <= shape[0] <= most_rows:
        raise Refused(TOO_LARGE if shape[0] else INVALID, f"send 1 to {most_rows} rows at once")
    dtype = np.dtype(served.dtype)
    if values.dtype == dtype:
        return values
    return _converted(values, dtype)


def _converted(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    is_text = values.dtype.kind in "OUS"
    if is_text != (dtype.kind in "OUS"):
        raise Refused(INVALID, "this model takes numbers" if is_text else "this model takes text")
    if is_text or dtype.kind == "f":
        with np.errstate(over="ignore"):  # what overflows becomes infinite, which the guards refuse
            return values.astype(dtype)
    with np.errstate(invalid="ignore"):
        converted = values.astype(dtype)
    if not np.array_equal(converted, values):
        raise Refused(INVALID, f"this model takes whole numbers that fit {dtype.name}")
    return converted
