"""What a way to send alerts promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redan.service.monitoring.notice import Notice


class Undeliverable(Exception):
    """A notice cannot be delivered, now or later; the words name no address and no secret."""


class Later(Undeliverable):
    """A notice was not delivered; it may be later.

    Args:
        words: what happened.
        after_s: what the receiver asked to wait; 0: nothing.
    """

    def __init__(self, words: str, *, after_s: float = 0) -> None:
        super().__init__(words)
        self.after_s = after_s


class Channel(Protocol):
    """A way to tell somebody."""

    name: str

    def send(self, notice: Notice) -> None:
        """Deliver a notice, or raise `Undeliverable`; runs in a thread and may block for seconds."""
