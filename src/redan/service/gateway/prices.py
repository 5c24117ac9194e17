"""What each guard costs, measured where it works; nothing is measured until somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import thread_time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.service.gateway.call import Batch


class Prices:
    """CPU time by step, as the server's own thread spent it.

    Attributes:
        measuring: whether steps are timed; two reads of the clock a step and batch, about 0.6 µs, when they are.
        spent_ns: by step: CPU nanoseconds, and rows.
    """

    __slots__ = ("measuring", "spent_ns")

    def __init__(self, *, measuring: bool = False) -> None:
        self.measuring = measuring
        self.spent_ns: dict[str, list[int]] = {}

    def timed(self, name: str, step: Callable[[Batch], None], batch: Batch) -> None:
        """Run a step and add what it took."""
        began_ns = thread_time_ns()
        step(batch)
        self.add(name, thread_time_ns() - began_ns, len(batch.x))

    def add(self, name: str, ns: int, rows: int) -> None:
        """Add what a step took for some rows."""
        spent = self.spent_ns.get(name)
        if spent is None:
            spent = self.spent_ns[name] = [0, 0]
        spent[0] += ns
        spent[1] += rows

    def us_per_row(self) -> dict[str, float]:
        """Return the mean price of each step in CPU microseconds a row."""
        return {name: ns / rows / 1000 for name, (ns, rows) in self.spent_ns.items() if rows}

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return metrics, for `redan.service.monitoring.recorder.Measured`."""
        for name, (ns, rows) in self.spent_ns.items():
            yield "redan_guard_seconds", (name,), ns / 1e9
            yield "redan_guard_rows", (name,), float(rows)
