"""What every monitor promises."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from redan.core.codec import encode
from redan.core.errors import RedanError
from redan.core.finding import Finding
from redan.core.inputs import Inputs
from redan.testing import described, found, world
from redan.testing.promise import Broken, Check, checks, insist

ROUNDS = 30
GROWTH = 1.5
"""How much more a monitor may hold after thirty times the events: its state is bounded."""
_LEAST_BYTES = 4096


@dataclass(kw_only=True)
class MonitorCase:
    """A monitor with something to watch.

    Attributes:
        thing: the monitor's class, or a function without arguments that makes one.
        make_events: returns a list of events; at least six, different ones.
    """

    thing: Any
    make_events: Callable[[], Sequence[Any]]
    kind: str = "monitor"

    @property
    def name(self) -> str:
        """Name of the class."""
        return str(self.thing.__name__)

    def seen(self, *batches: Sequence[Any]) -> Any:
        """Return a monitor that has seen these batches."""
        monitor = self.thing()
        for batch in batches:
            list(monitor.observe(batch))
        return monitor

    def thirds(self) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Return the events in three parts."""
        events = list(self.make_events())
        k = len(events) // 3
        return events[:k], events[k : 2 * k], events[2 * k :]


def same_events_same_findings(case: MonitorCase) -> None:
    """Two monitors that see the same events find the same."""
    with world.stirred(1):
        first = [encode(f) for f in case.thing().observe(case.make_events())]
    with world.stirred(2):
        again = [encode(f) for f in case.thing().observe(case.make_events())]
    insist(
        first == again, "the same events gave different findings", "let findings depend on events only, not on clocks"
    )


def findings_are_whole(case: MonitorCase) -> None:
    """Each finding names rule and threat, survives JSON, and its numbers have unit, n and interval."""
    for item in case.thing().observe(case.make_events()):
        insist(isinstance(item, Finding), f"observe yields a {type(item).__name__}", "yield Finding")
        spec = case.thing.spec
        insist((item.rule, item.threat) == (spec.id, spec.threat), f"a finding of rule {item.rule!r}", f"use {spec.id}")
        found.survives_json(item)
        for quantity in item.quantities:
            found.is_whole(quantity)


def replicas_add_up(case: MonitorCase) -> None:
    """Two monitors merged, either way round, go on as one that saw both streams; merging changes neither."""
    first, second, third = case.thirds()
    whole = _next(case.seen(first, second), third)
    one, other = case.seen(first), case.seen(second)
    merged, turned = one.merge(other), case.seen(second).merge(case.seen(first))
    mend = "keep counts and sketches that add up, and return a new monitor from merge"
    insist(_next(merged, third) == whole, "merged monitors go on otherwise than one that saw both streams", mend)
    insist(_next(turned, third) == whole, "merging the other way round gives another state", mend)
    insist(_next(one, third) == _next(case.seen(first), third), "merging changed the monitor itself", mend)
    insist(_next(other, third) == _next(case.seen(second), third), "merging changed the monitor merged in", mend)


def state_is_bounded(case: MonitorCase) -> None:
    """Thirty times the events do not make it hold more."""
    events = list(case.make_events())
    monitor = case.seen(events)
    before = size_bytes(monitor)
    for _ in range(ROUNDS):
        list(monitor.observe(list(case.make_events())))
    after = size_bytes(monitor)
    insist(
        after <= GROWTH * max(before, _LEAST_BYTES),
        f"its state grew from {before} to {after} bytes over {ROUNDS} rounds of {len(events)} events",
        "keep counts, a ring buffer or a sketch of fixed size instead of the events",
    )


def odd_batches_are_no_crash(case: MonitorCase) -> None:
    """No events find nothing, and events of another kind are findings or deliberate errors."""
    nothing = list(case.thing().observe([]))
    insist(nothing == [], "no events gave findings", "find nothing in nothing")
    for event in (None, {}, object(), "", b"\xff"):
        try:
            list(case.thing().observe([event]))
        except RedanError:
            continue
        except Exception as err:
            raise Broken(f"an event {event!r} raises {type(err).__name__}", "pass over what is no event") from err


def leaves_the_world_as_it_was(case: MonitorCase) -> None:
    """Global state is the same before and after."""
    with world.untouched(None, Inputs()):
        list(case.thing().observe(case.make_events()))


def size_bytes(thing: Any) -> int:
    """Return what an object and everything it alone refers to take, without classes, functions and modules."""
    seen: set[int] = set()
    stack, total = [thing], 0
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (type, FunctionType, ModuleType)):
            continue
        seen.add(id(item))
        total += sys.getsizeof(item)
        stack += gc.get_referents(item)
    return total


def _next(monitor: Any, events: Sequence[Any]) -> list[Any]:
    return [encode(f) for f in monitor.observe(events)]


def monitor_checks() -> tuple[Check, ...]:
    """Return every check of a monitor, each to be called with a `MonitorCase`."""
    return checks(
        described.specification_is_complete,
        described.source_is_named,
        described.references_are_known,
        described.docstring_follows_the_template,
        same_events_same_findings,
        findings_are_whole,
        replicas_add_up,
        state_is_bounded,
        odd_batches_are_no_crash,
        leaves_the_world_as_it_was,
    )


def check_monitor(monitor_class: Any, make_events: Callable[[], Sequence[Any]]) -> None:
    """Check everything that a monitor promises, and stop at the first promise that is broken.

    Example:
        >>> def test_flood_keeps_its_promises():
        ...     check_monitor(Flood, lambda: [{"client": "a", "at_s": 0.1 * i} for i in range(60)])

    Args:
        monitor_class: the class under ``@monitor``, made without arguments.
        make_events: returns a list of events, at least six; some of which it should find something in.

    Raises:
        AssertionError: naming the promise, what was seen, and how to mend it.
    """
    case = MonitorCase(thing=monitor_class, make_events=make_events)
    for check in monitor_checks():
        check(case)
