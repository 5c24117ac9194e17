"""From parameters and data to norm, radius and box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch, UsageError
from redan.threats.evasion.measured import Setting

if TYPE_CHECKING:
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset
    from redan.core.params import Params
    from redan.core.subject import Subject
    from redan.kernels.attacks.ball import Ball, Norm

DEFAULT_EPS = {"linf": 8 / 255, "l2": 0.5}
"""Radii on the scale [0, 1] when nobody chose one: the ones most published results are given for."""
L1_EACH = 12 / 3072
"""L1 radius for each value on the scale [0, 1]: published results use 12 for images of 3072 values."""
L0_SHARE = 0.01
"""Share of the values that may change under L0; one at least."""


def box(subject: Subject, data: Dataset) -> tuple[float, float]:
    """Return the bounds of the inputs: the subject's, else the data set's, else the range of its values.

    Raises:
        ShapeMismatch: the values are no floating-point numbers, or all the same.
    """
    known = subject.bounds or data.bounds
    if known is not None:
        return float(known[0]), float(known[1])
    values: Any = np.asarray(data.x)
    low, high = float(values.min()), float(values.max())
    if not low < high:
        raise ShapeMismatch(f"every value of {data.name!r} is {low:g}, so there is no range to attack in")
    return low, high


def usual_radius(norm: Norm, width: float, values: int) -> float:
    """Return the radius when nobody chose one, for inputs of so many values in a box of a width."""
    if norm == "l0":
        return float(max(1, round(L0_SHARE * values)))
    return width * (L1_EACH * values if norm == "l1" else DEFAULT_EPS[norm])


def setting(subject: Subject, data: Dataset, norm: Norm, eps: float | None) -> Setting:
    """Return norm, radius and box; without a radius the usual one for the norm, scaled to the box.

    Raises:
        UsageError: the radius is not positive, or below one value under L0.
    """
    if not len(data):
        raise ShapeMismatch(f"{data.name!r} has no rows", hint="choose another offset or limit")
    low, high = box(subject, data)
    radius = usual_radius(norm, high - low, int(np.prod(data.x.shape[1:]))) if eps is None else eps
    if not radius > 0:
        raise UsageError(f"eps is {radius:g}; expected a distance above zero", hint="for example --eps 0.03")
    if norm == "l0" and radius < 1:
        raise UsageError(f"eps is {radius:g}; under l0 it counts values, at least 1", hint="for example --eps 10")
    return Setting(norm=norm, eps=radius, bounds=(low, high), classes=subject.classes or data.classes)


def ball_of(where: Setting) -> Ball:
    """Return the ball that attacks stay in."""
    from redan.kernels.attacks.ball import Ball, Box

    low, high = where.bounds
    return Ball(norm=where.norm, eps=where.eps, box=Box(low=low, high=high))


def told(params: Params, where: Setting) -> dict[str, Scalar]:
    """Return the parameters as a finding shows them: the radius really used, without what changes no result."""
    return {name: value for name, value in {**params.as_dict(), "eps": where.eps}.items() if name != "batch_size"}
