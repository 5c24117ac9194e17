"""Queries of each client against a budget: what bounds a theft that no content tells apart from use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Quantity, Series, Severity
from redan.core.guard import Decision
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.kernels.streams.asked import as_row
from redan.kernels.streams.distinct import HASH_BYTES, Distinct
from redan.threats.theft.monitors.allowance import DAY_S, Allowance, Point, best_of, budget_for, curve_of, worth
from redan.threats.theft.threat import THREAT

if TYPE_CHECKING:
    from redan.core.inputs import Inputs
    from redan.subjects.detectors.served import Asked, Served

MOST_CLIENTS = 4096
FAITHFUL = 0.85
"""Fidelity from which a copy is worth a finding of its own: the second step of the threat's scale."""
STEPS = (0.1, 0.3, 1.0)
MOST_QUERIES = 1000
HOUR_S = 3600
LEAST_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one client has asked in its latest period.

    Attributes:
        period: number of the period since the epoch.
        last_s: when it asked last.
        queries: how many queries.
        distinct: sketch of the different inputs.
        lately: sketch of those in the clock hour of the latest.
    """

    period: int
    last_s: float
    queries: int = 0
    distinct: Distinct = field(default_factory=Distinct)
    lately: Distinct = field(default_factory=Distinct)

    def merged(self, other: Account) -> Account:
        """Return what both hold together; of two periods the later one counts."""
        if self.period != other.period:
            return max(self, other, key=lambda one: one.period)
        hours = self.last_s // HOUR_S - other.last_s // HOUR_S
        return Account(
            period=self.period,
            last_s=max(self.last_s, other.last_s),
            queries=self.queries + other.queries,
            distinct=self.distinct.merged(other.distinct),
            lately=self.lately.merged(other.lately) if hours == 0 else (self if hours > 0 else other).lately,
        )


@monitor(
    Spec(
        id="RDN-THE-202",
        name="query-budget",
        threat="theft",
        title="Clients beyond their budget of queries, with the copy that these buy",
        source="Tramèr et al. 2016, USENIX Security, section 7; Orekondy et al. 2019, CVPR, section 4",
        data=("test",),
        references=("atlas:AML.T0024.002", "atlas:AML.M0004", "owasp:ML05", "arxiv:1812.02766"),
    )
)
class QueryBudget:
    """Counts what each client asks, and says what that many answers are worth to a thief.

    What it sees:
        For each client the queries of a period, and how many different inputs are among them.

    Why it matters:
        Whoever has inputs of the model's own kind asks what customers ask. Only the number of his answers bounds how
        faithful his copy is.

    How:
        A theft with inputs of the model's kind is carried out beforehand, and the budget is the most queries whose copy
        stays below a fidelity of 0.85. Different inputs are counted by the smallest of their hashes: exactly up to 256,
        with an error of 6 % beyond. A finding needs the lower end of the interval to be above the budget. The same
        input asked twice teaches a thief nothing and counts once. A finding is low while people have the time to ask
        the client what it needs the answers for; who spends the whole budget within one clock hour leaves them none,
        and the finding is medium.

    Shapes:
        Any inputs. Events that were kept without their input are counted as queries alone.

    Units:
        Queries; fidelity as a share of rows.

    Cost:
        One hash and one search among 256 numbers a request; at most 4096 clients are remembered, some 20 KiB each.

    Sources:
        Orekondy, Schiele & Fritz 2019, "Knockoff nets"; Bar-Yossef et al. 2002, "Counting distinct elements in a data
        stream".

    Limits:
        A budget is by client: accounts must cost something, or a thief opens many. A better network than the one that
        was measured buys more with the same queries. Slightly changed inputs count as different ones, as they do for a
        thief. Counts start anew each period; a copy does not.
    """

    spec: ClassVar[Spec]

    def __init__(self, made: Allowance) -> None:
        self.made = made
        self._accounts: dict[str, Account] = {}

    @classmethod
    def fitted(
        cls, finding: Finding, served: Served, *, fidelity: float = FAITHFUL, period_s: float = 2_592_000
    ) -> Self:
        """Take the budget from a finding of ``knockoff``.

        Args:
            finding: of a theft of this model.
            served: the model.
            fidelity: that no client's answers may buy.
            period_s: how long a period is.

        Raises:
            UsageError: the finding shows no curve, or numbers mean nothing.
        """
        curve = curve_of(finding)
        distinct = budget_for(curve, fidelity)
        return cls(
            Allowance(subject=served.name, model=served.digest, distinct=distinct, curve=curve, period_s=period_s)
        )

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Steal the model with half of the test rows, judge the copies on the other half, and set the budget by them.

        Raises:
            UsageError: fewer than 100 test rows.
            CapabilityMissing: the model answers no scores.
        """
        curve = _stolen(served, inputs, asked.seed)
        return cls(
            Allowance(subject=served.name, model=served.digest, distinct=budget_for(curve, FAITHFUL), curve=curve)
        )

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Served) -> Self:
        """Return what a file holds, with nothing counted; errors as in `Allowance.restored`."""
        del arrays
        return cls(Allowance.restored(about, cls.spec, served.digest))

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays (none) and words of the file."""
        return {}, self.made.about(self.spec)

    def decide(self, request: Event) -> Decision:
        """Deny a client that is beyond its budget with this request."""
        account = self._with(self._accounts.get(request.client), request)
        if reason := self._beyond(account):
            return Decision(verdict="deny", reason=f"{self.spec.name}: {reason}")
        return Decision(verdict="allow")

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count the queries to this model, and yield a finding for each client of the batch beyond its budget."""
        clients = set()
        for event in events:
            if isinstance(event, Event) and event.model == self.made.model:
                self._accounts[event.client] = self._with(self._accounts.get(event.client), event)
                self._forget()
                clients.add(event.client)
        for client in sorted(clients & self._accounts.keys()):
            if reason := self._beyond(self._accounts[client]):
                yield self._finding(client, self._accounts[client], reason)

    def merge(self, other: Self) -> Self:
        """Return a monitor that has counted what both have."""
        both = type(self)(self.made)
        for client in self._accounts.keys() | other._accounts.keys():
            mine, yours = self._accounts.get(client), other._accounts.get(client)
            whole = mine.merged(yours) if mine and yours else mine or yours
            if whole is not None:
                both._accounts[client] = whole
        both._forget()
        return both

    def _with(self, account: Account | None, event: Event) -> Account:
        period = math.floor(event.time_s / self.made.period_s)
        if account is not None and account.period > period:
            return account
        number = _number(event.x)
        first = Distinct() if number is None else Distinct(smallest=(number,))
        if account is None or account.period < period:
            return Account(period=period, last_s=event.time_s, queries=1, distinct=first, lately=first)
        hours, lately = event.time_s // HOUR_S - account.last_s // HOUR_S, account.lately
        if hours > 0:
            lately = first
        elif hours == 0 and number is not None:
            lately = lately.plus(number)
        return Account(
            period=period,
            last_s=max(account.last_s, event.time_s),
            queries=account.queries + 1,
            distinct=account.distinct if number is None else account.distinct.plus(number),
            lately=lately,
        )

    def _forget(self) -> None:
        while len(self._accounts) > MOST_CLIENTS:
            del self._accounts[min(self._accounts, key=lambda name: (self._accounts[name].last_s, name))]

    def _beyond(self, account: Account) -> str:
        value, low, _ = account.distinct.estimate()
        if low > self.made.distinct:
            return f"{value:,.0f} different inputs, {self.made.distinct:,} are allowed"
        if self.made.queries is not None and account.queries > self.made.queries:
            return f"{account.queries:,} queries, {self.made.queries:,} are allowed"
        return ""

    def _finding(self, client: str, account: Account, reason: str) -> Finding:
        value, low, high = account.distinct.estimate()
        bought, n, lately = worth(self.made.curve, max(1.0, value)), account.queries, account.lately.estimate()
        level = Severity.MEDIUM if bought is None else max(Severity.LOW, THREAT.severity(bought))
        if lately[1] > self.made.distinct:
            level, reason = max(level, Severity.MEDIUM), f"{reason}; {lately[0]:,.0f} within an hour"
        more = (
            ""
            if bought is None
            else (
                f" So many inputs of the model's own kind buy a copy that answers alike on {bought.value:.1%} of "
                f"{bought.n} rows (95 % interval {bought.low:.1%} to {bought.high:.1%})"
                + (", or more: no larger theft was measured." if bought.partial else ".")
            )
        )
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=self.made.subject,
            title=f"a client is beyond its budget: {reason}",
            severity=level,
            detail=f"In a period of {self.made.period_s / DAY_S:g} days.{more} Content does not tell such a theft "
            "from use: ask the client what it needs the answers for, and mark the model.",
            params={"distinct": self.made.distinct, "queries": self.made.queries, "period_s": self.made.period_s},
            quantities=(
                Quantity(name="distinct", value=value, unit="queries", n=n, low=low, high=high, better="lower"),
                Quantity(name="queries", value=float(n), unit="queries", n=n, low=float(n), high=float(n)),
                *(() if bought is None else (bought,)),
            ),
            series=_curve(self.made.curve),
            locations=(Location(uri="client", address=client),),
            remedies=("mark the model: redan own", "extraction-stream"),
            references=self.spec.references,
        )


def _curve(curve: Sequence[Point]) -> tuple[Series, ...]:
    if len(curve) < 2:
        return ()
    return (
        Series(
            name="fidelity_by_queries",
            x=tuple(point.queries for point in curve),
            y=tuple(point.fidelity for point in curve),
            low=tuple(point.low for point in curve),
            high=tuple(point.high for point in curve),
            n=tuple(point.n for point in curve),
            x_unit="queries",
            y_unit="fraction",
        ),
    )


def _number(x: Any) -> int | None:
    """Return the hash of an input, of cells by name too; None for what was not kept or is no row of numbers."""
    if isinstance(x, Mapping):
        told = repr(sorted((str(name), str(cell)) for name, cell in x.items())).encode()
    else:
        row = as_row(x, x.shape) if isinstance(x, np.ndarray) else None
        if row is None:
            return None
        told = row.tobytes()
    return int.from_bytes(blake2b(told, digest_size=HASH_BYTES).digest(), "big")


def _stolen(served: Served, inputs: Inputs, seed: int) -> tuple[Point, ...]:
    from redan.kernels import draws
    from redan.kernels.attacks.watch import Watch
    from redan.kernels.extraction.clone import Pace, probabilities
    from redan.kernels.extraction.stealing import knockoff
    from redan.kernels.statistics import wilson

    test = inputs.role("test")
    if len(test) < LEAST_ROWS:
        raise UsageError(f"a theft to set a budget by needs {LEAST_ROWS} test rows, got {len(test)}")
    x = np.asarray(test.x, np.float32)
    pool, judged = x[::2], x[1::2]
    truth, most = served.answers(judged).argmax(axis=1), min(MOST_QUERIES, len(pool))
    theft = knockoff(
        served.answers,
        pool,
        sorted({max(1, round(step * most)) for step in STEPS}),
        keys=draws.sample_keys(seed, QueryBudget.spec.id, range(len(pool))),
        sampling="random",
        pace=Pace(),
        seed=seed,
        watch=Watch(),
    )
    points = []
    for copy in theft.copies:
        agrees = probabilities(copy.net, _tensor(judged)).argmax(dim=1).numpy() == truth
        low, high = wilson(int(agrees.sum()), len(agrees))
        points.append(
            Point(queries=float(copy.queries), fidelity=float(agrees.mean()), low=low, high=high, n=len(agrees))
        )
    return best_of(points)


def _tensor(rows: NDArray[np.float32]) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(rows))
