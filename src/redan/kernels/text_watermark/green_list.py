"""A mark in generated text: after each context some tokens are green, and a marked text holds more of them.

Source: Kirchenbauer et al. 2023, "A watermark for large language models", algorithms 2 and 3 and section 4.1, with a
keyed hash in place of their generator. Each pair of context and token is green by a bit of its own, so that under a key
nobody knows the distinct pairs of any text are independent draws: the binomial p-value is exact, not an approximation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import words
from redan.kernels.statistics import regularised_beta

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_KEY_BYTES = 16
SMALLEST_P = 1e-300
"""What a p-value below it is said to be; zero would claim what no text can prove."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The secret and the strength of a mark.

    Attributes:
        key: at least 16 random bytes.
        share: share of tokens that are green after any context, within (0, 1).
        push: what is added to the logit of a green token; 0 marks nothing.
        context: tokens before a token that decide with it whether it is green.
    """

    key: bytes
    share: float = 0.25
    push: float = 2.0
    context: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no mark.

        Raises:
            ValueError: a short key, or numbers out of range.
        """
        if len(self.key) < LEAST_KEY_BYTES:
            msg = f"a key has at least {LEAST_KEY_BYTES} bytes, got {len(self.key)}"
            raise ValueError(msg)
        if not 0 < self.share < 1 or not 0 <= self.push < math.inf or self.context < 1:
            msg = f"share={self.share}, push={self.push}, context={self.context} are no numbers of a mark"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a text says about a mark.

    Attributes:
        green: distinct pairs of context and token that are green.
        n: distinct pairs.
        p_value: probability that a text written without the key has as many green pairs, exact.
    """

    green: int
    n: int
    p_value: float


def green(mark: Mark, context: Sequence[int], tokens: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which tokens are green after a context, (m,).

    Args:
        mark: the secret.
        context: the last ``mark.context`` tokens before.
        tokens: (m,) token numbers.
    """
    seed = np.frombuffer(blake2b(_bytes(context), key=mark.key[:64], digest_size=8).digest(), np.uint64)
    keyed = np.asarray(tokens, np.uint64) ^ seed[0]
    drawn = words(keyed, (1,), stream=0)[:, 0] >> np.uint64(11)
    return np.asarray(drawn.astype(np.float64) * 2.0**-53 < mark.share)


def pushed(mark: Mark, context: Sequence[int], logits: NDArray[Any]) -> NDArray[Any]:
    """Return logits with those of green tokens raised.

    Args:
        mark: the secret and its strength.
        context: the tokens so far; with fewer than ``mark.context`` of them nothing is raised.
        logits: (v,) one for each token of the vocabulary.
    """
    if len(context) < mark.context:
        return logits
    raised = green(mark, context[-mark.context :], np.arange(len(logits)))
    return logits + mark.push * raised.astype(logits.dtype)


def read(mark: Mark, tokens: Sequence[int]) -> Reading:
    """Look for a mark in a text.

    Each distinct pair of context and token counts once, so that repeated phrases prove nothing twice.

    Args:
        mark: the secret; its strength plays no part.
        tokens: the text's token numbers, by the tokenizer it was generated with.
    """
    h = mark.context
    pairs: dict[tuple[int, ...], set[int]] = {}
    for i in range(h, len(tokens)):
        pairs.setdefault(tuple(tokens[i - h : i]), set()).add(int(tokens[i]))
    hits = sum(int(green(mark, context, np.array(sorted(after))).sum()) for context, after in pairs.items())
    n = sum(len(after) for after in pairs.values())
    return Reading(green=hits, n=n, p_value=at_least(hits, n, mark.share))


def at_least(hits: int, n: int, share: float) -> float:
    """Return the probability of at least so many hits among n draws, exact; at least `SMALLEST_P`."""
    if hits <= 0:
        return 1.0
    return max(SMALLEST_P, regularised_beta(share, hits, n - hits + 1))


def _bytes(context: Sequence[int]) -> bytes:
    return b"".join(int(token).to_bytes(8, "little") for token in context)
