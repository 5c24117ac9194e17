"""How an attack is watched from outside: asked to stop, and asked how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def never() -> str | None:
    """Stop callback of an attack without a budget."""
    return None


def silent(stage: str, done: int, total: int) -> None:
    """Progress callback that tells nobody."""


class Watch:
    """Remembers the first reason to stop.

    Args:
        stop: asked between steps; a text is the reason to end with what was found so far.
        progress: told the stage, the samples done and the samples in all, after each batch.
    """

    __slots__ = ("_stop", "progress", "reason")

    def __init__(
        self,
        *,
        stop: Callable[[], str | None] = never,
        progress: Callable[[str, int, int], None] = silent,
    ) -> None:
        self._stop = stop
        self.progress = progress
        self.reason: str | None = None

    def stopped(self) -> bool:
        """Whether the attack must end; once true, always true."""
        if self.reason is None:
            self.reason = self._stop()
        return self.reason is not None

    def end(self, reason: str) -> None:
        """Stop for a reason of the attack's own, unless there is one already."""
        self.reason = self.reason or reason
