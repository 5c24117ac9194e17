"""Callers whom nobody knows cannot fill the log: of each network some records a second, of the rest a sum.

Every denial is recorded, one by one or in a sum of ten seconds; what somebody known does is never summed. The sums are
in memory until they are written: a crash can lose the numbers of ten seconds, in which nobody unknown got anything but
a refusal.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from redan.service.audit.act import Act
from redan.service.identity.lockout import network

if TYPE_CHECKING:
    from collections.abc import Iterator

BURST_S = 50.0
"""So many seconds' worth may come at once."""
MOST_NETWORKS = 4096
"""Networks that have an allowance of their own; further ones share one."""
SUM_EVERY_S = 10.0
MOST_NAMED = 100
"""Networks that have a sum of their own each time; the sums of others are one."""
_SHARED = "*"
NOBODY = "-"


class Strangers:
    """Sorts denials of callers whom nobody knows.

    Args:
        per_s: records a second of one network, and ten times that of all together; 0 sorts nothing out.
        clock: monotonic seconds.
    """

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._clock = per_s, clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._counted: dict[str, int] = {}
        self._sum_at_s = 0.0
        self._lock = threading.Lock()

    def sorted_out(self, acts: Sequence[Act]) -> Sequence[Act]:
        """Return what is to be recorded now; the rest is counted."""
        if not self._per_s or not any(act.who == NOBODY and not act.ok for act in acts):
            return acts
        with self._lock:
            return [act for act in acts if act.who != NOBODY or act.ok or self._fits(act.addr)]

    def sums(self, *, now: bool = False) -> Iterator[Act]:
        """Return records of what was only counted, every ten seconds, or ``now``: those with most by name."""
        with self._lock:
            if not self._counted or (not now and self._clock() < self._sum_at_s):
                return
            self._sum_at_s = self._clock() + SUM_EVERY_S
            counted, self._counted = self._counted, {}
        named = sorted(counted.items(), key=lambda each: (each[0] == _SHARED, -each[1]))
        for where, n in named[:MOST_NAMED]:
            yield _sum("" if where == _SHARED else where, n, 1)
        if rest := named[MOST_NAMED:]:
            yield _sum("", sum(n for _, n in rest), len(rest))

    def _fits(self, addr: str) -> bool:
        """Take one record from the network's allowance and from that of all (GCRA); count it where there is none."""
        now_s, where = self._clock(), network(addr)
        if where not in self._full_at and len(self._full_at) >= MOST_NETWORKS:
            self._forget(now_s)
            if len(self._full_at) >= MOST_NETWORKS:
                where = _SHARED
        if self._takes(where, now_s, self._per_s) and self._takes("", now_s, 10 * self._per_s):
            return True
        self._counted[where] = self._counted.get(where, 0) + 1
        return False

    def _takes(self, name: str, now_s: float, per_s: float) -> bool:
        full_at_s = max(now_s, self._full_at.get(name, 0.0))
        if full_at_s - now_s > BURST_S:
            return False
        self._full_at[name] = full_at_s + 1 / per_s
        return True

    def _forget(self, now_s: float) -> None:
        """Forget networks whose allowance is whole again."""
        for name in [name for name, full_at_s in self._full_at.items() if full_at_s <= now_s]:
            del self._full_at[name]


def _sum(where: str, n: int, networks: int) -> Act:
    return Act(
        t_us=time.time_ns() // 1000,
        who=NOBODY,
        act="-",
        ok=False,
        why="many",
        addr=where,
        more={"denials": n, "networks": networks},
    )
