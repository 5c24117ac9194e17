"""Stored adversarial points against ball, box and model, row by row."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import EvidenceError
from redan.threats.evasion.scaling import Scaling, scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset

SLACK = 1e-5
"""Relative rounding that single precision leaves in a length."""
SINGLE = 2e-7
"""Rounding of single precision, twice."""
MOST_NAMED = 5
UNIT = (0.0, 1.0)
Space = Scaling | None
"""How inputs become what the attack walked on; None: they are it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """What an attack stored of n rows.

    Attributes:
        clean: the rows it began at.
        adversarial: (n, …) points.
        success: (n,) bool, which rows fell.
        distance: (n,) smallest distance at which the model erred.
        norm: how distances were measured.
        eps: radius of the ball.
        bounds: the box.
        target: what the rows were to be taken for, empty for any wrong class.
    """

    clean: Dataset
    adversarial: NDArray[Any]
    success: NDArray[np.bool_]
    distance: NDArray[np.float64]
    norm: str
    eps: float
    bounds: tuple[float, float]
    target: str = ""


def insist_on_size(data: bytes, name: str) -> None:
    """Refuse an array whose head promises more than its bytes hold, before memory is reserved for it.

    Raises:
        EvidenceError: it does, or there is no head.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
    except ValueError as err:
        raise EvidenceError(f"the evidence named {name} is no array: {err}") from err
    count = 1
    for side in shape:
        count *= side
    if count * kind.itemsize != len(data) - stream.tell():
        raise EvidenceError(f"the evidence named {name} promises {count} numbers and does not hold them")


def spaces(points: Points, subject: Any, bounds: tuple[float, float]) -> list[Space]:
    """Return on which scales the attack may have walked."""
    scale = scaling(subject, points.clean) if bounds == UNIT else None
    return [None] if scale is None else [scale, None]


def faults(points: Points, space: Space, subject: Any) -> list[str]:
    """Return everything that does not hold, one sentence with its rows each.

    Raises:
        SubjectError: the model does not answer.
    """
    clean, moved = _walked(points.clean.x, space), _walked(points.adversarial, space)
    low, high = points.bounds
    least = _rounding(clean, space)
    slack = max(SLACK * (high - low), least)
    flat = moved.reshape(len(moved), -1)
    outside = ((flat < low - slack) | (flat > high + slack) | ~np.isfinite(flat)).any(axis=1)
    length = lengths(moved - clean, points.norm, least=least)
    room = _room(least, clean, points.norm)
    wrong = points.distance == 0
    fell = points.success & ~wrong
    far = fell & ~(length <= points.eps * (1 + SLACK) + room)
    false = fell & (points.distance > length * (1 + SLACK) + room)
    torn = points.success & ~(points.distance <= points.eps * (1 + SLACK) + room)
    torn |= ~points.success & ~(points.distance > points.eps * (1 - SLACK) - room)
    strayed = ~points.success & (length > room)
    told = [
        (outside, "points leave the box of legal values", "the evidence is not what the attack found; measure again"),
        (far, f"points lie outside the ball of {points.norm} {points.eps:g}", "they prove nothing at this radius"),
        (false, "stored distances are larger than that of the stored point", "the evidence was changed; measure again"),
        (torn, "rows are marked against their stored distance", "the evidence was changed; measure again"),
        (strayed, "rows count as withstanding and were moved", "the evidence was changed; measure again"),
        *_answers(points, subject, fell, wrong),
    ]
    return [_sentence(points, mask, what, advice) for mask, what, advice in told if mask.any()]


def lengths(delta: NDArray[Any], norm: str, *, least: float = 0.0) -> NDArray[np.float64]:
    """Return the length of each perturbation under a norm; L0 counts the values that changed by more than ``least``.

    Raises:
        EvidenceError: there is no such norm.
    """
    flat = np.asarray(delta, np.float64).reshape(len(delta), -1)
    size = np.abs(flat)
    if norm == "linf":
        found = size.max(axis=1, initial=0.0)
    elif norm == "l2":
        found = np.sqrt((flat * flat).sum(axis=1))
    elif norm == "l1":
        found = size.sum(axis=1)
    elif norm == "l0":
        found = (size > least).sum(axis=1)
    else:
        raise EvidenceError(f"distances are measured by {norm!r}, which this version does not know")
    return np.asarray(found, np.float64)


def shorter(points: Points, space: Space) -> int:
    """Count the rows whose stored distance is below what the stored point shows."""
    clean, moved = _walked(points.clean.x, space), _walked(points.adversarial, space)
    least = _rounding(clean, space)
    length = lengths(moved - clean, points.norm, least=least)
    fell = points.success & (points.distance > 0)
    return int((fell & (points.distance < length * (1 - SLACK) - _room(least, clean, points.norm))).sum())


def _walked(x: NDArray[Any], space: Space) -> NDArray[np.float64]:
    """Return rows on the scale of the attack; unlike the attack's own, these are not clipped to the box."""
    if space is None:
        return np.asarray(np.asarray(x, np.float32), np.float64)
    return (np.asarray(x, np.float64) - space.low) / space.span


def _rounding(clean: NDArray[Any], space: Space) -> float:
    """Return how far single precision alone can move one value."""
    if space is not None:
        return float(((np.abs(space.low) + space.span) / space.span).max(initial=1.0)) * SINGLE
    return float(np.abs(clean).max(initial=1.0)) * SINGLE


def _room(least: float, clean: NDArray[Any], norm: str) -> float:
    """Return how far it can move a row."""
    values = float(clean[0].size if len(clean) else 1)
    return least * {"l2": math.sqrt(values), "l1": values, "l0": 0.0}.get(norm, 1.0)


def _answers(
    points: Points, subject: Any, fell: NDArray[np.bool_], wrong: NDArray[np.bool_]
) -> list[tuple[NDArray[np.bool_], str, str]]:
    """Ask the model about every point once, and about each that surprises once more alone."""
    y = np.asarray(points.clean.y)
    asked = np.where(_column(fell, points.adversarial), points.adversarial, points.clean.x)
    should_err = fell | wrong
    surprising = (np.asarray(subject.labels(asked)) != y) != should_err
    if points.target:
        surprising &= should_err  # a row that is not taken for the target may still be taken for another class
    for row in np.flatnonzero(surprising):
        # a point on the very boundary may fall to either side with the size of the batch
        err = int(np.asarray(subject.labels(asked[row : row + 1]))[0]) != int(y[row])
        surprising[row] = err != should_err[row]
    other = "the model given is not the one that was attacked, or it answers at random; give it with --model"
    return [
        (surprising & fell, "points are classified rightly by the model given", other),
        (surprising & wrong, "inputs count as wrong without attack and are right", other),
        (surprising & ~should_err, "inputs count as withstanding and are wrong without attack", other),
    ]


def _column(mask: NDArray[np.bool_], like: NDArray[Any]) -> NDArray[np.bool_]:
    return mask.reshape(-1, *([1] * (like.ndim - 1)))


def _sentence(points: Points, mask: NDArray[np.bool_], what: str, advice: str) -> str:
    places = np.flatnonzero(mask)
    named = ", ".join(str(int(points.clean.indices[k])) for k in places[:MOST_NAMED])
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return f"{len(places)} of {len(mask)} {what} (rows {named}{more}); {advice}"
