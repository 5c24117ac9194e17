"""Group gaps: the rates of groups on live traffic, with truths that come late."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from redan.core.catalogue import monitor
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.kernels.fairness.encoding import encode
from redan.kernels.fairness.stream import log_evidence
from redan.kernels.statistics import difference, wilson
from redan.subjects.detectors.served import digest_of
from redan.threats.bias.monitors.watched import RATES, Watched
from redan.threats.bias.people import groups_of, sensitive_columns
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from redan.core.inputs import Dataset, Inputs
    from redan.core.subject import Subject
    from redan.subjects.detectors.served import Asked, Served

_CELLS = 8
"""Counts of a group: answers without a truth and those with one, each not chosen and chosen; then tn, fp, fn, tp."""


@monitor(
    Spec(
        id="RDN-BIA-201",
        name="group-gaps",
        threat="bias",
        title="Gaps between groups on live traffic, by a test that may be asked at any time",
        source="Wasserman, Ramdas & Balakrishnan 2020, PNAS, section 8",
        references=("doi:10.1073/pnas.1922664117", "arxiv:1912.11436"),
    )
)
class GroupGaps:
    """Watches selection rate, true and false positive rate of each group, and tells when two lie too far apart.

    What it sees:
        Differences between groups beyond ``allowed`` in how often they are chosen, and, once truths arrive, in true and
        false positive rates.

    Why it matters:
        A model that was fair when it was measured meets other people later, and truths come weeks after answers.

    How:
        Counts by group, nothing else is kept. For each pair of groups a likelihood ratio weighs "they differ by more
        than is allowed" against the best pair of rates that do not. A finding needs evidence of the number of pairs and
        rates over ``level``, so that a fair stream raises one with a probability of at most ``level``, however often
        one looks.

    Shapes:
        Events with ``label`` and ``groups`` (values by column). One without ``truth`` counts as chosen or not; one with
        ``truth`` counts as true or false. A request may come twice, first without and later with its truth. Where no
        event comes without its truth, those with one tell selection rates too.

    Units:
        Differences of rates.

    Error of the estimate:
        The test is valid at any time. The interval of a gap is Newcombe's and holds for one look.

    Cost:
        Microseconds an event; eight counts a group.

    Sources:
        Wasserman, Ramdas & Balakrishnan 2020, "Universal inference"; Krichevsky & Trofimov 1981; Ville 1939.

    Limits:
        The groups are fixed beforehand; events of others are passed over. It assumes that each group's rate stays as it
        is: where all rates move together while the mix of groups changes, that looks like a gap. Truths that come only
        for those who were chosen tell nothing about those who were not.
    """

    spec: ClassVar[Spec]

    def __init__(self, made: Watched, counts: Mapping[str, NDArray[np.int64]] | None = None) -> None:
        self.made = made
        self._place = {name: {group: i for i, group in enumerate(groups)} for name, groups in made.columns.items()}
        self._counts = {
            name: np.zeros((len(groups), _CELLS), np.int64) if counts is None else counts[name].copy()
            for name, groups in made.columns.items()
        }

    @classmethod
    def fitted(
        cls,
        subject: Subject,
        data: Dataset,
        inputs: Inputs,
        *,
        favourable: int = 1,
        allowed: float = 0.05,
        level: float = 0.05,
    ) -> Self:
        """Return a monitor for a model, with the groups that the data have; columns of numbers must have few values.

        Raises:
            UsageError: no sensitive column was named, or a number that is no share.
        """
        name, digest = subject.ref.name, digest_of(subject.ref)
        return cls._watching(name, digest, data, inputs, favourable=favourable, allowed=allowed, level=level)

    @classmethod
    def _watching(
        cls,
        name: str,
        digest: str,
        data: Dataset,
        inputs: Inputs,
        *,
        favourable: int = 1,
        allowed: float = 0.05,
        level: float = 0.05,
    ) -> Self:
        groups_of(data, inputs)  # says what is missing
        columns = {column: encode(data.groups[column]).levels for column in sensitive_columns(inputs)}
        return cls(
            Watched(subject=name, model=digest, columns=columns, favourable=favourable, allowed=allowed, level=level)
        )

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Take the groups of the test rows; errors as in `fitted`.

        The rate asked for is the probability of ever raising a false finding.
        """
        return cls._watching(served.name, served.digest, inputs.role("test"), inputs, level=asked.rate)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Any) -> Self:
        """Return what a file holds, with nothing counted.

        Raises:
            EvidenceError: it was made for another model.
            Unreadable: the file says something else.
        """
        return cls(Watched.restored(about, cls.spec, served.digest))

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        return {}, self.made.about(self.spec)

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count the events of this model, and yield a finding for each column and rate with a gap."""
        for event in events:
            if isinstance(event, Event) and event.model == self.made.model and event.label is not None:
                self._count(event)
        asked = math.log(self.made.n_tests / self.made.level)
        for column in self.made.columns:
            for rate in RATES:
                worst = self._worst(column, rate)
                if worst is not None and worst[0] >= asked:
                    yield self._finding(column, rate, *worst[1:])

    def merge(self, other: Self) -> Self:
        """Return a monitor that has counted what both have."""
        return type(self)._of(self.made, {name: mine + other._counts[name] for name, mine in self._counts.items()})

    @classmethod
    def _of(cls, made: Watched, counts: Mapping[str, NDArray[np.int64]]) -> Self:
        both = object.__new__(cls)
        GroupGaps.__init__(both, made, counts)
        return both

    def _count(self, event: Event) -> None:
        chosen = int(event.label == self.made.favourable)
        for column, places in self._place.items():
            place = places.get(event.groups.get(column, ""))
            if place is None:
                continue
            row = self._counts[column][place]
            row[chosen if event.truth is None else 2 + chosen] += 1
            if event.truth is not None:
                row[4 + 2 * int(event.truth == self.made.favourable) + chosen] += 1

    def _cases(self, column: str, rate: str) -> list[tuple[int, int]]:
        """Return (cases, n) of each group."""
        counts = self._counts[column]
        first = {"selection_rate": 0 if counts[:, :2].any() else 2, "tpr": 6, "fpr": 4}[rate]
        return [(int(row[first + 1]), int(row[first] + row[first + 1])) for row in counts]

    def _worst(self, column: str, rate: str) -> tuple[float, int, int] | None:
        """Return the log evidence and the places of the two groups that it is strongest for, the higher rate first."""
        found = self._cases(column, rate)
        known = [i for i, (_, n) in enumerate(found) if n]
        pairs = [(log_evidence(found[i], found[j], self.made.allowed), i, j) for i, j in combinations(known, 2)]
        if not pairs:
            return None
        weight, i, j = max(pairs)
        higher = found[i][0] * found[j][1] >= found[j][0] * found[i][1]
        return (weight, i, j) if higher else (weight, j, i)

    def _finding(self, column: str, rate: str, higher: int, lower: int) -> Finding:
        found, names = self._cases(column, rate), self.made.columns[column]
        gap = difference(found[lower], found[higher])
        measured = Quantity(
            name="rate_gap",
            value=gap.value,
            unit="fraction",
            n=found[lower][1] + found[higher][1],
            low=max(0.0, gap.low),
            high=min(1.0, gap.high),
            better="lower",
        )
        rows = [
            (name, n, round(cases / n, 4) if n else None, *(round(end, 4) for end in wilson(cases, n)))
            for name, (cases, n) in zip(names, found, strict=True)
        ]
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=self.made.subject,
            title=f"{column}: {names[higher]} lies {gap.value:.3f} above {names[lower]} in {rate}",
            severity=THREAT.severity(measured),
            detail=(
                f"More than the {self.made.allowed:g} that is allowed, by a test that errs with a probability of at "
                f"most {self.made.level:g} over all groups and times. Measure the model on recent rows by group."
            ),
            params={"allowed": self.made.allowed, "level": self.made.level, "favourable": self.made.favourable},
            quantities=(measured,),
            tables=(
                Table(name="rate_by_group", columns=("group", "n", rate, "low", "high"), rows=tuple(rows), draw="heat"),
            ),
            locations=(Location(uri="stream", address=f"{column}: {rate}"),),
            remedies=("RDN-BIA-104 threshold-optimiser",),
            references=self.spec.references,
        )
