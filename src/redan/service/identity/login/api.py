"""Login over JSON: for the console's script and for programs that act for a person."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.responses import Response

from redan.core.errors import SignatureRefused
from redan.service.gateway.refusal import FORBIDDEN, MALFORMED, UNKNOWN
from redan.service.identity.actions import ACTIONS
from redan.service.identity.authority import bound
from redan.service.identity.freshness import fresh
from redan.service.identity.login import account, entering, factors, passkeys, sessions
from redan.service.identity.login.bodies import Account, Codes, Confirmed, Done, LoggedIn, TotpOffer
from redan.service.identity.login.desk import Logins, logins_of
from redan.service.identity.login.entering import Entered
from redan.service.identity.login.recording import check_same_site, let_in, source_of, turned_away
from redan.service.identity.login.standing import valid
from redan.service.identity.principal import Principal
from redan.service.web.answers import json
from redan.service.web.errors import Refused, response_of
from redan.service.web.session_cookie import csrf_token, end_session, session_of, set_session

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from redan.service.identity.login.sessions import Session
    from redan.service.web.endpoint import Asked

MOST_ID = 256
MOST_PATH = 512


async def login(asked: Asked) -> Response:
    """Take name and password."""
    check_same_site(asked.request)
    logins, body = logins_of(asked.parts), asked.body
    work = entering.with_password(logins, body.name, body.password, source_of(asked.request))
    return await _came(asked, "login", work, tried=body.name)


async def second(asked: Asked) -> Response:
    """Take the second factor of a half session."""
    logins, session = await _half(asked)
    return await _came(asked, "login.second", _shown(asked, logins, session), who=session.person)


async def ask_second(asked: Asked) -> Response:
    """Ask for a passkey as second factor, at login or for a step-up."""
    logins = logins_of(asked.parts)
    session = await session_asked(asked)
    site = logins.the_site()
    challenge = await logins.read(
        lambda connection: passkeys.ask_to_show(
            connection, logins.sealer, site, person=session.person, bound=session.id
        )
    )
    return json(challenge)


async def ask_passkey(asked: Asked) -> Response:
    """Ask whoever it is for a passkey; nothing is stored for it."""
    check_same_site(asked.request)
    logins = logins_of(asked.parts)
    site = logins.the_site()
    challenge = await logins.read(
        lambda connection: passkeys.ask_to_show(connection, logins.sealer, site, person="", bound="")
    )
    return json(challenge)


async def passkey(asked: Asked) -> Response:
    """Take a passkey instead of name and password."""
    check_same_site(asked.request)
    work = entering.with_passkey(
        logins_of(asked.parts), asked.body.ticket, asked.body.answer or {}, source_of(asked.request)
    )
    return await _came(asked, "login", work)


async def step_up(asked: Asked) -> Response:
    """Take a second factor again, before something dangerous."""
    logins, session = await own(asked)
    entered = await _shown(asked, logins, session)
    asked.note["did"] = f"step-up by {entered.how}"
    return with_cookie(logins, json(_logged_in(entered)), entered.secret)


async def confirm(asked: Asked) -> Response:
    """Confirm one dangerous act, for whoever cannot show a second factor in a session."""
    logins, body, principal = logins_of(asked.parts), asked.body, _person(asked)
    action = ACTIONS.get(body.action)
    if action is None or not body.resource.startswith("/"):
        raise Refused(MALFORMED, "name an action and the path that it will be asked at")
    user = body.user or principal.id
    if len(user) > MOST_ID or len(body.resource) > MOST_PATH:
        raise Refused(MALFORMED, "a name or path is too long")
    # for oneself the request that uses it is judged anyway; for others one must hold what one gives
    if user != principal.id and not principal.may(body.action):
        raise Refused(FORBIDDEN)
    await _prove(asked, logins, principal, body.code)
    asked.note.update(confirmed=body.action, resource=body.resource, body=body.digest, user=user)
    other = Principal(
        id=user,
        kind="person" if user.startswith("user:") else "program",
        roles=frozenset(),
        grants=frozenset(),
        credential="",
        expires_s=0,
    )
    token = logins.authority.confirmation(other, body.action, bound(body.resource, body.digest))
    return json(Confirmed(confirmation=token, seconds=int(logins.step_up_s)))


async def show_account(asked: Asked) -> Response:
    """Show somebody's own factors and sessions."""
    logins, session = await own(asked)
    return json(await account_of(logins, session))


async def offer_totp(asked: Asked) -> Response:
    """Offer a secret for an app."""
    logins, session = await own(asked)
    offer = await account.offer_totp(logins, session)
    return json(TotpOffer(ticket=offer.ticket, uri=offer.uri, secret=offer.secret, svg=offer.svg()))


async def enrol_totp(asked: Asked) -> Response:
    """Enrol an app."""
    logins, session = await own(asked)
    made = await account.enrol_totp(logins, session, asked.body.ticket, asked.body.code)
    asked.note["did"] = "totp enrolled"
    return with_cookie(logins, json(Codes(codes=made.codes, csrf=csrf_token(made.secret))), made.secret)


async def ask_new_passkey(asked: Asked) -> Response:
    """Ask the browser to make a passkey."""
    logins, session = await own(asked)
    return json(await account.ask_passkey(logins, session))


async def add_passkey(asked: Asked) -> Response:
    """Register a passkey."""
    logins, session = await own(asked)
    made = await account.add_passkey(logins, session, asked.body.ticket, asked.body.answer, asked.body.title)
    asked.note["did"] = "passkey registered"
    return with_cookie(logins, json(Codes(codes=made.codes, csrf=csrf_token(made.secret))), made.secret)


async def recovery_codes(asked: Asked) -> Response:
    """Make new recovery codes."""
    logins, session = await own(asked)
    codes = await account.new_recovery_codes(logins, session)
    asked.note["did"] = "recovery codes made"
    return json(Codes(codes=codes))


async def remove(asked: Asked) -> Response:
    """Remove a factor."""
    logins, session = await own(asked)
    done = await account.remove(logins, session, asked.body.kind, asked.body.id)
    asked.note["did"] = f"{asked.body.kind} removed" if done else "nothing to remove"
    return json(Done(done=int(done)))


async def end_sessions(asked: Asked) -> Response:
    """End one's own sessions."""
    logins, session = await own(asked)
    done = await account.end_sessions(logins, session, asked.body.id)
    asked.note["did"] = f"{done} sessions ended"
    return json(Done(done=done))


async def change_password(asked: Asked) -> Response:
    """Change one's own password."""
    logins, session = await own(asked)
    await account.change_password(logins, session, asked.body.old, asked.body.new, source_of(asked.request))
    asked.note["did"] = "password changed"
    return json(Done(done=1))


async def logout(asked: Asked) -> Response:
    """End this session."""
    logins, session = await own(asked)
    await logins.write(lambda connection: sessions.end(connection, session.person, session.id))
    asked.note["did"] = "logout"
    response = json(Done(done=1))
    end_session(response, https=logins.https)
    return response


async def own(asked: Asked) -> tuple[Logins, Session]:
    """Return the desk and the full session that asks; keys and tokens do not manage an account.

    Raises:
        Refused: no session asks.
    """
    session = await session_asked(asked)
    if session.state != "full" or asked.principal is None or asked.principal.credential != session.id:
        raise Refused(FORBIDDEN, "this is done in a session at the console")
    return logins_of(asked.parts), session


async def session_asked(asked: Asked) -> Session:
    """Return the session that asks, half or full.

    Raises:
        Refused: none does.
    """
    logins = logins_of(asked.parts)
    secret = session_of(asked.request, https=logins.https)
    session = await logins.read(lambda connection: valid(connection, secret))
    if session is None:
        raise Refused(UNKNOWN, "log in first")
    return session


async def account_of(logins: Logins, session: Session) -> Account:
    """Return what a person sees of their account."""
    person = session.person
    mine = await logins.read(lambda connection: factors.factors_of(connection, person))
    open_now = await logins.read(lambda connection: sessions.of_person(connection, person))
    return Account(
        person=person,
        password=mine.password,
        totp=mine.totp,
        recovery_left=mine.recovery_left,
        linked=mine.linked,
        passkeys=list(mine.passkeys),
        sessions=[found for found in open_now if found.state == "full"],
        session=session.id,
    )


def with_cookie(logins: Logins, response: Response, secret: str) -> Response:
    """Give the browser its session's new cookie."""
    if secret:
        set_session(response, secret, https=logins.https, most_s=int(logins.ttl_s))
    return response


async def _half(asked: Asked) -> tuple[Logins, Session]:
    session = await session_asked(asked)
    if session.state != "half":
        raise Refused(FORBIDDEN, "this session is complete; a step-up has its own address")
    return logins_of(asked.parts), session


async def _shown(asked: Asked, logins: Logins, session: Session) -> Entered:
    body, source = asked.body, source_of(asked.request)
    if body.answer is not None:
        return await entering.with_passkey_second(logins, session, body.ticket, body.answer, source)
    return await entering.with_code(logins, session, body.code, source)


async def _prove(asked: Asked, logins: Logins, principal: Principal, code: str) -> None:
    """Judge whether a person may confirm: a code now, or a second factor that is fresh in the session."""
    if code:
        await entering.prove(logins, principal.id, code, source_of(asked.request))
    elif not fresh(principal.credential, principal.mfa_s, within_s=logins.step_up_s, now_s=time.time()):
        raise Refused(entering.WRONG_FACTOR, "send a code of your authenticator app")


def _person(asked: Asked) -> Principal:
    if asked.principal is None or asked.principal.kind != "person":
        raise Refused(FORBIDDEN, "a person confirms, with a second factor")
    return asked.principal


async def _came(asked: Asked, act: str, work: Awaitable[Entered], *, who: str = "", tried: str = "") -> Response:
    """Answer an attempt to come in, and record it either way."""
    try:
        entered = await work
    except Refused as error:
        await turned_away(asked, act, error.refusal, who=who, tried=tried)
        return response_of(error.refusal)
    except SignatureRefused:
        await turned_away(asked, act, entering.WRONG_FACTOR, who=who, tried=tried)
        return response_of(entering.WRONG_FACTOR)
    await let_in(asked, act, entered.person, entered.how)
    return with_cookie(logins_of(asked.parts), json(_logged_in(entered)), entered.secret)


def _logged_in(entered: Entered) -> LoggedIn:
    return LoggedIn(person=entered.person, state=entered.state, csrf=csrf_token(entered.secret))
