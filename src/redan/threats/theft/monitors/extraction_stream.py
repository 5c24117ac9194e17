"""Queries of one client that look like a theft: inputs of another kind, or inputs grown from one another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import CapabilityMissing, Unreadable, UsageError
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.core.guard import Decision
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.kernels.detectors.by_client import ByClient
from redan.kernels.detectors.calibration import calibrate, judge, least_rate, rows_needed
from redan.kernels.detectors.fingerprints import Fingerprints, fingerprints
from redan.kernels.statistics import wilson
from redan.kernels.streams.asked import as_row
from redan.kernels.streams.clients import CLIENTS, clients_of, pool_of
from redan.kernels.streams.look import Look, look_of
from redan.kernels.streams.nuisances import disturbed
from redan.kernels.streams.strangeness import MOST_KEPT, Strangeness, Told, fit
from redan.kernels.streams.suspicion import LEAST_QUERIES, Limits, peak
from redan.kernels.streams.trail import Counts, Query, Trail
from redan.subjects.detectors.made import Made, digest_of, priced, restored

if TYPE_CHECKING:
    from redan.core.inputs import Dataset, Inputs
    from redan.subjects.detectors.served import Asked, Served

MOST_QUERIES = 1024
MOST_CLIENTS = 512
LEAST_ROWS = 2 * LEAST_QUERIES
_READS = "inputs"
_ARRAYS = ("directions", "kept", "mean", "ratios", "spread", "usual")


@monitor(
    Spec(
        id="RDN-THE-201",
        name="extraction-stream",
        threat="theft",
        title="Queries of one client that look like the theft of a model",
        source="Breunig et al. 2000, SIGMOD, section 4; Papernot et al. 2017, AsiaCCS, algorithm 1",
        data=("train", "reference"),
        references=("atlas:AML.T0024.002", "atlas:AML.M0004", "owasp:ML05", "arxiv:1805.02628"),
    )
)
class ExtractionStream:
    """Sees copies being made from inputs of another kind, and from inputs grown from one another.

    What it sees:
        For each client the last 1024 different queries: how many lie far from rows of normal use, how strange they are
        among their neighbours there, and how many are small changes of at least three earlier ones.

    Why it matters:
        A thief needs thousands of answers. Whoever has no inputs of the model's kind asks about other pictures, noise
        or drawings, or grows a handful of inputs; no single query of these is an attack.

    How:
        Training rows are kept, half of them disturbed as another camera would show them. From other rows of normal use
        400 clients of five kinds are put together, and the threshold on the worst of the three signs is set on them
        before anything is watched. Brightness and contrast of pictures do not count; equal inputs count once.

    Shapes:
        Inputs (n, …) of one shape; pictures (h, w) or (c, h, w) are looked at in at most 14 by 14 pixels.

    Units:
        Suspicion: 1 where the worst sign reaches its limit; signs as shares of queries and as a mean rank.

    Cost:
        Distances to 4096 kept rows a request; at most 512 clients are remembered, up to 300 KiB each.

    Sources:
        Juuti, Szyller, Marchal & Asokan 2019, "PRADA: protecting against DNN model stealing attacks", for the setting;
        its test for normal distances is not used, since retries alone break it.

    Limits:
        A thief with inputs of the model's own kind asks what customers ask, and no content tells them apart: bound the
        queries of each client (query-budget). One who spreads over accounts, or hides more than half of his queries
        among ordinary ones, stays below it. A client that sends the frames of one scene looks like growth. The file
        holds training rows, made small: keep it as secret as they are.
    """

    spec: ClassVar[Spec]

    def __init__(
        self, look: Look, strangeness: Strangeness, directions: Fingerprints, limits: Limits, made: Made
    ) -> None:
        self.look, self.strangeness, self.directions, self.limits, self.made = (
            look,
            strangeness,
            directions,
            limits,
            made,
        )
        self._trails: ByClient[Trail] = ByClient(MOST_CLIENTS, partial(Trail, MOST_QUERIES, limits.kin))

    @classmethod
    def fitted(cls, train: Dataset, benign: Dataset, served: Served, asked: Asked) -> Self:
        """Keep training rows, and set the threshold on clients put together from other rows.

        Raises:
            UsageError: too few benign rows, a rate that 400 clients cannot guarantee, or dearer than the budget.
            ShapeMismatch: rows of different shapes.
        """
        if rows_needed(asked.rate) > CLIENTS:
            raise UsageError(
                f"a false-alarm rate of {asked.rate:g} needs {rows_needed(asked.rate)} benign rows or clients that the "
                f"detector was not fitted on; it puts {CLIENTS} clients together, which can guarantee "
                f"{least_rate(CLIENTS):.3g}",
                hint="ask for a higher rate",
            )
        if len(benign) < LEAST_ROWS:
            raise UsageError(f"clients are put together from at least {LEAST_ROWS} rows, got {len(benign)}")
        known, other = np.asarray(train.x, np.float32), np.asarray(benign.x, np.float32)
        bounds = served.bounds or (float(known.min()), float(known.max()))
        look, seed = look_of(known), asked.seed
        strangeness = fit(
            _both(look, known[: MOST_KEPT // 2], known[MOST_KEPT // 2 :], seed, bounds),
            _both(look, other[::2], other[1::2], seed + 1, bounds),
            seed=seed,
        )
        directions, limits = fingerprints(strangeness.kept.shape[1], seed), Limits()
        pool = pool_of(other, benign.y, seed, bounds=bounds)
        looks = [look.of(version) for version in pool.rows]
        told = [strangeness.of(version) for version in looks]
        prints = [directions.of(version) for version in looks]
        peaks = np.array(
            [
                peak(_picked(told, versions, places), np.stack(prints)[versions, places], limits)
                for _, versions, places in clients_of(pool, seed)
            ]
        )
        made = Made(
            subject=served.name,
            model=served.digest,
            data=digest_of(benign),
            shape=tuple(known.shape[1:]),
            reads=_READS,
            bounds=served.bounds,
            # below 1 no sign has reached its limit
            calibration=judge(peaks, max(1.0, calibrate(peaks, asked.rate).threshold), asked.rate),
            price_us=0.0,
        )
        ready = cls(look, strangeness, directions, limits, made)
        return cls(look, strangeness, directions, limits, _with_price(ready, other, asked))

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Keep the training rows and put clients together from the test rows; errors as in `fitted`."""
        return cls.fitted(inputs.role("train"), inputs.role("test"), served, asked)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Served) -> Self:
        """Return what a file holds, with an empty memory; errors as in `restored`, and KeyError."""
        made = restored(about, cls.spec, served, _READS)
        directions, kept, mean, ratios, spread, usual = (np.asarray(arrays[name], np.float32) for name in _ARRAYS)
        if kept.ndim != 2 or usual.shape != kept.shape[:1] or len(directions) != kept.shape[1]:
            raise Unreadable(f"this is no {cls.spec.name} detector: its arrays do not fit together")
        return cls(
            Look(shape=made.shape, mean=mean, spread=spread),
            Strangeness(
                kept=kept,
                usual=usual,
                limit=float(about["far_distance"]),
                near=float(about["near_distance"]),
                ratios=ratios,
            ),
            Fingerprints(directions=directions),
            Limits(**{name: float(value) for name, value in about["limits"].items()}),
            made,
        )

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        arrays = {
            "directions": self.directions.directions,
            "kept": self.strangeness.kept,
            "mean": self.look.mean,
            "ratios": self.strangeness.ratios,
            "spread": self.look.spread,
            "usual": self.strangeness.usual,
        }
        distances = {"far_distance": self.strangeness.limit, "near_distance": self.strangeness.near}
        return arrays, {**self.made.about(self.spec), **distances, "limits": asdict(self.limits)}

    def decide(self, request: Event) -> Decision:
        """Deny a client whose remembered queries, with this one, look like a theft."""
        (query,) = self._queries([request])
        if query is None:
            return Decision(verdict="deny", reason=f"{self.spec.name}: no input of shape {self.made.shape}")
        counts = self._trails.trail(request.client).counts_with(query)
        if (suspicion := self._suspicion(counts)) > self.made.calibration.threshold:
            reason = f"{self.spec.name}: suspicion {suspicion:.2f} over the last {counts.n} queries"
            return Decision(verdict="deny", reason=reason)
        return Decision(verdict="allow")

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Remember the queries of this model, and yield a finding for each client of the batch that steals.

        Raises:
            CapabilityMissing: the events were kept without their inputs.
        """
        ours = [each for each in events if isinstance(each, Event) and each.model == self.made.model]
        if ours and all(event.x is None for event in ours):
            raise CapabilityMissing(
                f"{self.spec.name} compares inputs, and {len(ours)} events were kept without theirs",
                hint="let it watch in the gateway, or use query-budget over this log",
            )
        suspects: dict[str, Counts] = {}
        for event, query in zip(ours, self._queries(ours), strict=True):
            if query is None:
                continue
            self._trails.add(event.client, query)
            counts = self._trails.trail(event.client).counts
            if self._suspicion(counts) > self.made.calibration.threshold:
                suspects[event.client] = counts
        for client in sorted(suspects):
            yield self._finding(client, suspects[client])

    def merge(self, other: Self) -> Self:
        """Return a monitor that remembers what both do."""
        both = object.__new__(type(self))
        both.__dict__.update(self.__dict__)
        both._trails = self._trails.merged(other._trails)
        return both

    def _queries(self, events: Sequence[Event]) -> list[Query | None]:
        rows = {i: row for i, event in enumerate(events) if (row := as_row(event.x, self.made.shape)) is not None}
        found: list[Query | None] = [None] * len(events)
        if not rows:
            return found
        with np.errstate(over="ignore", invalid="ignore"):  # far away is far away
            looks = np.nan_to_num(self.look.of(np.stack(list(rows.values()))))
        told, prints = self.strangeness.of(looks), self.directions.of(looks)
        for place, (i, row) in enumerate(rows.items()):
            found[i] = Query(
                time_s=events[i].time_s,
                digest=blake2b(row.tobytes(), digest_size=16).digest(),
                fingerprint=prints[place],
                nearest=float(told.nearest[place]),
                far=bool(told.far[place]),
                rank=float(told.rank[place]),
            )
        return found

    def _suspicion(self, counts: Counts) -> float:
        return max(self.limits.signs(counts.n, counts.far, counts.ranks, counts.families))

    def _finding(self, client: str, counts: Counts) -> Finding:
        n, allowed = counts.n, self.made.calibration.interval[1]
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=self.made.subject,
            title=(
                f"a client's last {n} queries look like a theft: {counts.far / n:.0%} far from normal use, mean rank "
                f"{counts.ranks / n:.2f}, {counts.families / n:.0%} grown from others"
            ),
            severity=Severity.HIGH,
            confidence="likely",
            detail=(
                "Ordinary clients, as they were put together when it was calibrated, give such a finding at a rate of "
                f"at most {allowed:.2%}. Throttle the client and look at what it asks; what it has been told it keeps."
            ),
            params={"rate": self.made.calibration.asked_rate, **asdict(self.limits)},
            quantities=(
                _share("far_rate", counts.far, n),
                _share("family_rate", counts.families, n),
                _mean_rank(counts),
            ),
            locations=(Location(uri="client", address=client),),
            remedies=("query-budget", "mark the model: redan own"),
            references=self.spec.references,
        )


def _both(
    look: Look, plain: NDArray[Any], other: NDArray[Any], seed: int, bounds: tuple[float, float]
) -> NDArray[np.float32]:
    """Return looks of rows as they are, and of others, or of the same where there are none, disturbed."""
    moved = other[:MOST_KEPT] if len(other) >= len(plain) else plain
    return np.concatenate([look.of(plain), look.of(disturbed(moved[: len(plain)], seed, bounds=bounds))])


def _picked(told: list[Told], versions: NDArray[np.int64], places: NDArray[np.int64]) -> Told:
    def pick(name: str) -> Any:
        return np.stack([getattr(each, name) for each in told])[versions, places]

    return Told(far=pick("far"), rank=pick("rank"), nearest=pick("nearest"))


def _share(name: str, k: int, n: int) -> Quantity:
    low, high = wilson(k, n)
    return Quantity(name=name, value=k / n, unit="fraction", n=n, low=low, high=high, better="lower")


def _mean_rank(counts: Counts) -> Quantity:
    n, mean = counts.n, counts.ranks / counts.n
    error = 1.96 * math.sqrt(max(0.0, counts.squares / n - mean**2) / n)
    low, high = max(0.0, mean - error), min(1.0, mean + error)
    return Quantity(name="mean_rank", value=mean, unit="rank", n=n, low=low, high=high, better="lower")


def _with_price(ready: ExtractionStream, rows: NDArray[np.float32], asked: Asked) -> Made:
    """Price it with a client's memory full and inputs that are new each time, which is the dearest."""
    numbers = count()

    def ask(row: NDArray[np.float32]) -> None:
        number = next(numbers)
        event = Event(client="price", time_s=float(number), model=ready.made.model, x=row + np.float32(number * 1e-3))
        ready.decide(event)
        list(ready.observe([event]))

    model = ready.made.model
    full = [rows[i % len(rows)] - np.float32((i + 1) * 1e-3) for i in range(MOST_QUERIES)]
    list(ready.observe([Event(client="price", time_s=i - 1e6, model=model, x=x) for i, x in enumerate(full)]))
    price = priced(ask, list(rows), asked.budget_us, ready.spec.name)
    return replace(ready.made, price_us=price)
