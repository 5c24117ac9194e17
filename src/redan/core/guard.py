"""The guard contract: what stands in the gateway's path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a guard says about one request.

    Attributes:
        verdict: let it pass, refuse it, or pass a changed one.
        reason: for the audit log and, where harmless, for the client.
        request: the changed request when ``verdict`` is ``transform``.
        suspicion: what the guard measured, for `redan.core.monitor.Event.suspicion`, so that a monitor need not
            measure it again; None when it measured nothing.
    """

    verdict: Literal["allow", "deny", "transform"]
    reason: str = ""
    request: Any = None
    suspicion: float | None = None


class Guard(Protocol):
    """Decides about one request."""

    def decide(self, request: Any) -> Decision:
        """Allow, deny or transform a `redan.core.monitor.Event` that is not answered yet.

        Never blocks and never raises on hostile input: what cannot be judged is denied, with the reason.
        """
        ...
