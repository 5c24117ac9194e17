"""Arriving training rows, by source: which source's labels or rows disagree with what trusted rows taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from redan.core.catalogue import monitor
from redan.core.errors import EvidenceError, ShapeMismatch, Unreadable, UsageError
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.core.monitor import LONGEST_CLIENT, Event
from redan.core.probe import Spec
from redan.core.threat import Scale
from redan.kernels.arriving.counts import Counts
from redan.kernels.arriving.surprise import KINDS, Trusted, trust
from redan.kernels.principal import Principal
from redan.threats.poisoning.counted import rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from redan.core.inputs import Dataset, Inputs
    from redan.subjects.detectors.served import Asked, Served

SCALE = Scale(quantity="alarm_rate", steps=((0.3, Severity.HIGH), (0.1, Severity.MEDIUM)), otherwise=Severity.LOW)
"""A rise beyond chance is at least low; the share of rows that disagree says how much one source could do."""
RATE = 0.02
WORDS = {"label": "labels that trusted rows speak against", "place": "rows that lie far from their class"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """What rows arrive for.

    Attributes:
        subject: what findings are about.
        model: digest of the model that is to be trained with them.
        shape: of one row.
    """

    subject: str
    model: str
    shape: tuple[int, ...]

    def about(self, spec: Spec) -> dict[str, Any]:
        """Return the words of the monitor's file."""
        return {"rule": spec.id, "subject": self.subject, "model": self.model, "shape": list(self.shape)}

    @classmethod
    def restored(cls, about: Mapping[str, Any], spec: Spec, model: str) -> Arriving:
        """Read back what `about` gave.

        Raises:
            EvidenceError: it was made for another model.
            Unreadable: the file says something else.
        """
        try:
            if about["rule"] != spec.id:
                raise ValueError(f"it is {about['rule']}, not {spec.id}")
            shape = tuple(int(side) for side in about["shape"])
            found = cls(subject=str(about["subject"]), model=str(about["model"]), shape=shape)
        except (KeyError, TypeError, ValueError, OverflowError) as err:
            raise Unreadable(f"this is no {spec.name} monitor: {type(err).__name__} {err}") from err
        if found.model != model:
            raise EvidenceError(
                f"the {spec.name} monitor was made for model {found.model[:16]}, and this is {model[:16]}",
                hint="calibrate it for this model",
            )
        return found


@monitor(
    Spec(
        id="RDN-POI-201",
        name="arriving-data",
        threat="poisoning",
        title="Sources of training rows that disagree with trusted rows",
        source="Vovk, Gammerman & Shafer 2005, section 4.5; Shin, Ramdas & Rinaldo 2024, section 2.2",
        data=("train", "reference"),
        references=("atlas:AML.T0020", "atlas:AML.M0007", "owasp:ML02", "arxiv:2203.03532"),
    )
)
class ArrivingData:
    """Sees which source of arriving training rows sends labels or rows that trusted rows speak against.

    What it sees:
        For every arriving row whether its label is improbable given its values, and whether it lies far from its class,
        each as no more than one trusted row in fifty of that class does; by source and hour.

    Why it matters:
        Whoever contributes rows can plant flips and triggers. The rows of one source against all others are the trace;
        a mean over all sources hides it.

    How:
        A linear model and class centres on principal components of trusted rows; thresholds by class from other trusted
        rows, so that a source may send any mix of classes. A finding says that the alarm rate of a source has risen
        above what benign rows of any class may have, by a test that may be looked at after every row. The model that
        is trained is not asked: it may be the poisoned one.

    Units:
        Alarm rate as a share of the rows of a source.

    Cost:
        Two products with matrices of 32 columns a row. State: three numbers for each source and hour, 500 sources and
        48 hours at most.

    Sources:
        Vovk, Gammerman & Shafer 2005, "Algorithmic learning in a random world", section 4.5; Shin, Ramdas & Rinaldo
        2024, "E-detectors: a nonparametric framework for sequential change detection", section 2.2.

    Limits:
        A few planted rows among thousands of one source stay below the bar. A new kind of benign data raises an alarm
        too. More than 500 names of sources are counted together beyond the first in the order of their names.
    """

    spec: ClassVar[Spec]

    def __init__(self, trusted: Trusted, made: Arriving, counts: Counts | None = None) -> None:
        self.trusted, self.made = trusted, made
        self._counts = counts or Counts()

    @classmethod
    def fitted(cls, trusted: Dataset, held: Dataset, subject: str = "training data", model: str = "") -> Self:
        """Learn from trusted rows and set the thresholds by other trusted rows.

        Args:
            trusted: (n, …) finite numbers with (n,) classes.
            held: others of the same kind.
            subject: what findings are about.
            model: digest of the model that is to be trained with the rows; events name it.

        Raises:
            ShapeMismatch: rows of another shape, or values that are no finite numbers.
            UsageError: too few rows of a class.
        """
        for data in (trusted, held):
            x: NDArray[Any] = np.asarray(data.x)
            if x.dtype.kind not in "biuf" or not np.isfinite(x).all() or x.shape[1:] != trusted.x.shape[1:]:
                raise ShapeMismatch(f"{data.name!r} holds {x.dtype} of shape {x.shape}; expected finite numbers")
        if not len(trusted) or not len(held):
            raise UsageError("there are no trusted rows", hint="give rows that were checked by hand")
        try:
            found = trust(trusted.x, np.asarray(trusted.y), held.x, np.asarray(held.y), RATE)
        except ValueError as err:
            raise UsageError(f"thresholds cannot be set: {err}", hint="give more trusted rows of each class") from err
        return cls(found, Arriving(subject=subject, model=model, shape=tuple(trusted.x.shape[1:])))

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Learn from the training rows, and set the thresholds by the reference rows or else the test rows.

        Raises:
            ShapeMismatch: rows of another shape, or values that are no finite numbers.
            UsageError: too few rows of a class.
        """
        del asked  # a source's finding has a bar of its own, whatever the rate of single rows
        held = inputs.reference if inputs.reference is not None else inputs.role("test")
        return cls.fitted(inputs.role("train"), held, served.name, served.digest)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Served) -> Self:
        """Return what a file holds, with nothing counted.

        Raises:
            EvidenceError: it was made for another model.
            Unreadable: the file says something else.
        """
        made = Arriving.restored(about, cls.spec, served.digest)
        label, place = (float(each) for each in arrays["allowed"])
        trusted = Trusted(
            axes=Principal(mean=arrays["mean"], scale=arrays["scale"], axes=arrays["axes"]),
            weights=arrays["weights"],
            centres=arrays["centres"],
            whitening=arrays["whitening"],
            thresholds=arrays["thresholds"],
            allowed=(label, place),
        )
        return cls(trusted, made)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        found = self.trusted
        arrays = {
            "mean": found.axes.mean,
            "scale": found.axes.scale,
            "axes": found.axes.axes,
            "weights": found.weights,
            "centres": found.centres,
            "whitening": found.whitening,
            "thresholds": found.thresholds,
            "allowed": np.array(found.allowed),
        }
        return arrays, self.made.about(self.spec)

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count the alarms of arriving rows, and yield a finding for each source and kind that has too many.

        A row is an event with a source, a label and its values; others are passed over.
        """
        rows = [each for each in events if isinstance(each, Event) and self._is_row(each)]
        if not rows:
            return
        labels = np.asarray([event.label for event in rows], np.int64)
        alarms = self.trusted.alarms(np.stack([np.asarray(event.x, np.float64) for event in rows]), labels)
        self._counts = self._counts.plus(
            (event.source[:LONGEST_CLIENT], event.time_s, bool(label), bool(place))
            for event, label, place in zip(rows, *alarms, strict=True)
        )
        for source in self._counts.sources:
            for kind, name in enumerate(KINDS):
                risen = self._counts.risen(source, kind, self.trusted.allowed[kind])
                if risen is not None:
                    yield self._finding(source, name, *risen)

    def merge(self, other: Self) -> Self:
        """Return a monitor that has counted what both have."""
        return type(self)(self.trusted, self.made, self._counts.merged(other._counts))

    def _is_row(self, event: Event) -> bool:
        if not event.source or event.label is None or not isinstance(event.x, np.ndarray):
            return False
        known = 0 <= event.label < len(self.trusted.centres)
        numbers = event.x.shape == self.made.shape and event.x.dtype.kind in "biuf"
        return known and numbers and bool(np.isfinite(event.x).all())

    def _finding(self, source: str, kind: str, alarms: int, n: int) -> Finding:
        measured = rate("alarm_rate", alarms, n)
        most = self.trusted.allowed[KINDS.index(kind)]
        allowed = Quantity(name="allowed_rate", value=most, unit="fraction", n=n, low=most, high=most)
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=self.made.subject,
            title=f"{measured.value:.1%} of {n} rows from {source!r}: {WORDS[kind]}; at most {most:.1%} should be",
            severity=SCALE.severity(measured),
            confidence="likely",
            detail="Hold the rows of this source back from training, and look at them beside trusted rows.",
            params={"kind": kind},
            quantities=(measured, allowed),
            locations=(Location(uri=f"source {source}"),),
            remedies=("do not train on this source until somebody has looked at its rows", "RDN-POI-101"),
            references=self.spec.references,
        )
