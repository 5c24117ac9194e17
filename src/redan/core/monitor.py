"""The monitor contract: see a threat at run time, in the gateway or over a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from redan.core.finding import Finding
    from redan.core.probe import Spec

LONGEST_CLIENT = 256
"""Characters of a client's identifier, at most: it is a key of bounded state."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Event:
    """One request for one input, before or after it was answered; the same object in the gateway and over a log.

    A request with many rows is as many events. Who writes a log may leave ``x`` out and keep what guards measured:
    monitors of rates then still work, and nobody's data is stored.

    Attributes:
        client: who asked, as authentication knows it; at most `LONGEST_CLIENT` characters.
        time_s: when, in seconds since the epoch.
        model: digest of the model that was asked, as its statements name it.
        x: the input, shape of one row, or cells by column name; None when it was not kept.
        scores: (k,) what the model answered, or None: not answered yet, or labels only.
        label: class that was answered, or None.
        suspicion: what guards measured already, by identifier of their rule.
        truth: class that turned out to be right, once somebody knows; a later event may repeat a request with it.
        groups: values of the columns that describe people, by column.
        source: where a row of arriving training data came from; empty for a request.
    """

    client: str
    time_s: float
    model: str
    x: NDArray[Any] | Mapping[str, Any] | None = None
    scores: NDArray[Any] | None = None
    label: int | None = None
    suspicion: Mapping[str, float] = field(default_factory=dict)
    truth: int | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be kept in bounded state or ordered in time.

        Raises:
            ShapeMismatch: the client's identifier is too long, or the time is no finite number.
        """
        if not isinstance(self.client, str) or len(self.client) > LONGEST_CLIENT:
            raise ShapeMismatch(f"a client is named by text of at most {LONGEST_CLIENT} characters")
        # false for NaN too
        if not -1e15 < self.time_s < 1e15:
            raise ShapeMismatch(f"the time of an event is a finite number of seconds, got {self.time_s!r}")


class Monitor(Protocol):
    """Watches events with bounded state that replicas can add up."""

    spec: ClassVar[Spec]

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Take a batch of `Event` and yield findings; pass over whatever is none.

        A finding speaks of everything that was observed so far, so it comes again, with new numbers, as long as it
        holds; its fingerprint stays the same.
        """
        ...

    def merge(self, other: Self) -> Self:
        """Return the state that one monitor would have after seeing both streams."""
        ...
