"""What a detector needs of the model it stands in front of, and what its user sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import CapabilityMissing
from redan.core.subject import Subject, SubjectRef
from redan.kernels.probabilities import probabilities_of

Reads = Literal["inputs", "penultimate"]
"""What distances are measured in."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """A model as a detector sees it.

    Attributes:
        name: of the model.
        digest: of the model, as statements name it; a detector stands in front of this one alone.
        bounds: lowest and highest legal value of inputs, or None when unknown.
        probabilities: maps rows (n, …) to probabilities (n, k), or None.
        features: maps rows (n, …) to what enters the last layer, (n, d); None: distances are measured in the inputs.
        parts: the digest over its parts (`redan.core.subject.SubjectRef.digest`), which names it where no file does.
    """

    name: str
    digest: str
    bounds: tuple[float, float] | None = None
    probabilities: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    features: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    parts: str = ""

    @property
    def reads(self) -> Reads:
        """What distances are measured in."""
        return "inputs" if self.features is None else "penultimate"

    def embed(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return what distances are measured in, (n, d)."""
        return rows.reshape(len(rows), -1) if self.features is None else self.features(rows)

    def answers(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities (n, k).

        Raises:
            CapabilityMissing: the model answers labels only.
        """
        if self.probabilities is None:
            raise CapabilityMissing(f"{self.name} answers no scores, and this detector compares them")
        return self.probabilities(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user sets.

    Attributes:
        rate: false-alarm rate that is guaranteed at 97.5 %.
        budget_us: most microseconds of CPU a request; None: any.
        seed: of what is drawn.
    """

    rate: float = 0.01
    budget_us: float | None = None
    seed: int = 0


def served(subject: Subject, sample: NDArray[Any] | None = None, *, digest: str = "") -> Served:
    """Look at a subject; a torch net also gives what enters its last layer.

    Args:
        subject: the model.
        sample: (n, …) rows to find the last layer of a torch net with; None: distances are measured in the inputs.
        digest: what statements about it name; when empty that of its one file, or else of its parts.
    """
    return Served(
        name=subject.ref.name,
        digest=digest or digest_of(subject.ref),
        parts=subject.ref.digest,
        bounds=subject.bounds,
        probabilities=_probabilities(subject) if "scores" in subject.capabilities else None,
        features=None if sample is None or "gradients" not in subject.capabilities else _features(subject, sample),
    )


def digest_of(ref: SubjectRef) -> str:
    """Return the SHA-256 of the one file that a subject is, as statements name it; else the digest over its parts.

    A network with preprocessing of its own is more than its file: its statements do not say how it answers with that.
    """
    if ref.binding.kind == "file" and len(ref.components) == 1:
        return ref.components[0].sha256
    return ref.digest


def _probabilities(subject: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def answers(rows: NDArray[Any]) -> NDArray[Any]:
        return probabilities_of(subject.scores(rows), subject.score_kind)

    return answers


def _features(subject: Any, sample: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    import torch

    from redan.kernels.attacks.oracle import untouched
    from redan.kernels.detectors.penultimate import penultimate

    read = penultimate(subject.module, subject.logits, torch.from_numpy(np.asarray(sample)))

    def features(rows: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad(), untouched(subject.module):
            return np.asarray(read(torch.from_numpy(np.ascontiguousarray(rows))).cpu().numpy())

    return features
