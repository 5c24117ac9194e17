"""Answers that are no longer distributed as they were."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import UsageError
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.kernels.drift.profile import BINS
from redan.kernels.drift.stream import INTERVAL_S
from redan.threats.operation.drifting import Drifting, Watched, reference

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.subjects.detectors.served import Asked, Served

NAMES = ("label", "highest score")
_SCORE = 1
LEAST_ROWS = 100


@monitor(
    Spec(
        id="RDN-OPE-202",
        name="answer-drift",
        threat="operation",
        title="Answers that are distributed otherwise than they were, by a test that may be asked at any time",
        source="Wasserman, Ramdas & Balakrishnan 2020, PNAS, section 8; Lipton, Wang & Smola 2018, ICML, section 4",
        data=("test",),
        references=("nist:ai-rmf-measure-2.4", "doi:10.1073/pnas.1922664117", "arxiv:1802.03916"),
    )
)
class AnswerDrift(Drifting):
    """Watches how often each class is answered and how sure the model is.

    What it sees:
        Counts of answered classes, and of the highest score in eight bins, by five minutes.

    Why it matters:
        It needs neither inputs nor truths: a model that suddenly answers one class, or has become less sure, meets
        something new, was exchanged, or is being steered.

    How:
        As input-drift: a likelihood ratio for each moment at which the answers may have changed. A stream of answers
        like the reference ever raises a finding with a probability of at most ``level``.

    Units:
        Population stability index in nats.

    Cost:
        A few comparisons an answer; counts only are kept.

    Sources:
        Wasserman, Ramdas & Balakrishnan 2020; Lipton, Wang & Smola 2018, "Detecting and correcting for label shift".

    Limits:
        More than eight classes are counted in eight neighbouring groups. Answers that a gateway rounds or puts noise on
        are counted as they left, and held against the first 2000 of them: a file's reference is of what the model
        answers itself. Without a reference it learns from the first 2000 answers too.
    """

    spec: ClassVar[Spec]
    what: ClassVar[str] = "distributions of answers"
    detail: ClassVar[str] = (
        "The model answers otherwise than it did. Compare its inputs with the reference, and its digest with the one "
        "that was sealed; then measure it again on recent rows."
    )

    @classmethod
    def fitted(
        cls, labels: NDArray[Any], scores: NDArray[Any] | None, subject: str, model: str, *, level: float = 0.01
    ) -> Self:
        """Take answers to rows of normal use as the reference: labels (n,) and scores (n, k) or None.

        Raises:
            UsageError: fewer than 100 answers.
        """
        if len(labels) < LEAST_ROWS:
            raise UsageError(f"a reference of drift needs {LEAST_ROWS} answers, got {len(labels)}")
        return cls(reference(subject, model, columns_of(labels, scores), NAMES, level))

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Ask the model about the test rows.

        Raises:
            CapabilityMissing: it answers no scores.
            UsageError: fewer than 100 rows.
        """
        scores = served.answers(np.asarray(inputs.role("test").x, np.float32))
        return cls.fitted(scores.argmax(axis=1), scores, served.name, served.digest, level=asked.rate)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Any) -> Self:
        """Return what a file holds, with nothing counted; errors as in `Watched.restored`."""
        return cls(Watched.restored(arrays, about, cls.spec, served.digest))

    def count_answers(self, labels: NDArray[Any], scores: NDArray[Any] | None, time_s: float) -> None:
        """Count answers of one time: labels (n,) and scores (n, k) or None.

        Scores that are not known, here or in the reference, are no change: a log may keep labels alone.
        """
        if not len(labels):
            return
        counts = self.made.profile.counted(columns_of(labels, scores))
        counts[_SCORE, BINS] = 0
        if not self.made.profile.counts[_SCORE, :BINS].any():
            counts[_SCORE] = 0
        self._counted = self._counted.plus(time_s, counts)

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count the answers of this model, and yield a finding when they have drifted.

        An event that repeats a request with its truth is the same answer again and is passed over.
        """
        by_interval: dict[int, list[Event]] = {}
        for event in events:
            if not isinstance(event, Event) or event.model != self.made.model:
                continue
            if event.label is not None and event.truth is None:
                by_interval.setdefault(math.floor(event.time_s / INTERVAL_S), []).append(event)
        for place, answered in by_interval.items():
            labels = np.array([event.label for event in answered])
            highest = np.array(
                [math.nan if e.scores is None else np.max(e.scores, initial=-math.inf) for e in answered]
            )
            self.count_answers(labels, highest[:, None], place * INTERVAL_S)
        if by_interval:
            yield from self.findings()


def columns_of(labels: NDArray[Any], scores: NDArray[Any] | None) -> NDArray[np.float64]:
    """Return label and highest score, (n, 2); NaN where there are no scores."""
    highest = np.full(len(labels), np.nan)
    if scores is not None and scores.size:
        highest = scores.reshape(len(labels), -1).max(axis=1).astype(np.float64)
    return np.stack([np.asarray(labels, np.float64), highest], axis=1)
