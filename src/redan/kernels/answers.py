"""What a model answers, told less exactly: rounded, flattened, shortened or with noise; the top class stays the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

_LEAST = 1e-12


def probabilities(scores: NDArray[Any], *, kind: str) -> NDArray[np.float64]:
    """Return probabilities (n, classes) of logits or of what already are probabilities."""
    wide = np.asarray(scores, np.float64)
    if kind == "probabilities":
        return wide
    grown = np.exp(wide - wide.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def rounded(p: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Return (n, classes) probabilities with that many digits after the point; they need not sum to one."""
    return np.round(p, digits)


def tempered(p: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return probabilities in proportion to p^(1 / temperature): above one they are flatter."""
    logs = np.log(np.clip(p, _LEAST, None)) / temperature
    return probabilities(logs, kind="logits")


def shortened(p: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the k highest probabilities of each row; the others share what is left evenly, which tells nothing more.

    Equal probabilities keep the lower classes.
    """
    classes = p.shape[1]
    if k >= classes:
        return p
    kept = np.zeros(p.shape, np.bool_)
    np.put_along_axis(kept, np.argsort(-p, axis=1, kind="stable")[:, :k], values=True, axis=1)
    rest = np.clip(1 - np.where(kept, p, 0).sum(axis=1), 0, None) / (classes - k)
    return np.where(kept, p, rest[:, None])


def noised(p: NDArray[np.float64], keys: Keys, deviation: float) -> NDArray[np.float64]:
    """Return probabilities with normal noise on their logarithms, summing to one.

    Args:
        p: (n, classes) probabilities.
        keys: (n,) keys of the draws: the same key gives the same noise, so that asking again averages nothing away.
        deviation: of the noise, in natural logarithms.
    """
    logs = np.log(np.clip(p, _LEAST, None)) + deviation * normal(keys, p.shape[1:], stream=0)
    return probabilities(logs, kind="logits")


def topped(changed: NDArray[np.float64], top: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return changed answers whose highest class is the given one: where it is not, the two change places.

    Args:
        changed: (n, classes).
        top: (n,) classes that are to stay the highest; a tie for the highest is left alone.
    """
    rows = np.arange(len(changed))
    high = changed.argmax(axis=1)
    mend = changed[rows, high] > changed[rows, top]
    made = changed.copy()
    made[rows[mend], top[mend]] = changed[rows[mend], high[mend]]
    made[rows[mend], high[mend]] = changed[rows[mend], top[mend]]
    return made
