"""What everything about login shares: the database, the sealer, who compares passwords, and what is in force."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from redan.core.errors import ConfigError
from redan.core.settings import age_s
from redan.service.identity.login.passkeys import Site, site_of
from redan.service.identity.login.passwords import Verifier
from redan.service.identity.login.sealing import Sealer, open_sealer
from redan.service.identity.login.standing import from_session
from redan.service.identity.roles import Roles, roles_of

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.evidence.store.database import Database
    from redan.service.identity.authority import Authority
    from redan.service.identity.login.oidc_provider import Provider
    from redan.service.identity.principal import Principal
    from redan.service.parts import Parts

Answer = TypeVar("Answer")
PART = "logins"
"""Where `Logins` lies in ``Parts.more``."""


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Logins:
    """The desk where people log in.

    Attributes:
        database: the service's.
        sealer: of factors and tickets.
        roles: every role there is.
        authority: signs confirmations, and counts with us who failed how often from which address.
        issuer: name of this gateway, as authenticator apps show it.
        site: where passkeys are good; None where ``identity.origin`` is no place for them.
        https: whether cookies are for HTTPS alone.
        ttl_s: how long a session is good.
        step_up_s: how old a second factor may be for what is dangerous.
        provider: of OpenID; None where there is none.
        verifier: compares passwords.
        outcomes: how often each step ended how.
    """

    database: Database
    sealer: Sealer
    roles: Roles
    authority: Authority
    issuer: str
    site: Site | None
    https: bool
    ttl_s: float
    step_up_s: float
    provider: Provider | None = None
    verifier: Verifier = field(default_factory=Verifier)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def start(self) -> None:
        """Nothing runs by itself."""

    async def stop(self) -> None:
        """End the threads that compare passwords, and connections to the provider."""
        await asyncio.to_thread(self.verifier.stop)
        if self.provider is not None:
            await self.provider.stop()

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return numbers for `redan.service.monitoring`: family, labels, value."""
        for labels, n in self.outcomes.items():
            yield ("redan_logins", labels, n)

    async def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """Look something up, off the event loop.

        Raises:
            EvidenceError: the database does not answer.
        """

        def run() -> Answer:
            """Do the work in one transaction."""
            with self.database.reading() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """Change something, off the event loop: all of it or nothing.

        Raises:
            EvidenceError: the database does not answer.
        """

        def run() -> Answer:
            """Do the work in one transaction."""
            with self.database.writing() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def from_session(self, cookie: str, addr: str) -> Principal | None:
        """Judge a session's cookie (`redan.service.parts.Authority.from_session`).

        Raises:
            EvidenceError: the database does not answer.
        """
        return await from_session(self, cookie, addr)

    def the_site(self) -> Site:
        """Return where passkeys are good.

        Raises:
            ConfigError: the gateway has no address that they could be bound to.
        """
        if self.site is None:
            raise ConfigError(
                "passkeys need identity.origin: HTTPS, or http://localhost", hint="ask who administers this gateway"
            )
        return self.site


def open_logins(settings: Settings, database: Database, authority: Authority, *, root: Path) -> Logins:
    """Open the desk and make it the authority's word on sessions; makes the key of factors when its file is missing.

    Blocks.

    Raises:
        ConfigError: a setting does not fit.
        Unreadable: the key of factors is not there.
        EvidenceError: factors were sealed under another key, or the database does not answer.
    """
    identity = settings.identity
    provider = None
    if identity.oidc.issuer:
        from redan.service.identity.login.oidc_provider import open_provider

        provider = open_provider(identity)
    logins = Logins(
        database=database,
        sealer=open_sealer(identity.factor_key, database, root=root),
        roles=roles_of(identity),
        authority=authority,
        issuer=identity.issuer,
        site=_site(identity.origin, identity.issuer),
        https=bool(settings.serve.tls.certificate) or identity.origin.startswith("https:"),
        ttl_s=float(age_s(identity.session_ttl) or 0),
        step_up_s=float(age_s(identity.step_up) or 0),
        provider=provider,
    )
    authority.sessions = logins
    return logins


def logins_of(parts: Parts) -> Logins:
    """Return the desk of a running service."""
    found = parts.more[PART]
    if not isinstance(found, Logins):
        raise TypeError(f"parts.more[{PART!r}] is a {type(found).__name__}")
    return found


def _site(origin: str, title: str) -> Site | None:
    try:
        return site_of(origin, title)
    except ConfigError:
        # passwords and codes work without it; whoever asks for a passkey is told
        return None
