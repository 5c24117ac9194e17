"""Progress as an observer: the library reports, the command line draws."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Is told what a run is doing. Every method must be cheap and must not raise."""

    def started(self, what: str, total: int | None = None) -> None:
        """A probe or another long step begins; ``total`` counts its units when known."""

    def advanced(self, what: str, done: int, total: int | None = None, note: str = "") -> None:
        """``done`` units are finished."""

    def finished(self, what: str, note: str = "") -> None:
        """The step is over."""

    def note(self, text: str) -> None:
        """One line worth reading that is no finding."""


class Silent:
    """Tells nobody; what the Python interface uses unless asked otherwise."""

    def started(self, what: str, total: int | None = None) -> None:
        """Do nothing."""

    def advanced(self, what: str, done: int, total: int | None = None, note: str = "") -> None:
        """Do nothing."""

    def finished(self, what: str, note: str = "") -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


SILENT: Observer = Silent()
