"""What a call costs: CPU time, waiting time, or lines of Python executed."""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Call = Callable[[], object]
    Meter = Callable[[Call], float]


def cpu_s(call: Call) -> float:
    """Return the CPU seconds, of all threads of this process, that a call takes."""
    started = time.process_time_ns()
    call()
    return max(time.process_time_ns() - started, 1) * 1e-9


def wall_s(call: Call) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter_ns()
    call()
    return max(time.perf_counter_ns() - started, 1) * 1e-9


def lines(call: Call) -> float:
    """Return how many lines of Python a call executes: no noise, but blind to what libraries compute in C.

    The trace function and the garbage collector are as before afterwards; the collector rests during the call, since
    what it happens to finalise would be counted.
    """
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        del frame, arg
        count += event == "line"
        return trace

    before, collecting = sys.gettrace(), gc.isenabled()
    gc.disable()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        if collecting:
            gc.enable()
    return float(max(count, 1))


METERS: dict[str, tuple[Meter, str]] = {"cpu": (cpu_s, "s"), "wall": (wall_s, "s"), "lines": (lines, "lines")}
"""Name → meter and its unit."""
EXACT = frozenset({"lines"})
"""Meters that give the same number again, so that one reading is enough."""
