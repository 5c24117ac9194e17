"""What the parts of the service promise each other; `redan.service.assembly` puts the real ones together."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.evidence.store.database import Database
    from redan.service.audit.act import Act
    from redan.service.findings import Findings
    from redan.service.gateway.call import Batch
    from redan.service.gateway.refusal import Refusal
    from redan.service.identity.principal import Principal
    from redan.service.models.served import Role, Served


class Authority(Protocol):
    """Says who asks (identity)."""

    def authenticate(self, header: bytes) -> Principal | None:
        """Judge an Authorization header in memory, in a microsecond when it was seen before; None: nobody known."""

    async def recognise(self, header: bytes, addr: str) -> Principal | None:
        """Judge a header that `authenticate` does not know yet: may ask the database; counts failures and locks out.

        Raises:
            Unjudged: the database cannot be asked now: answer `UNJUDGED`.
        """

    async def from_session(self, cookie: str, addr: str) -> Principal | None:
        """Judge a console's session cookie."""

    async def confirmed(self, token: str, principal: Principal, action: str, resource: str) -> bool:
        """Use up a one-time confirmation (header ``Redan-Confirmation``) of one dangerous request."""


class Limiter(Protocol):
    """Rates and budgets of clients (guards)."""

    def take(self, client: str, rows: int) -> Refusal | None:
        """Take one request and its rows from a client's allowance, or say why not; never blocks."""

    async def throttle(self, client: str, *, rate_per_s: float | None, until_s: float) -> None:
        """Slow a client down until a time; a rate of 0 suspends it, None gives it back what everybody has."""

    def throttled(self) -> dict[str, tuple[float, float]]:
        """Return clients that are slowed down now: rate a second, until when in seconds since the epoch."""


class Auditor(Protocol):
    """The record of every decision (audit)."""

    def commit(self, acts: Sequence[Act]) -> Awaitable[None] | None:
        """Record acts together.

        Returns:
            None when the caller may answer at once (asynchronous mode); else what to await before answering.

        Raises:
            EvidenceError: nothing can be recorded now (also from the awaitable): answer `UNAUDITED`.
        """

    def healthy(self) -> bool:
        """Return whether decisions can be recorded."""


class Models(Protocol):
    """What is served, in which version, by whom admitted (models)."""

    def choose(self, name: str, version: str, client: str) -> Served | None:
        """Return what answers this client: a named version, else live or canary by the share; None: nothing."""

    def shadows(self, name: str) -> Sequence[Served]:
        """Return versions that are asked too and answer nobody."""

    def all(self) -> Sequence[tuple[Served, Role]]:
        """Return every loaded version with its role."""

    def refused(self) -> Sequence[tuple[str, str, str]]:
        """Return (name, version, sentence why) of every version that was not admitted."""

    async def promote(self, name: str, version: str) -> None:
        """Judge a version's statements again and make it live; the former live version stands by."""

    async def rollback(self, name: str) -> Served:
        """Make the version before live again, at once: it is still loaded."""

    async def quarantine(self, name: str, version: str = "") -> None:
        """Take a version, or every version, out of service until it is promoted again."""

    async def reload(self) -> None:
        """Judge statements again and load what is new in the configuration."""


class Recorder(Protocol):
    """Counts what happens (monitoring); each call costs about a microsecond."""

    def answered(self, batch: Batch, seconds: float) -> None:
        """Count a batch after its answers were sent."""

    def refused(self, route: str, refusal: Refusal) -> None:
        """Count a refusal."""


class Watching(Protocol):
    """Shows answered requests to detectors, drift and access watchers, off the path of the answer (watching)."""

    def answered(self, batch: Batch) -> None:
        """Take an answered batch; never blocks; what is too much is dropped and counted."""

    def denied(self, act: Act) -> None:
        """Take a denial, for watchers of access."""


@dataclass(slots=True, kw_only=True)
class Parts:
    """Everything that a handler may need.

    Attributes:
        settings: redan.toml as it is in force.
        root: folder that its relative paths start from.
        replica: name of this replica.
        database: the service's own.
        findings: what monitors found.
        more: incidents, registry and what else rooms put here, by name.
    """

    settings: Settings
    root: Path
    replica: str
    database: Database
    findings: Findings
    authority: Authority
    limiter: Limiter
    auditor: Auditor
    models: Models
    recorder: Recorder
    watching: Watching
    more: dict[str, Any]
