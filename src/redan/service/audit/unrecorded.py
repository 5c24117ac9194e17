"""No record at all: for a laboratory that measures what recording costs, never for a gateway that anybody relies on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redan.core.errors import ConfigError

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.service.audit.act import Act


class Unrecorded:
    """`redan.service.parts.Auditor` that forgets everything.

    Raises:
        ConfigError: the gateway is no laboratory: ``[serve] admission`` is not ``open``.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.serve.admission != "open":
            raise ConfigError(
                '[audit] mode = "none" leaves decisions unrecorded',
                hint='write mode = "durable" or "async"; none goes with [serve] admission = "open" alone',
            )

    async def start(self) -> None:
        """Nothing is to be started."""

    async def stop(self) -> None:
        """Nothing is to be stopped."""

    def commit(self, acts: Sequence[Act]) -> None:
        """Forget them."""

    def record(self, act: Act) -> None:
        """Forget it."""

    def healthy(self) -> bool:
        """Return that nothing keeps it from forgetting."""
        return True
