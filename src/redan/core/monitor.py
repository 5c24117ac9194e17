"""The monitor contract: see a threat at run time, in the gateway or over a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redan.core.finding import Finding
    from redan.core.probe import Spec


class Monitor(Protocol):
    """Watches events with bounded state that replicas can add up."""

    spec: ClassVar[Spec]

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Take a batch of events in order and yield findings."""
        ...

    def merge(self, other: Self) -> Self:
        """Return the state that one monitor would have after seeing both streams."""
        ...
