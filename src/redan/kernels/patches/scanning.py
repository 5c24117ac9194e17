"""Stick a patch everywhere and see where a model errs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.patches.placing import stick

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scanned:
    """Answers with a patch at every place.

    Attributes:
        answers: (places, n) classes; −1 where a budget cut it short.
        reason: why it was cut short, else empty.
    """

    answers: NDArray[np.int64]
    reason: str = ""

    def right(self, y: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which answers are right, (places, n); what was not asked counts as right."""
        return np.asarray((self.answers == y) | (self.answers < 0))


def scan(
    predict: Callable[[NDArray[np.float32]], NDArray[np.integer]],
    x: NDArray[np.float32],
    patch: NDArray[np.float32],
    at: NDArray[np.int64],
    *,
    stop: Callable[[], str | None] = lambda: None,
) -> Scanned:
    """Ask about every image (n, c, h, w) with the patch at every corner of ``at``, (places, 2)."""
    answers = np.full((len(at), len(x)), -1, np.int64)
    for place, corner in enumerate(at):
        if why := stop():
            return Scanned(answers=answers, reason=why)
        answers[place] = predict(stick(x, patch, corner))
    return Scanned(answers=answers)
