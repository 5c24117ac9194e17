"""What steps do to the running service, behind one Protocol, so that drills use the same engine and touch nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from redan.core.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from redan.service.guards.detectors import Suspects
    from redan.service.incidents.incident import Incident
    from redan.service.parts import Parts

Revoke = Callable[[str], int]
"""Takes every credential of somebody away and returns how many; blocks."""
Tell = Callable[["Incident", str], Awaitable[str]]
"""Sends a sentence about an incident to people and returns where it went."""


class Hands(Protocol):
    """What containment and notification need; each method may be called again without harm.

    Every method raises RedanError when it cannot do it; the step then fails with that sentence.
    """

    async def throttle(self, client: str, *, rate_per_s: float | None, until_s: float) -> None:
        """Slow a client down until a time; 0 suspends it, None lets it go."""

    async def quarantine(self, model: str) -> str:
        """Take ``name`` or ``name@version`` out of service; return the label that was live, or an empty text."""

    async def served(self) -> list[str]:
        """Return the names of all models that this replica serves."""

    async def rollback(self, model: str) -> tuple[str, str]:
        """Go back to the version before; return the labels before and after."""

    async def restore(self, label: str) -> None:
        """Make ``name@version`` live again; its statements are judged again."""

    async def revoke(self, who: str) -> int:
        """Take every credential of a client away; return how many."""

    async def tell(self, incident: Incident, text: str) -> str:
        """Send a sentence to people; return where it went."""

    async def clients(self) -> int:
        """Return how many clients the service knows."""


class ServiceHands:
    """The hands of a running gateway.

    Args:
        parts: the service.
        revoke: of identity.
        tell: of the alerts.
        clients: counts the clients that identity knows.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        revoke: Revoke | None = None,
        tell: Tell | None = None,
        clients: Callable[[], int] | None = None,
    ) -> None:
        self._parts, self._revoke, self._tell, self._clients = parts, revoke, tell, clients
        self._before: dict[str, str] = {}

    async def throttle(self, client: str, *, rate_per_s: float | None, until_s: float) -> None:
        """Slow a client down at this replica's limiter; None also ends that monitors deny it (`Suspects`)."""
        suspects: Suspects | None = getattr(self._parts.watching, "suspects", None)
        if rate_per_s is None and suspects is not None:
            suspects.let_go(client)
        await self._parts.limiter.throttle(client, rate_per_s=rate_per_s, until_s=until_s)

    async def quarantine(self, model: str) -> str:
        """Take a model out of service.

        Raises:
            UnknownName: nothing of that name is served.
            EvidenceError: it is out of service here, and that could not be written down yet.
        """
        name, version = self._served(model)
        live = self._live(name)
        if live:
            self._before[name] = live
        # it may be out of service and fail to be recorded: whoever tries again must know what was live
        await self._parts.models.quarantine(name, version)
        return self._before.pop(name, "")

    async def served(self) -> list[str]:
        """Return the names of all models that this replica serves."""
        return sorted({one.settings.name for one, _ in self._parts.models.all()})

    async def rollback(self, model: str) -> tuple[str, str]:
        """Go back to the version before.

        Raises:
            UnknownName: nothing of that name is served.
        """
        name, _ = self._served(model)
        before = next(
            (s.label for s, role in self._parts.models.all() if s.settings.name == name and role == "live"), ""
        )
        return before, (await self._parts.models.rollback(name)).label

    async def restore(self, label: str) -> None:
        """Make a version live again.

        Raises:
            UsageError: the label names no version.
        """
        name, at, version = label.rpartition("@")
        if not at:
            raise UsageError(f"which version of {label!r} shall be live?", hint="name@version")
        await self._parts.models.promote(name, version)

    async def revoke(self, who: str) -> int:
        """Take every credential away.

        Raises:
            UsageError: this gateway has no identities of its own.
        """
        if self._revoke is None:
            raise UsageError("this gateway cannot revoke credentials", hint="revoke them where they were issued")
        return await asyncio.to_thread(self._revoke, who)

    async def tell(self, incident: Incident, text: str) -> str:
        """Send a sentence through the alerts.

        Raises:
            UsageError: there is no channel.
        """
        if self._tell is None:
            raise UsageError("there is nowhere to send alerts", hint="[alerts] webhook, email or syslog")
        return await self._tell(incident, text)

    async def clients(self) -> int:
        """Return how many clients identity knows, or 1 where nobody counts them."""
        return await asyncio.to_thread(self._clients) if self._clients is not None else 1

    def _live(self, name: str) -> str:
        live = (one for one, role in self._parts.models.all() if one.settings.name == name and role == "live")
        return next((one.label for one in live), "")

    def _served(self, model: str) -> tuple[str, str]:
        """Return name and version (empty: all) of what findings call a model."""
        named = {(one.settings.name, one.settings.version): one.digest for one, _ in self._parts.models.all()}
        # what left service is in the configuration still
        named = {(m.name, m.version): "" for m in self._parts.settings.serve.models} | named
        name, at, version = model.rpartition("@")
        if at and (name, version) in named:
            return name, version
        if any(model == each for each, _ in named):
            return model, ""
        found = next((pair for pair, digest in named.items() if digest == model), None)
        if found is None:
            raise UnknownName.among("served model", model, sorted({each for each, _ in named}))
        return found
