"""For each promise of a monitor one that breaks it: the kit says which promise, and passes one that keeps them all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from redan.core.finding import Finding, Quantity, Severity
from redan.core.probe import Spec
from redan.testing import MonitorCase, check_monitor, monitor_checks

SPEC = Spec(
    id="ACME-EVA-201",
    name="refusals",
    threat="evasion",
    title="Refusals in a row",
    source="Somebody 2020, section 3",
    references=("cwe:1039",),
)

MONITOR_PAGE = """Counts refusals.

What it sees:
    Refusals.
Why it matters:
    Somebody tries.
How:
    By counting.
Units:
    Count.
Cost:
    None.
Sources:
    Nobody 2020.
Limits:
    Many.
"""


class Refusals:
    """Keeps every promise."""

    __doc__ = MONITOR_PAGE
    spec: ClassVar[Spec] = SPEC

    def __init__(self) -> None:
        self.count = 0

    def observe(self, events: Any) -> Iterator[Finding]:
        """Count refusals; tell from the third on."""
        for event in events:
            self.count += event == "refused"
        if events and self.count > 2:
            yield self.finding()

    def finding(self) -> Finding:
        """Say how many."""
        count = Quantity(name="refusals", value=self.count, unit="count", n=self.count, low=self.count, high=self.count)
        return Finding(
            rule=self.spec.id,
            threat="evasion",
            subject="gateway",
            title=f"{self.count} refusals",
            severity=Severity.LOW,
            quantities=(count,),
        )

    def merge(self, other: Any) -> Any:
        """Add up."""
        both = type(self)()
        both.count = self.count + other.count
        return both


class Hoarding(Refusals):
    """Keeps every event."""

    __doc__ = MONITOR_PAGE

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def observe(self, events: Any) -> Iterator[Finding]:
        """Keep copies."""
        self.events += [f"{event} {len(self.events) + i}" for i, event in enumerate(events)]
        yield from super().observe(events)


class Forgetful(Refusals):
    """Forgets when merged."""

    __doc__ = MONITOR_PAGE

    def merge(self, other: Any) -> Any:
        """Keep one side."""
        return self


class Swallowing(Refusals):
    """Changes itself when merged."""

    __doc__ = MONITOR_PAGE

    def merge(self, other: Any) -> Any:
        """Add in place."""
        self.count += other.count
        both = type(self)()
        both.count = self.count
        return both


class Erratic(Refusals):
    """Tells at random."""

    __doc__ = MONITOR_PAGE

    def observe(self, events: Any) -> Iterator[Finding]:
        """Draw."""
        list(super().observe(events))
        self.count += random.getrandbits(8)
        yield self.finding()


class Brittle(Refusals):
    """Expects text."""

    __doc__ = MONITOR_PAGE

    def observe(self, events: Any) -> Iterator[Finding]:
        """Split before looking."""
        yield from super().observe([event.split()[0] for event in events])


def broken_by(case: Any, checks: tuple[Any, ...]) -> dict[str, str]:
    """Return which promises a case breaks, and what the kit says."""
    found = {}
    for check in checks:
        try:
            check(case)
        except AssertionError as err:
            found[check.name] = str(err)
    return found


EVENTS = ["refused", "answered", "refused"] * 20


def test_a_monitor_that_keeps_every_promise_passes() -> None:
    assert broken_by(MonitorCase(thing=Refusals, make_events=lambda: EVENTS), monitor_checks()) == {}
    check_monitor(Refusals, lambda: EVENTS)


@pytest.mark.parametrize(
    ("thing", "promise", "words"),
    [
        (Hoarding, "state_is_bounded", "its state grew"),
        (Forgetful, "replicas_add_up", "go on otherwise"),
        (Swallowing, "replicas_add_up", "merging changed the monitor itself"),
        (Erratic, "same_events_same_findings", "different findings"),
        (Erratic, "leaves_the_world_as_it_was", "global state was changed"),
        (Erratic, "odd_batches_are_no_crash", "no events gave findings"),
        (Brittle, "odd_batches_are_no_crash", "raises AttributeError"),
    ],
)
def test_a_monitor_that_breaks_a_promise_is_caught(thing: Any, promise: str, words: str) -> None:
    assert words in broken_by(MonitorCase(thing=thing, make_events=lambda: EVENTS), monitor_checks())[promise]
