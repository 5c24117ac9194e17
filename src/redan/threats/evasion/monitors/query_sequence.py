"""Queries of one client that lie nearer to each other than natural inputs do: a search in progress."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import CapabilityMissing, UsageError
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.core.guard import Decision
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.kernels import draws
from redan.kernels.detectors.alarms import log_evidence
from redan.kernels.detectors.by_client import ByClient
from redan.kernels.detectors.calibration import calibrate
from redan.kernels.detectors.fingerprints import Fingerprints, earlier, fingerprints
from redan.kernels.detectors.memory import Trail
from redan.kernels.statistics import wilson
from redan.kernels.streams.asked import as_row
from redan.subjects.detectors.made import Made, digest_of, priced, restored

if TYPE_CHECKING:
    from redan.core.inputs import Dataset, Inputs
    from redan.kernels.detectors.memory import Query
    from redan.subjects.detectors.served import Asked, Served

MOST_QUERIES = 256
MOST_CLIENTS = 1024
SURE = 1e-9
"""Chance that the queries of a client as benign as the calibration rows ever give a finding, at one start."""
_READS = "inputs"


@monitor(
    Spec(
        id="RDN-EVA-205",
        name="query-sequence",
        threat="evasion",
        title="Queries of one client that resemble each other",
        source="Chen et al. 2020, SPAI, section 4; Li et al. 2022, USENIX Security, section 4",
        data=("reference",),
        references=("arxiv:1907.05587", "atlas:AML.T0043.001", "atlas:AML.M0004"),
    )
)
class QuerySequence:
    """Sees black-box attacks while they search, before they have found anything.

    What it sees:
        For each client the last 256 different queries, each as a fingerprint of 128 bytes; how many of them lie nearer
        to an earlier one than benign inputs do.

    Why it matters:
        An attack that only asks needs hundreds of queries near one input. A detector of single inputs sees each of
        them as a little noise; together they are no accident.

    How:
        The distance below which a query is near comes from benign rows, put together as clients. A client is denied and
        found when the near ones among its queries are evidence of a million to one and a thousand times that (an
        e-value of 1e9) against the calibrated rate. Equal inputs count once.

    Units:
        Share of the remembered queries that are near.

    Cost:
        A product of the input with 32 directions, and its distances to 256 fingerprints; at most 1024 clients are
        remembered, some 75 KiB each.

    Sources:
        Chen, Carlini & Wagner 2020, "Stateful detection of black-box adversarial attacks"; Li, Shan, Wenger, Zhang,
        Zheng & Zhao 2022, "Blacklight: scalable defense for neural networks against query-based black-box attacks".

    Limits:
        An attacker with many accounts, or one who puts enough other inputs between the queries of the search, stays
        below it: docs/monitors.md says how many. A client whose natural inputs resemble each other, such as a camera
        that looks at one place, is found too: calibrate on such clients' rows, in their order.
    """

    spec: ClassVar[Spec]

    def __init__(self, detector: Fingerprints, seed: int, made: Made) -> None:
        self.detector, self.seed, self.made = detector, seed, made
        self._memory: ByClient[Trail] = ByClient(
            MOST_CLIENTS, partial(Trail, MOST_QUERIES, -made.calibration.threshold)
        )

    @classmethod
    def fitted(cls, benign: Dataset, served: Served, asked: Asked) -> Self:
        """Calibrate on benign rows, which become clients of 256 queries each in an order drawn by seed.

        Raises:
            UsageError: too few benign rows for the rate, or dearer than the budget.
        """
        rows = np.asarray(benign.x, dtype=np.float32)
        detector = fingerprints(math.prod(rows.shape[1:]), asked.seed)
        order = np.argsort(draws.words(draws.sample_keys(asked.seed, cls.spec.id, range(len(rows))), (), stream=0))
        prints = detector.of(rows[order])
        apart = [earlier(prints[i : i + MOST_QUERIES]) for i in range(0, len(prints), MOST_QUERIES)]
        told = np.concatenate(apart) if apart else np.empty(0)
        made = Made(
            subject=served.name,
            model=served.digest,
            data=digest_of(benign),
            shape=tuple(rows.shape[1:]),
            reads=_READS,
            bounds=served.bounds,
            calibration=calibrate(-told[np.isfinite(told)], asked.rate),
            price_us=0.0,
        )
        return cls(detector, asked.seed, _with_price(cls(detector, asked.seed, made), rows, asked))

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Calibrate on the test rows; errors as in `fitted`."""
        return cls.fitted(inputs.role("test"), served, asked)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Served) -> Self:
        """Return what a file holds, with an empty memory; errors as in `restored`, and KeyError."""
        made = restored(about, cls.spec, served, _READS)
        return cls(Fingerprints(directions=arrays["directions"]), int(about["seed"]), made)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        return {"directions": self.detector.directions}, {**self.made.about(self.spec), "seed": self.seed}

    def decide(self, request: Event) -> Decision:
        """Deny a client whose remembered queries, with this one, are a search."""
        query = self._query(request)
        if query is None:
            return Decision(verdict="deny", reason=f"{self.spec.name}: no input of shape {self.made.shape}")
        near, n = self._memory.trail(request.client).near_with(query)
        if self._is_search(near, n):
            return Decision(verdict="deny", reason=f"{self.spec.name}: {near} of the last {n} queries resemble others")
        return Decision(verdict="allow")

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Remember the queries of this model, and yield a finding for each client of the batch that searches.

        Raises:
            CapabilityMissing: the events were kept without their inputs.
        """
        ours = [each for each in events if isinstance(each, Event) and each.model == self.made.model]
        if ours and all(event.x is None for event in ours):
            raise CapabilityMissing(
                f"{self.spec.name} compares inputs, and {len(ours)} events were kept without theirs",
                hint="let it watch in the gateway",
            )
        clients = set()
        for event in ours:
            query = self._query(event)
            if query is not None:
                self._memory.add(event.client, query)
                clients.add(event.client)
        for client in sorted(clients):
            near, n = self._memory.trail(client).near
            if self._is_search(near, n):
                yield self._finding(client, near, n)

    def merge(self, other: Self) -> Self:
        """Return a monitor that remembers what both do."""
        return type(self)._remembering(self, self._memory.merged(other._memory))

    @classmethod
    def _remembering(cls, one: Self, memory: ByClient[Trail]) -> Self:
        both = object.__new__(cls)
        both.__dict__.update(one.__dict__)
        both._memory = memory
        return both

    def _query(self, event: Event) -> Query | None:
        row = as_row(event.x, self.made.shape)
        if row is None:
            return None
        digest = blake2b(row.tobytes(), digest_size=16).digest()
        with np.errstate(over="ignore", invalid="ignore"):  # far away is far away
            return event.time_s, digest, self.detector.of(row[None])[0]

    def _is_search(self, near: int, n: int) -> bool:
        return log_evidence(near, n, self.made.calibration.interval[1]) >= -math.log(SURE)

    def _finding(self, client: str, near: int, n: int) -> Finding:
        low, high = wilson(near, n)
        share = Quantity(name="near_rate", value=near / n, unit="fraction", n=n, low=low, high=high, better="lower")
        allowed = self.made.calibration.interval[1]
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=self.made.subject,
            title=f"{near} of a client's last {n} queries resemble earlier ones, at most {allowed:.1%} should",
            severity=Severity.HIGH,
            confidence="likely",
            detail="A client asks again and again about inputs that differ a little, as attacks do that only see "
            "answers. Throttle or suspend it, and look at what it asked last: the search may have ended.",
            params={"rate": self.made.calibration.asked_rate},
            quantities=(share,),
            locations=(Location(uri="client", address=client),),
            references=self.spec.references,
        )


def _with_price(ready: QuerySequence, rows: NDArray[np.float32], asked: Asked) -> Made:
    """Price it with a client's memory full and inputs that are new each time, which is the dearest."""
    if len(rows) <= MOST_QUERIES:
        raise UsageError(f"a query sequence is calibrated on more than {MOST_QUERIES} rows, got {len(rows)}")
    numbers = count()

    def ask(row: NDArray[np.float32]) -> None:
        number = next(numbers)
        event = Event(client="price", time_s=float(number), model=ready.made.model, x=row + np.float32(number))
        ready.decide(event)
        list(ready.observe([event]))

    for row in rows[:MOST_QUERIES]:
        ask(row)
    price = priced(ask, list(rows[MOST_QUERIES:]), asked.budget_us, ready.spec.name)
    return replace(ready.made, price_us=price)
