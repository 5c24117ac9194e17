"""Puts the service together: every part made, started in the order they need each other, and stopped in reverse."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from redan.core import config as configuration
from redan.service.audit.following import open_indexer
from redan.service.audit.places import replica_name
from redan.service.audit.recorder import LogAuditor, open_auditor
from redan.service.audit.unrecorded import Unrecorded
from redan.service.console.feed import PART as FEED
from redan.service.console.feed import Feed
from redan.service.database import open_database
from redan.service.findings import Findings
from redan.service.gateway.app import DataPlane
from redan.service.gateway.recipes import recipes
from redan.service.gateway.workers import Crew
from redan.service.guards.chain import chain_for
from redan.service.guards.limiter import ClientLimiter, open_limiter
from redan.service.identity.authority import Authority, open_authority
from redan.service.identity.login.desk import PART as LOGINS
from redan.service.identity.login.desk import open_logins
from redan.service.incidents.opening import open_desk, teller
from redan.service.models.pool import Pool
from redan.service.monitoring.alerts import Alerting, channels_of
from redan.service.monitoring.claims import open_claims
from redan.service.monitoring.health import Health
from redan.service.monitoring.recorder import Counting
from redan.service.monitoring.tracing import Tracing
from redan.service.monitoring.undelivered import open_undelivered
from redan.service.parts import Parts
from redan.service.registry.opening import database_url, open_registry
from redan.service.registry.serving import Shelf
from redan.service.routes import routes
from redan.service.watching.watcher import LiveWatching, open_watching
from redan.service.web.app import web_app

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.settings import Settings
    from redan.service.registry.opening import Registry


class Living(Protocol):
    """Something that is started and stopped."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


@dataclass(slots=True, kw_only=True)
class Service:
    """The whole of it.

    Attributes:
        parts: what handlers see.
        plane: the ASGI application: predictions, and behind it every other route.
        living: what is started, in order.
        health: what readiness is made of.
    """

    parts: Parts
    plane: DataPlane
    living: tuple[Living, ...]
    health: Health
    _stack: AsyncExitStack = field(init=False, repr=False, default_factory=AsyncExitStack)

    async def __aenter__(self) -> Service:
        """Start every part; when one cannot start, those before it are stopped.

        Raises:
            RedanError: of the part that cannot start.
        """
        async with AsyncExitStack() as stack:
            for part in self.living:
                await part.start()
                stack.push_async_callback(part.stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop every part, the last first."""
        await self._stack.aclose()
        self.parts.database.close()

    def drain(self) -> None:
        """Refuse what is new; say that this replica is not ready."""
        self.health.draining = True
        self.plane.drain()


def assemble(config: Config) -> Service:
    """Make every part from the settings; nothing is started, no model is loaded. Blocks.

    Raises:
        ConfigError: settings do not fit together.
        Unreadable: a key or file is missing.
        EvidenceError: the database or registry does not answer.
    """
    settings, root = config.settings, config.root
    made = _made(config)
    parts, models, watching, counting = made.parts, made.models, made.watching, made.counting
    claims = open_claims(settings.alerts, parts.database, parts.replica)
    undelivered = open_undelivered(settings, root, parts.replica)
    alerting = Alerting(
        settings.alerts,
        channels_of(settings.alerts),
        counting,
        parts.replica,
        claims=claims,
        undelivered=undelivered,
    )
    logins = open_logins(settings, parts.database, made.authority, root=root)
    health, crew = Health(parts), _crew(settings, models)
    parts.more |= {"tracing": counting.tracing, "health": health, "alerts": alerting, LOGINS: logins}
    parts.findings.listen(counting.found)
    parts.findings.listen(alerting.notice)
    desk = open_desk(parts, tell=teller(alerting.send, parts.replica))
    plane = DataPlane(
        parts,
        lambda served: chain_for(served, settings.serve.guards, root=root, suspects=watching.suspects),
        fallback=web_app(parts, routes(parts)),
        compute=crew,
        shadow=models.comparing.answered,
    )
    parts.more |= {"plane": plane, "prices": plane.prices, "workers": crew, FEED: (feed := Feed(parts))}
    indexer = open_indexer(settings, root, parts.replica) if settings.audit.mode != "none" else None
    living: tuple[Living | None, ...] = (
        made.auditor, indexer, made.authority, logins, made.limiter, counting.tracing, models, crew, watching,
        alerting, desk, feed, plane,
    )  # fmt: skip
    return Service(parts=parts, plane=plane, living=tuple(part for part in living if part is not None), health=health)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The parts, each as what it really is."""

    parts: Parts
    auditor: LogAuditor | Unrecorded
    authority: Authority
    limiter: ClientLimiter
    models: Pool
    counting: Counting
    watching: LiveWatching


def _made(config: Config) -> _Made:
    settings, root = config.settings, config.root
    replica = replica_name(settings)
    database, findings = open_database(settings.serve.database, root=root), Findings()
    recorded = settings.audit.mode != "none"
    auditor = open_auditor(settings, root, replica, findings=findings) if recorded else Unrecorded(settings)
    authority = open_authority(settings, database, root)
    limiter = open_limiter(settings.serve.guards, redis_url=settings.serve.redis, replica=replica, database=database)
    registry = _registry(settings, root, auditor)
    models = Pool(
        settings,
        root,
        database=database,
        findings=findings,
        record=lambda act: auditor.commit([act]),
        registry=Shelf(registry=registry) if registry is not None else None,
        reread=partial(_reread, config),
    )
    counting = Counting(Tracing(settings.alerts, replica) if settings.alerts.traces else None)
    watching = open_watching(settings, root, findings=findings)
    parts = Parts(
        settings=settings,
        root=root,
        replica=replica,
        database=database,
        findings=findings,
        authority=authority,
        limiter=limiter,
        auditor=auditor,
        models=models,
        recorder=counting,
        watching=watching,
        more={"registry": registry},
    )
    return _Made(
        parts=parts,
        auditor=auditor,
        authority=authority,
        limiter=limiter,
        models=models,
        counting=counting,
        watching=watching,
    )


def _crew(settings: Settings, models: Pool) -> Crew | None:
    """Return the worker processes, where the settings ask for some."""
    if not settings.serve.workers:
        return None
    return Crew(settings.serve.workers, recipes(models), lambda: [served for served, _ in models.all()])


def _reread(config: Config) -> Settings:
    return configuration.load(file=config.file, root=config.root, environ=os.environ).settings


def _registry(settings: Settings, root: Path, auditor: LogAuditor | Unrecorded) -> Registry | None:
    """Open the registry where there is one."""
    url = database_url(settings.registry)
    if "://" not in url and not (root / url).is_file():
        return None
    return open_registry(settings.registry, root, record=auditor.record)
