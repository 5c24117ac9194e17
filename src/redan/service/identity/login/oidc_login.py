"""Login by an OpenID provider: whose account it is here, and what roles the provider's groups give.

An account belongs to (issuer, subject) and to nothing else: names and addresses of mail can be chosen or given anew.
An account that exists here is linked by its owner alone, logged in and with a fresh second factor.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select

from redan.core.errors import SignatureRefused, UsageError
from redan.service.gateway.refusal import FORBIDDEN
from redan.service.identity import directory
from redan.service.identity.login.entering import WRONG, Entered, From, begin, wait
from redan.service.identity.login.sealing import spend
from redan.service.identity.login.tables import links
from redan.service.identity.login.tables import sessions as opened
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.identity.login.desk import Logins
    from redan.service.identity.login.oidc_provider import Provider, Vouched

AWAY_S = 600
BY = "oidc"
_PURPOSE = "oidc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Where somebody is sent, and the sealed cookie that they must bring back."""

    url: str
    ticket: str


async def depart(logins: Logins, *, then: str, link_session: str = "") -> Away:
    """Send somebody to the provider.

    Args:
        logins: the desk.
        then: path to show afterwards.
        link_session: identifier of a session whose account is to be linked; empty for a login.

    Raises:
        UsageError: no provider is configured.
        EvidenceError: the provider does not answer.
    """
    leaving = await _provider(logins).depart()
    facts = {
        "state": leaving.state,
        "nonce": leaving.nonce,
        "verifier": leaving.verifier,
        "then": then,
        "link": link_session,
    }
    return Away(url=leaving.url, ticket=logins.sealer.ticket(facts, _PURPOSE, ttl_s=AWAY_S))


async def come_back(
    logins: Logins, roles: Mapping[str, str], ticket: str, query: Mapping[str, str], source: From
) -> tuple[Entered | str, str]:
    """Judge somebody who comes back.

    Args:
        logins: the desk.
        roles: role of each group.
        ticket: the cookie that they left with.
        query: what the provider gave them.
        source: where they come from.

    Returns:
        The session, or the person whose account was linked; and the path to show.

    Raises:
        Refused: they did not leave from here, the provider does not vouch for them, or they are nobody here.
        EvidenceError: the provider or the database does not answer.
    """
    wait(await logins.authority.lockouts.wait_s(source.addr))
    try:
        facts, until_s = logins.sealer.facts(ticket, _PURPOSE)
        vouched = await _provider(logins).arrive(
            query, state=facts["state"], nonce=facts["nonce"], verifier=facts["verifier"]
        )
    except SignatureRefused as error:
        await logins.authority.lockouts.failed(source.addr)
        raise Refused(WRONG, "the login at the provider did not succeed; try again") from error

    def enter(connection: Connection) -> Entered | str:
        """Spend the ticket and begin the session."""
        # what came back right is good once, whatever becomes of it
        if not spend(connection, ticket, until_s):
            raise Refused(WRONG, "this login was used already; try again")
        if facts["link"]:
            return _link(connection, facts["link"], vouched)
        person = account(connection, logins, vouched, roles)
        return begin(connection, logins, person, "oidc", source)

    return await logins.write(enter), facts["then"]


def account(connection: Connection, logins: Logins, vouched: Vouched, roles: Mapping[str, str]) -> str:
    """Return whose account it is, made at the first login, with the roles that the provider's groups give now.

    Raises:
        Refused: they are nobody here: disabled, or in no group that gives a role.
        UsageError: their roles may not meet in one hand, or nobody could administer any more.
    """
    wanted = {roles[group] for group in vouched.groups if group in roles}
    person = connection.execute(
        select(links.c.person).where(links.c.issuer == vouched.issuer, links.c.subject == vouched.subject)
    ).scalar_one_or_none()
    if person is None:
        if not wanted:
            raise Refused(FORBIDDEN, "your groups give no role here; ask who administers this gateway")
        person = _name(vouched)
        directory.add(connection, person, title=_title(vouched.name), by=BY)
        _keep_link(connection, vouched, person)
    found = directory.find(connection, person)
    if found is None or found.disabled:
        raise Refused(WRONG)
    _give(connection, logins, person, wanted)
    return person


def unlink(connection: Connection, logins: Logins, person: str) -> int:
    """Take away what lets a provider vouch for somebody, and the roles it gave; return how many links there were.

    Raises:
        UsageError: nobody could administer any more.
    """
    _give(connection, logins, person, set())
    return connection.execute(delete(links).where(links.c.person == person)).rowcount


def _link(connection: Connection, session_id: str, vouched: Vouched) -> str:
    person = connection.execute(
        select(opened.c.person).where(opened.c.id == session_id, opened.c.state == "full")
    ).scalar_one_or_none()
    if person is None:
        raise Refused(WRONG, "the session ended meanwhile; log in and try again")
    taken = connection.execute(
        select(links.c.person).where(links.c.issuer == vouched.issuer, links.c.subject == vouched.subject)
    ).scalar_one_or_none()
    if taken is not None:
        raise UsageError("the provider's account is linked already", hint="unlink it there first")
    _keep_link(connection, vouched, person)
    return str(person)


def _keep_link(connection: Connection, vouched: Vouched, person: str) -> None:
    connection.execute(
        insert(links).values(issuer=vouched.issuer, subject=vouched.subject, person=person, created_s=time.time())
    )


def _give(connection: Connection, logins: Logins, person: str, wanted: set[str]) -> None:
    """Give and take roles until those that the provider gave are those of now; others' gifts stay."""
    held = directory.assigned(connection, person)
    given = {assignment.role for assignment in held if assignment.by == BY}
    for role in sorted(given - wanted):
        directory.revoke(connection, logins.roles, person, role)
    for role in sorted(wanted - {assignment.role for assignment in held if assignment.model == "*"}):
        directory.grant(connection, logins.roles, person, role, by=BY)


def _name(vouched: Vouched) -> str:
    """Return a name that no account made here has, whatever the provider lets people call themselves."""
    slug = re.sub(r"[^a-z0-9]+", "-", vouched.name.lower())[:32].strip("-") or "person"
    digest = sha256(f"{vouched.issuer}\n{vouched.subject}".encode()).hexdigest()[:16]
    return f"user:{slug}.{digest}@oidc"


def _title(name: str) -> str:
    return "".join(character for character in name if character.isprintable())[:100]


def _provider(logins: Logins) -> Provider:
    if logins.provider is None:
        raise UsageError("this gateway knows no OpenID provider", hint="log in with name and password")
    return logins.provider
