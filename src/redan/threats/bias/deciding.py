"""A model whose answers are decided anew: by several models, or by a threshold for each group.

Equalised odds can need chance: one group gets a decision with some probability. The draw is made from the row itself,
so that whoever asks twice gets the same answer.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.subject import Component, SubjectRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.subject import Capability, Subject


class DecidingSubject:
    """Two classes, decided by the probability of class 1.

    Args:
        inner: the model it was made from.
        chance: maps rows (n, …) to the probability of class 1, (n,).
        note: what was done.
        made_of: bytes that tell this decision from another, for the digest.
        seed: of the draws.
    """

    def __init__(
        self,
        inner: Subject,
        chance: Callable[[NDArray[Any]], NDArray[np.float64]],
        *,
        note: str,
        made_of: bytes,
        seed: int,
    ) -> None:
        self._inner, self._chance, self._seed = inner, chance, seed
        digest = sha256(f"{note}\n{seed}\n".encode() + made_of).hexdigest()
        part = Component(role="preprocessing", uri=note, sha256=digest, size_bytes=len(made_of))
        given = inner.ref
        self._ref: SubjectRef = replace(
            given, components=(*given.components, part), lineage=(*given.lineage, given.digest)
        )

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""
        return self._ref

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels and scores."""
        return frozenset({"labels", "scores"})

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the model it was made from."""
        return self._inner.classes

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Bounds of the inputs."""
        return self._inner.bounds

    @property
    def score_kind(self) -> str:
        """What the scores are."""
        return "probabilities"

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Decide about (n, …) rows: (n,) int64, class 1 where the row's own draw is below its chance."""
        x = np.asarray(x)
        return np.asarray(drawn(x, self._seed) < self._chance(x), np.int64)

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the chance of each class, (n, 2)."""
        one = self._chance(np.asarray(x))
        return np.stack([1 - one, one], axis=1)


def drawn(x: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each row (n, …) that depends on its values and the seed alone."""
    rows = np.ascontiguousarray(x, dtype=np.float64)
    key = (seed % 2**64).to_bytes(8, "big")
    words = (int.from_bytes(blake2b(row.tobytes(), digest_size=8, key=key).digest(), "big") for row in rows)
    return np.fromiter((word / 2**64 for word in words), np.float64, len(rows))
