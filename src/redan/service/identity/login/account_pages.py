"""One's own account in a browser: factors, password, sessions, keys."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from redan.core.errors import UsageError
from redan.service.console.login_pages import page
from redan.service.console.rendering import frame
from redan.service.gateway.refusal import STEP_UP
from redan.service.identity import keys
from redan.service.identity.login import account, factors, oidc_login
from redan.service.identity.login.api import account_of, own, with_cookie
from redan.service.identity.login.entering import has_second
from redan.service.identity.login.pages import ACCOUNT, provider_title, with_ticket
from redan.service.identity.login.passwords import SHORTEST
from redan.service.identity.login.recording import source_of
from redan.service.web.errors import Refused
from redan.service.web.forms import form
from redan.service.web.session_cookie import csrf_token, session_of

if TYPE_CHECKING:
    from redan.service.identity.login.account import Enrolled
    from redan.service.identity.login.desk import Logins
    from redan.service.identity.login.sessions import Session
    from redan.service.web.endpoint import Asked

Answer = TypeVar("Answer")


class _Elsewhere(Exception):
    """Ends a handler with a page that stands in its way."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


async def show(asked: Asked) -> Response:
    """Show the account."""
    logins, session = await own(asked)
    return await _page(asked, logins, session)


async def offer_totp(asked: Asked) -> Response:
    """Show a secret as a QR code."""
    logins, session = await own(asked)
    try:
        offer = await _tried(asked, logins, session, account.offer_totp(logins, session))
    except _Elsewhere as instead:
        return instead.response
    return page(
        "login_totp.html",
        **_frame(asked),
        csrf=_csrf(asked, logins),
        svg=offer.svg(),
        secret=offer.secret,
        ticket=offer.ticket,
    )


async def enrol_totp(asked: Asked) -> Response:
    """Enrol the app whose code was typed."""
    logins, session = await own(asked)
    fields = await form(asked.request)
    work = account.enrol_totp(logins, session, fields.get("ticket", ""), fields.get("code", ""))
    try:
        made = await _tried(asked, logins, session, work)
    except _Elsewhere as instead:
        return instead.response
    asked.note["did"] = "totp enrolled"
    return _enrolled(asked, logins, made)


async def recovery_codes(asked: Asked) -> Response:
    """Make new recovery codes."""
    logins, session = await own(asked)
    try:
        codes = await _tried(asked, logins, session, account.new_recovery_codes(logins, session))
    except _Elsewhere as instead:
        return instead.response
    asked.note["did"] = "recovery codes made"
    return page("login_codes.html", **_frame(asked), codes=codes)


async def remove(asked: Asked) -> Response:
    """Remove a factor."""
    logins, session = await own(asked)
    fields = await form(asked.request)
    kind = fields.get("kind", "")
    if kind not in ("totp", "passkey", "link"):
        return RedirectResponse(ACCOUNT, status_code=303)
    work = account.remove(logins, session, kind, fields.get("id", ""))  # type: ignore[arg-type]  # one of the three
    try:
        done = await _tried(asked, logins, session, work)
    except _Elsewhere as instead:
        return instead.response
    asked.note["did"] = f"{kind} removed" if done else "nothing to remove"
    return RedirectResponse(ACCOUNT, status_code=303)


async def end_sessions(asked: Asked) -> Response:
    """End one or all other sessions."""
    logins, session = await own(asked)
    done = await account.end_sessions(logins, session, (await form(asked.request)).get("id", ""))
    asked.note["did"] = f"{done} sessions ended"
    return RedirectResponse(ACCOUNT, status_code=303)


async def change_password(asked: Asked) -> Response:
    """Change the password."""
    logins, session = await own(asked)
    fields = await form(asked.request)
    old, new = fields.get("old", ""), fields.get("new", "")
    try:
        await _tried(
            asked, logins, session, account.change_password(logins, session, old, new, source_of(asked.request))
        )
    except _Elsewhere as instead:
        return instead.response
    asked.note["did"] = "password changed"
    return await _page(asked, logins, session, said="Your password was changed; every other session ended.")


async def link(asked: Asked) -> Response:
    """Show the way to the provider, whose account is linked to this one on the way back."""
    logins, session = await own(asked)

    async def go() -> oidc_login.Away:
        """Send the browser to the provider, if the session is fresh."""
        await logins.read(lambda connection: factors.check_fresh(connection, session, logins.step_up_s))
        return await oidc_login.depart(logins, then=ACCOUNT, link_session=session.id)

    try:
        away = await _tried(asked, logins, session, go())
    except _Elsewhere as instead:
        return instead.response
    # a form may not lead to another site (form-action), so that the last step is a link
    response = page(
        "login_words.html",
        **_frame(asked),
        heading="Link your account",
        words="Log in at the provider with the account that is to be yours here too.",
        refresh=False,
        link=away.url,
        link_words=f"Go to {provider_title(logins)}",
    )
    return with_ticket(logins, response, away.ticket)


async def _tried(asked: Asked, logins: Logins, session: Session, work: Awaitable[Answer]) -> Answer:
    """Wait for something that may be refused; what a person can mend is told on the page itself."""
    try:
        return await work
    except Refused as error:
        asked.note["refused"] = error.refusal.why
        if error.refusal.why == STEP_UP.why:
            raise _Elsewhere(await _prove_first(logins, session)) from error
        words, status = error.refusal.say, error.refusal.status
    except UsageError as error:
        asked.note["refused"] = error.message
        words, status = ". ".join(filter(None, (error.message, error.hint))), 409
    raise _Elsewhere(await _page(asked, logins, session, error=words, status=status))


async def _prove_first(logins: Logins, session: Session) -> Response:
    second = await logins.read(lambda connection: has_second(connection, session.person))
    where = "/login/second" if second and not session.recovered else "/login"
    return RedirectResponse(f"{where}?{urlencode({'next': ACCOUNT})}", status_code=303)


async def _page(
    asked: Asked, logins: Logins, session: Session, *, error: str = "", said: str = "", status: int = 200
) -> Response:
    mine = await logins.read(lambda connection: keys.listed(connection, session.person))
    return page(
        "login_account.html",
        status=status,
        **_frame(asked),
        csrf=_csrf(asked, logins),
        account=await account_of(logins, session),
        keys=[key for key in mine if key.revoked_us is None],
        provider=provider_title(logins),
        site_known=logins.site is not None,
        shortest=SHORTEST,
        error=error,
        said=said,
        recovered=session.recovered,
    )


def _enrolled(asked: Asked, logins: Logins, made: Enrolled) -> Response:
    response: Response = (
        page("login_codes.html", **_frame(asked), codes=made.codes)
        if made.codes
        else RedirectResponse(ACCOUNT, status_code=303)
    )
    return with_cookie(logins, response, made.secret)


def _frame(asked: Asked) -> dict[str, Any]:
    return frame(asked.request, asked.parts, asked.principal)


def _csrf(asked: Asked, logins: Logins) -> str:
    return csrf_token(session_of(asked.request, https=logins.https))
