"""Truths that come late, held against the accuracy that was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.core.finding import Finding, Location, Quantity
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.kernels.detectors.alarms import log_evidence
from redan.kernels.drift.stream import INTERVAL_S, Counted
from redan.kernels.statistics import clopper_pearson, difference, wilson
from redan.threats.operation.threat import THREAT

if TYPE_CHECKING:
    from redan.core.inputs import Inputs
    from redan.subjects.detectors.served import Asked, Served

LEAST_TRUTHS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What a model's accuracy is held against.

    Attributes:
        subject: what findings are about.
        model: digest of the model.
        right: rows of the reference that it answered rightly.
        n: rows of the reference.
        allowed: fall that is no finding.
        level: probability of ever raising a false finding.
    """

    subject: str
    model: str
    right: int
    n: int
    allowed: float = 0.02
    level: float = 0.01

    def __post_init__(self) -> None:
        """Refuse what is no accuracy.

        Raises:
            UsageError: fewer than 100 rows, or a number that is no share.
        """
        if self.n < LEAST_TRUTHS or not 0 <= self.right <= self.n:
            raise UsageError(f"an accuracy to hold against rests on {LEAST_TRUTHS} rows, got {self.right} of {self.n}")
        if not 0 <= self.allowed < 1 or not 0 < self.level < 1:
            raise UsageError(f"allowed {self.allowed} and level {self.level} are no shares")

    @property
    def most_wrong(self) -> float:
        """Share of errors that is no finding; above what the reference has with a probability of 1 - level / 2."""
        return min(0.999, _upper(self.n - self.right, self.n, 1 - self.level) + self.allowed)


@lru_cache(maxsize=256)
def _upper(wrong: int, n: int, confidence: float) -> float:
    # thousands of bisections, asked for at every look
    return clopper_pearson(wrong, n, confidence)[1]


@monitor(
    Spec(
        id="RDN-OPE-203",
        name="accuracy-drop",
        threat="operation",
        title="Accuracy on delayed truths below what was measured, by a test that may be asked at any time",
        source="Robbins 1970, Annals of Mathematical Statistics 41, section 3; Ramdas et al. 2023, section 3",
        data=("test",),
        references=("nist:ai-rmf-measure-2.4", "arxiv:2210.01948"),
    )
)
class AccuracyDrop:
    """Watches accuracy as truths arrive.

    What it sees:
        Answers whose truth somebody told: how many were right, by five minutes of the answer.

    Why it matters:
        It is the only number that says the model errs more, and not only that something is different.

    How:
        Errors may be as frequent as the upper end of the reference's interval and ``allowed`` more. For every moment at
        which they may have become more frequent, the evidence of that is weighed; a finding needs ``2/level``. A model
        as accurate as it was ever raises one with a probability of at most ``level``, however often one looks.

    Units:
        Fall of accuracy, as a fraction.

    Cost:
        Two counts an interval.

    Sources:
        Robbins 1970, "Statistical methods related to the law of the iterated logarithm"; Ramdas, Grünwald, Vovk and
        Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference"; Newcombe 1998 for the interval.

    Limits:
        Truths that are told only for some answers, such as for complaints, speak of those alone. Whoever may tell
        truths can make the model look worse or better than it is.
    """

    spec: ClassVar[Spec]

    def __init__(self, made: Accuracy, counted: Counted | None = None) -> None:
        self.made = made
        self._counted = counted or Counted.nothing((2,))

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Measure the model on the test rows.

        Raises:
            UsageError: fewer than 100 rows.
            CapabilityMissing: the model answers no scores.
        """
        test = inputs.role("test")
        right = served.answers(np.asarray(test.x, np.float32)).argmax(axis=1) == np.asarray(test.y)
        made = Accuracy(
            subject=served.name, model=served.digest, right=int(right.sum()), n=len(right), level=asked.rate
        )
        return cls(made)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Any) -> Self:
        """Return what a file holds, with nothing counted.

        Raises:
            EvidenceError: it was made for another model.
            Unreadable: the file says something else.
        """
        del arrays
        try:
            made = Accuracy(
                subject=str(about["subject"]),
                model=str(about["model"]),
                right=int(about["right"]),
                n=int(about["n"]),
                allowed=float(about["allowed"]),
                level=float(about["level"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, UsageError) as err:
            raise Unreadable(f"this is no {cls.spec.name} monitor: {type(err).__name__} {err}") from err
        if made.model != served.digest:
            raise EvidenceError(
                f"the {cls.spec.name} monitor was made for model {made.model[:16]}, and this is {served.digest[:16]}",
                hint="calibrate it for this model",
            )
        return cls(made)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays (none) and words of the file."""
        made = self.made
        about = {"rule": self.spec.id, "subject": made.subject, "model": made.model, "right": made.right, "n": made.n}
        return {}, {**about, "allowed": made.allowed, "level": made.level}

    @property
    def counted(self) -> tuple[int, int]:
        """Answers with a truth that were right, and all of them."""
        wrong, right = (int(n) for n in self._counted.total)
        return right, right + wrong

    def count_truths(self, right: int, n: int, time_s: float) -> None:
        """Count truths of answers of one time."""
        self._counted = self._counted.plus(time_s, np.array([n - right, right], np.int64))

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count the truths of this model, and yield a finding when accuracy has fallen."""
        by_interval: dict[int, list[bool]] = {}
        for event in events:
            if not isinstance(event, Event) or event.model != self.made.model:
                continue
            if event.truth is not None and event.label is not None:
                by_interval.setdefault(math.floor(event.time_s / INTERVAL_S), []).append(event.label == event.truth)
        for place, right in by_interval.items():
            self.count_truths(sum(right), len(right), place * INTERVAL_S)
        if by_interval:
            yield from self.findings()

    def findings(self) -> Iterator[Finding]:
        """Yield a finding when accuracy has fallen."""
        sums, weights = self._counted.since()
        ordinary = self.made.most_wrong
        found = [
            (log_evidence(wrong, wrong + right, ordinary) + weight, right, wrong + right)
            for (wrong, right), weight in zip(sums.tolist(), weights.tolist(), strict=True)
            if wrong > ordinary * (wrong + right)
        ]
        if not found:
            return
        top, right, n = max(found)
        if top + math.log(sum(math.exp(each[0] - top) for each in found)) >= math.log(2 / self.made.level):
            yield self._finding(right, n)

    def merge(self, other: Self) -> Self:
        """Return a monitor that has counted what both have."""
        return type(self)(self.made, self._counted.merged(other._counted))

    def _finding(self, right: int, n: int) -> Finding:
        made = self.made
        fall, (low, high) = difference((right, n), (made.right, made.n)), wilson(right, n)
        dropped = Quantity(
            name="accuracy_drop", value=fall.value, unit="fraction", n=n, low=fall.low, high=fall.high, better="lower"
        )
        accuracy = Quantity(name="accuracy", value=right / n, unit="fraction", n=n, low=low, high=high, better="higher")
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=made.subject,
            title=f"accuracy is {right / n:.1%} on {n} answers with a truth; {made.right / made.n:.1%} was measured",
            severity=THREAT.severity(dropped),
            detail=(
                f"More than the fall of {made.allowed:g} that is allowed. Look at drift of inputs first: it says where "
                "the model meets something new. Measure it on these rows, and retrain or roll back."
            ),
            params={"allowed": made.allowed, "level": made.level},
            quantities=(dropped, accuracy),
            locations=(Location(uri="stream"),),
            remedies=("roll back to the version before", "retrain on rows with these truths"),
            references=self.spec.references,
        )
