"""Budgets that end where the kit wants."""

from __future__ import annotations

from redan.core.budget import Budget

WHY = "the conformance kit stops here"


class StopAfter(Budget):
    """A budget without limits that says stop after it was asked a number of times, and counts how often it was.

    Args:
        times: how often it says to go on; None for ever.
    """

    def __init__(self, times: int | None = None) -> None:
        super().__init__()
        self.times = times
        self.asked = 0

    def stop(self) -> str | None:
        """Return why to stop, once it was asked often enough."""
        self.asked += 1
        if self.times is not None and self.asked > self.times:
            return WHY
        return super().stop()
