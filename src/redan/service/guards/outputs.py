"""What leaves with an answer: no broken score, and no more of the others than the policy shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ConfigError
from redan.service.gateway.refusal import FAILED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.settings_service import Guards
    from redan.service.gateway.call import Batch
    from redan.service.models.served import Served


class Finite:
    """Refuses answers with a score that is no finite number: the model failed, and NaN tells how."""

    name = "output-filter"

    def before(self, batch: Batch) -> None:
        """Leave rows alone."""

    def after(self, batch: Batch) -> None:
        """Refuse calls with a broken score."""
        scores = batch.scores
        if scores is None or scores.dtype.kind != "f":
            return
        finite = np.isfinite(scores)
        if not finite.all():
            batch.refuse(~finite.reshape(len(scores), -1).all(axis=1), FAILED)


class Shown:
    """Shows labels alone, or the highest scores, or fewer digits.

    The label stays one of the classes with the highest shown score. Scores that are not shown read 0 where scores are
    probabilities, else as the lowest shown one.

    Args:
        guards: labels_only, top and round_digits.
        served: says what scores are.
    """

    name = "output-policy"

    def __init__(self, guards: Guards, served: Served) -> None:
        self._labels_only, self._top, self._digits = guards.labels_only, guards.top, guards.round_digits
        self._fill_zero = served.score_kind == "probabilities"

    def before(self, batch: Batch) -> None:
        """Leave rows alone."""

    def after(self, batch: Batch) -> None:
        """Change what is shown."""
        scores = batch.scores
        if scores is None:
            return
        if self._labels_only:
            batch.scores = None
            return
        if self._top and scores.ndim == 2 and self._top < scores.shape[1]:
            scores = self._highest(scores, batch.labels)
        if self._digits >= 0:
            scores = np.round(scores, self._digits)
        batch.scores = scores

    def _highest(self, scores: NDArray[Any], labels: NDArray[Any] | None) -> NDArray[Any]:
        ranks = scores.astype(np.float64)
        if labels is not None:
            # of equal scores the answered class is shown
            ranks[np.arange(len(ranks)), labels] = np.inf
        order = np.argpartition(-ranks, self._top - 1, axis=1)
        hidden = np.ones(scores.shape, bool)
        np.put_along_axis(hidden, order[:, : self._top], values=False, axis=1)
        lowest = np.where(hidden, np.inf, scores).min(axis=1, keepdims=True)
        return np.where(hidden, 0 if self._fill_zero else lowest, scores).astype(scores.dtype)


def check_outputs(guards: Guards, served: Served) -> None:
    """Say what cannot be.

    Raises:
        ConfigError: noise on what is no probability.
    """
    if guards.dp_epsilon and served.score_kind != "probabilities":
        raise ConfigError(
            f"[serve.guards] dp_epsilon asks for noise on probabilities, and {served.settings.name!r} answers "
            f"{served.score_kind or 'labels'}",
            hint="set dp_epsilon = 0 for this gateway, or serve the model with probabilities",
        )
