"""Budgets: CPU seconds, wall seconds, queries, tokens; what is cut short says so."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from redan.core.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h|k|M)?\s*(cpu|wall|queries|query|tokens)?$")
_COUNTS = {None: 1.0, "k": 1e3, "M": 1e6}
_MOST = 1e15


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be spent; None means without limit."""

    cpu_s: float | None = None
    wall_s: float | None = None
    queries: int | None = None
    tokens: int | None = None


def parse_limits(text: str) -> Limits:
    """Read limits such as ``5m``, ``90s cpu``, ``10k queries``, ``2m, 1000 queries``.

    A bare time is wall time, since that is what a waiting person means.

    Raises:
        UsageError: the text does not fit.
    """
    found: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = _PART.match(part)
        if match is None:
            raise UsageError(f"{part!r} is no budget", hint="write 90s, 5m, 10m cpu, 5000 queries or 2m, 10k queries")
        number, unit, kind = match.groups()
        if float(number) > _MOST:
            raise UsageError(f"{part!r} is no budget: more than anybody has", hint="leave the budget out for no limit")
        if kind in ("queries", "query", "tokens"):
            if unit not in _COUNTS:
                raise UsageError(f"{part!r} is no budget: a count has no unit {unit!r}", hint="write 10k queries")
            found["tokens" if kind == "tokens" else "queries"] = float(number) * _COUNTS[unit]
        else:
            found["cpu_s" if kind == "cpu" else "wall_s"] = float(number) * _time_unit(unit, part)
    return Limits(
        cpu_s=found.get("cpu_s"),
        wall_s=found.get("wall_s"),
        queries=_count(found.get("queries")),
        tokens=_count(found.get("tokens")),
    )


def _count(number: float | None) -> int | None:
    return None if number is None else int(number)


def _time_unit(unit: str | None, part: str) -> float:
    if unit in (None, "k", "M"):
        if unit is None:
            return 1.0
        raise UsageError(f"{part!r} is no budget: seconds have no unit {unit!r}", hint="write 90s, 5m or 1h")
    return _UNITS[unit]


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Budget:
    """Spends limits. A probe asks ``stop()`` between steps and ends with what it has when there is a reason to.

    Attributes:
        limits: how much may be spent.
        queries: predictions asked for so far.
        tokens: tokens spent so far.
        interrupted: set by the runner when the user pressed Ctrl-C.
        ended: why nothing can be spent any more, whatever is left; empty while it can.
    """

    limits: Limits = field(default_factory=Limits)
    queries: int = 0
    tokens: int = 0
    interrupted: bool = False
    ended: str = ""
    _wall_start: float = field(default_factory=time.perf_counter)
    _cpu_start: float = field(default_factory=time.process_time)
    parent: Budget | None = None

    @property
    def wall_s(self) -> float:
        """Wall seconds since this budget was opened."""
        return time.perf_counter() - self._wall_start

    @property
    def cpu_s(self) -> float:
        """CPU seconds of this process since this budget was opened."""
        return time.process_time() - self._cpu_start

    def charge(self, *, queries: int = 0, tokens: int = 0) -> None:
        """Record spending, also with every parent budget."""
        self.queries += queries
        self.tokens += tokens
        if self.parent is not None:
            self.parent.charge(queries=queries, tokens=tokens)

    def end(self, why: str) -> None:
        """Stop here and in every parent: whoever was asked answers no more."""
        self.ended = self.ended or why
        if self.parent is not None:
            self.parent.end(why)

    def stop(self) -> str | None:
        """Return why to stop now, or None to go on."""
        if self.interrupted:
            return "interrupted"
        if self.ended:
            return self.ended
        if self.parent is not None and (why := self.parent.stop()):
            return why
        limits = self.limits
        for name, spent, limit in (
            ("CPU", self.cpu_s, limits.cpu_s),
            ("wall", self.wall_s, limits.wall_s),
        ):
            if limit is not None and spent >= limit:
                return f"the budget of {limit:g} {name} seconds is spent"
        for name, count, most in (("queries", self.queries, limits.queries), ("tokens", self.tokens, limits.tokens)):
            if most is not None and count >= most:
                return f"the budget of {most} {name} is spent"
        return None

    def left_queries(self) -> int | None:
        """Return how many queries are left here and in every parent, or None without a limit."""
        own = None if self.limits.queries is None else max(0, self.limits.queries - self.queries)
        above = self.parent.left_queries() if self.parent is not None else None
        return min((n for n in (own, above) if n is not None), default=None)

    def child(self, limits: Limits | None = None) -> Budget:
        """Open a part of this budget: it ends at its own limits or at the parent's, whichever comes first."""
        return Budget(limits=limits or Limits(), parent=self)
