"""Login in a browser: forms that work without script, and the way to the OpenID provider and back."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from redan.core.errors import EvidenceError, RedanError, SignatureRefused, UsageError
from redan.service.console.login_pages import page
from redan.service.console.rendering import static
from redan.service.gateway.refusal import FAILED, MALFORMED, Refusal
from redan.service.identity.login import entering, factors, oidc_login, sessions
from redan.service.identity.login.api import session_asked, with_cookie
from redan.service.identity.login.desk import logins_of
from redan.service.identity.login.entering import Entered
from redan.service.identity.login.recording import check_same_site, let_in, source_of, turned_away
from redan.service.web.errors import Refused
from redan.service.web.forms import form
from redan.service.web.session_cookie import csrf_token, end_session, session_of

if TYPE_CHECKING:
    from redan.service.identity.login.desk import Logins
    from redan.service.identity.login.sessions import Session
    from redan.service.web.endpoint import Asked

HOME, ACCOUNT = "/console", "/account"
_LOCAL = re.compile(r"/(?![/\\])[A-Za-z0-9/_.~?=&%:@+,-]{0,500}", flags=re.ASCII)


async def style(asked: Asked) -> Response:
    """Return the style sheet."""
    return static("login.css")


async def script(asked: Asked) -> Response:
    """Return the script that speaks to passkeys."""
    return static("login.js")


async def show_login(asked: Asked) -> Response:
    """Show the form for name and password."""
    return _login_page(logins_of(asked.parts), then=local(asked.request.query_params.get("next", "")))


async def login(asked: Asked) -> Response:
    """Take the form; a name or password that is wrong brings it back."""
    logins = logins_of(asked.parts)
    check_same_site(asked.request)
    fields = await form(asked.request)
    name, then = fields.get("name", ""), local(fields.get("next", ""))
    try:
        entered = await entering.with_password(logins, name, fields.get("password", ""), source_of(asked.request))
    except Refused as error:
        await turned_away(asked, "login", error.refusal, tried=name)
        return _retry(_login_page(logins, then=then, name=name, refusal=error.refusal), error.refusal)
    return await _came_in(asked, "login", entered, then)


async def show_second(asked: Asked) -> Response:
    """Show the form for the second factor: of a login, or of a step-up in a session that is complete."""
    logins, session = logins_of(asked.parts), await session_asked(asked)
    then = local(asked.request.query_params.get("next", ""))
    return await _second_page(asked, logins, session, then=then)


async def second(asked: Asked) -> Response:
    """Take the second factor."""
    logins, session = logins_of(asked.parts), await session_asked(asked)
    fields = await form(asked.request)
    then, act = local(fields.get("next", "")), "login.second" if session.state == "half" else "login.step-up"
    try:
        entered = await entering.with_code(logins, session, fields.get("code", ""), source_of(asked.request))
    except Refused as error:
        await turned_away(asked, act, error.refusal, who=session.person)
        return _retry(await _second_page(asked, logins, session, then=then, refusal=error.refusal), error.refusal)
    # whoever lost the factor enrols a new one first
    return await _came_in(asked, act, entered, ACCOUNT if entered.how == entering.RECOVERY else then)


async def leave_for_provider(asked: Asked) -> Response:
    """Send the browser to the OpenID provider."""
    logins = logins_of(asked.parts)
    then = local(asked.request.query_params.get("next", ""))
    try:
        away = await oidc_login.depart(logins, then=then)
    except (UsageError, EvidenceError) as error:
        await turned_away(asked, "login", _told(error))
        return _login_page(logins, then=then, refusal=_told(error))
    return with_ticket(logins, RedirectResponse(away.url, status_code=303), away.ticket)


async def back_from_provider(asked: Asked) -> Response:
    """Take what the provider gave the browser."""
    logins, request = logins_of(asked.parts), asked.request
    ticket = request.cookies.get(_ticket_name(logins), "")
    roles = asked.parts.settings.identity.oidc.roles
    try:
        if len(request.url.query) > 8192 or len(request.query_params.multi_items()) != len(request.query_params):
            raise Refused(MALFORMED, "the provider's answer names something twice")
        found, then = await oidc_login.come_back(logins, roles, ticket, dict(request.query_params), source_of(request))
    except (Refused, UsageError, EvidenceError) as error:
        refusal = _told(error)
        await turned_away(asked, "login", refusal)
        response = _login_page(logins, then=HOME, refusal=refusal)
    else:
        if isinstance(found, str):
            await let_in(asked, "login.link", found, "oidc")
            response = page("login_words.html", site=logins.issuer, heading="Linked", refresh=True, link=ACCOUNT,
                            link_words="Go on", words="Your account here and at the provider are linked.")  # fmt: skip
        else:
            await let_in(asked, "login", found.person, found.how)
            # this request came from another site, so that a redirect would not carry the strict cookie; a page does
            link = then if found.state == "full" else f"/login/second?{urlencode({'next': then})}"
            response = page("login_words.html", site=logins.issuer, heading="Logged in", refresh=True, link=link,
                            link_words="Go on", words="You are logged in.")  # fmt: skip
            with_cookie(logins, response, found.secret)
    response.delete_cookie(_ticket_name(logins), path="/", secure=logins.https, httponly=True, samesite="lax")
    return response


async def show_logout(asked: Asked) -> Response:
    """Ask whether to log out: a link alone must not end a session."""
    logins, _ = logins_of(asked.parts), await session_asked(asked)
    return page("login_leave.html", site=logins.issuer, csrf=_csrf(asked, logins))


async def logout(asked: Asked) -> Response:
    """End the session, and say how to end the one at the provider."""
    logins, session = logins_of(asked.parts), await session_asked(asked)
    await logins.write(lambda connection: sessions.end(connection, session.person, session.id))
    await let_in(asked, "logout", session.person, "logout")
    link = "/login"
    if session.method.startswith("oidc") and logins.provider is not None:
        try:
            link = await logins.provider.farewell() or link
        except EvidenceError:
            link = "/login"  # the session here is over whether or not the provider answers
    words = "You are logged out here." + (" Your session at the provider goes on." if link != "/login" else "")
    response = page("login_words.html", site=logins.issuer, heading="Logged out", words=words, refresh=False, link=link,
                    link_words="Log out there too" if link != "/login" else "Log in")  # fmt: skip
    end_session(response, https=logins.https)
    return response


def local(path: str) -> str:
    """Return a path of this gateway that may be shown after a login, or the console's start for anything else."""
    return path if _LOCAL.fullmatch(path) else HOME


async def _came_in(asked: Asked, act: str, entered: Entered, then: str) -> Response:
    await let_in(asked, act, entered.person, entered.how)
    link = then if entered.state == "full" else f"/login/second?{urlencode({'next': then})}"
    return with_cookie(logins_of(asked.parts), RedirectResponse(link, status_code=303), entered.secret)


def _login_page(logins: Logins, *, then: str, name: str = "", refusal: Refusal | None = None) -> Response:
    return page(
        "login.html",
        status=refusal.status if refusal else 200,
        site=logins.issuer,
        error=refusal.say if refusal else "",
        next=then,
        name=name[:128],
        passkeys=logins.site is not None,
        provider=provider_title(logins),
    )


async def _second_page(
    asked: Asked, logins: Logins, session: Session, *, then: str, refusal: Refusal | None = None
) -> Response:
    mine = await logins.read(lambda connection: factors.factors_of(connection, session.person))
    return page(
        "login_second.html",
        status=refusal.status if refusal else 200,
        site=logins.issuer,
        error=refusal.say if refusal else "",
        next=then,
        csrf=_csrf(asked, logins),
        full=session.state == "full",
        recovered=session.recovered,
        codes=mine.totp or (session.state == "half" and mine.recovery_left > 0),
        passkeys=bool(mine.passkeys) and logins.site is not None,
    )


def provider_title(logins: Logins) -> str:
    """Return what people call the provider, or an empty string where there is none."""
    return urlsplit(logins.provider.issuer).netloc if logins.provider else ""


def _retry(response: Response, refusal: Refusal) -> Response:
    if refusal.retry_s:
        response.headers["Retry-After"] = str(refusal.retry_s)
    return response


def _told(error: Exception) -> Refusal:
    if isinstance(error, Refused):
        return error.refusal
    if isinstance(error, UsageError):
        return Refusal(409, "conflict", error.message)
    if isinstance(error, SignatureRefused):
        return entering.WRONG
    sys.stderr.write(error.diagnostics() + "\n" if isinstance(error, RedanError) else "")
    return replace(FAILED, say="the provider does not answer; log in otherwise, or try again")


def _csrf(asked: Asked, logins: Logins) -> str:
    return csrf_token(session_of(asked.request, https=logins.https))


def _ticket_name(logins: Logins) -> str:
    return "__Host-redan-oidc" if logins.https else "redan-oidc"


def with_ticket(logins: Logins, response: Response, ticket: str) -> Response:
    """Give the browser the cookie that it must bring back from the provider; it comes from another site, so ``lax``."""
    response.set_cookie(
        _ticket_name(logins),
        ticket,
        max_age=oidc_login.AWAY_S,
        path="/",
        secure=logins.https,
        httponly=True,
        samesite="lax",
    )
    return response
