"""Counted access to a classifier of text: how far each text is from being taken for another class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.text_attacks.search import Walker

CALL_TEXTS = 4096
"""Most texts of one call."""
CALL_CHARACTERS = 8_000_000
"""Most characters of one call, so that candidates for long texts are made a few at a time."""


class Asking:
    """Margins of texts by scores, or by labels alone.

    Args:
        labels: (n,) texts → (n,) classes.
        scores: (n,) texts → (n, classes) on a scale on which differences mean something; None asks for labels alone.
        charge: told how many texts are asked about.
        stop: why nothing more may be asked, asked before every call.
        left: how many texts may still be asked about, None without limit.

    Attributes:
        queries: texts asked about.
        calls: calls made.
        reason: why it ended early, else empty.
        answered: (n,) bool, which clean texts the model errs on; None before they were asked.
    """

    def __init__(
        self,
        labels: Callable[[NDArray[Any]], NDArray[Any]],
        scores: Callable[[NDArray[Any]], NDArray[Any]] | None,
        *,
        charge: Callable[[int], None],
        stop: Callable[[], str | None],
        left: Callable[[], int | None],
    ) -> None:
        self._labels, self._scores = labels, scores
        self._charge, self._stop, self._left = charge, stop, left
        self.queries = self.calls = 0
        self.reason = ""
        self.answered: NDArray[np.bool_] | None = None

    @property
    def graded(self) -> bool:
        """Whether margins say more than right or wrong."""
        return self._scores is not None

    def begun(self, texts: Sequence[str], walkers: Sequence[Walker]) -> bool:
        """Ask about the clean texts and tell the walkers; False when that was not possible."""
        found = self.margins(((text, w.truth) for text, w in zip(texts, walkers, strict=True)), len(texts))
        if found is None:
            return False
        for w, margin in zip(walkers, found.tolist(), strict=True):
            w.margin = margin
            w.best = {} if margin > 0 else None
        self.answered = found > 0
        return True

    def margins(self, pairs: Iterable[tuple[str, int]], n: int) -> NDArray[np.float64] | None:
        """Return (n,) score of the best wrong class less that of the true one; above 0 the model errs.

        Args:
            pairs: texts with their true classes.
            n: how many.

        Returns:
            The margins, or None when they may not all be asked; ``reason`` then says why.
        """
        left = self._left()
        self.reason = self.reason or self._stop() or ""
        if not self.reason and left is not None and left < n:
            self.reason = f"{left} queries are left of the budget, too few for {n} texts"
        if self.reason:
            return None
        found, source = [np.zeros(0)], iter(pairs)
        while chunk := list(islice(source, CALL_TEXTS)):
            while chunk:
                size = _fitting(chunk)
                found.append(self._asked(chunk[:size]))
                chunk = chunk[size:]
        return np.concatenate(found)

    def _asked(self, pairs: list[tuple[str, int]]) -> NDArray[np.float64]:
        x = as_texts([text for text, _ in pairs])
        y = np.array([truth for _, truth in pairs])
        self._charge(len(pairs))
        self.queries += len(pairs)
        self.calls += 1
        if self._scores is None:
            wrong: NDArray[np.float64] = np.where(self._labels(x) == y, -1.0, 1.0)
            return wrong
        scores = np.array(self._scores(x), np.float64)
        if len(y) and int(y.max()) >= scores.shape[1]:
            raise ShapeMismatch(f"the data have class {int(y.max())}; the model has 0 to {scores.shape[1] - 1}")
        rows = np.arange(len(y))
        own = scores[rows, y].copy()
        scores[rows, y] = -np.inf
        best: NDArray[np.float64] = scores.max(axis=1)
        margins: NDArray[np.float64] = best - own
        return margins


def _fitting(pairs: list[tuple[str, int]]) -> int:
    total = 0
    for number, (text, _) in enumerate(pairs):
        total += len(text)
        if total > CALL_CHARACTERS:
            return max(1, number)
    return len(pairs)


def as_texts(texts: Sequence[str]) -> NDArray[Any]:
    """Return texts as an array of objects: in an array of fixed width the longest text sets the size of all."""
    array = np.empty(len(texts), dtype=object)
    array[:] = list(texts)
    return array
