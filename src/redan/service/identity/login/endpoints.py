"""The rows of login in the table of routes.

Rows without an action are for whoever is not logged in yet: they record for themselves who came in and who did not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from redan.service.identity.login import account_pages, api, bodies, pages
from redan.service.identity.login.passkeys import Challenge
from redan.service.web.endpoint import Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

    from redan.service.web.endpoint import Asked

_Handler = Callable[["Asked"], Awaitable["Response"]]
_SELF = "identity.self"


def _open(
    method: Literal["GET", "POST"], path: str, handler: _Handler, summary: str, *, csrf: bool = True, **more: Any
) -> Endpoint:
    return Endpoint(
        method=method, path=path, action=None, handler=handler, summary=summary, csrf=csrf, audited=False, **more
    )


def _own(method: Literal["GET", "POST"], path: str, handler: _Handler, summary: str, **more: Any) -> Endpoint:
    return Endpoint(method=method, path=path, action=_SELF, handler=handler, summary=summary, **more)


ENDPOINTS: tuple[Endpoint, ...] = (
    _open("GET", "/login", pages.show_login, "the login page", kind="page"),
    # a browser may still send the cookie of a session that ended, whose token no form can know
    _open("POST", "/login", pages.login, "log in by form", kind="page", csrf=False),
    _open("GET", "/login/second", pages.show_second, "the page for the second factor", kind="page"),
    _open("POST", "/login/second", pages.second, "show the second factor by form", kind="page"),
    _open("GET", "/login/oidc", pages.leave_for_provider, "go to the OpenID provider", kind="page"),
    _open("GET", "/login/oidc/back", pages.back_from_provider, "come back from the OpenID provider", kind="page"),
    _open("GET", "/login/style.css", pages.style, "style of the login pages", kind="page"),
    _open("GET", "/login/passkey.js", pages.script, "script of the login pages", kind="page"),
    _open("GET", "/logout", pages.show_logout, "ask whether to log out", kind="page"),
    _open("POST", "/logout", pages.logout, "log out by form", kind="page"),
    _own("GET", "/account", account_pages.show, "one's own account", kind="page"),
    _own("POST", "/account/totp", account_pages.offer_totp, "offer a secret for an app", kind="page"),
    _own("POST", "/account/totp/confirm", account_pages.enrol_totp, "enrol an app", kind="page"),
    _own("POST", "/account/recovery", account_pages.recovery_codes, "make recovery codes", kind="page"),
    _own("POST", "/account/remove", account_pages.remove, "remove a factor", kind="page"),
    _own("POST", "/account/sessions", account_pages.end_sessions, "end sessions", kind="page"),
    _own("POST", "/account/password", account_pages.change_password, "change the password", kind="page"),
    _own("POST", "/account/link", account_pages.link, "link the provider's account", kind="page"),
    _open(
        "POST",
        "/v1/login",
        api.login,
        "log in with name and password",
        csrf=False,
        takes=bodies.NameAndPassword,
        gives=bodies.LoggedIn,
    ),
    _open(
        "POST",
        "/v1/login/second",
        api.second,
        "show the second factor",
        takes=bodies.Shown,
        gives=bodies.LoggedIn,
    ),
    _open("POST", "/v1/login/second/ask", api.ask_second, "ask for a passkey as second factor", gives=Challenge),
    _open("POST", "/v1/login/passkey/ask", api.ask_passkey, "ask for a passkey", csrf=False, gives=Challenge),
    _open(
        "POST",
        "/v1/login/passkey",
        api.passkey,
        "log in with a passkey",
        csrf=False,
        takes=bodies.Shown,
        gives=bodies.LoggedIn,
    ),
    _own(
        "POST",
        "/v1/login/step-up",
        api.step_up,
        "show a second factor again",
        takes=bodies.Shown,
        gives=bodies.LoggedIn,
    ),
    _own(
        "POST",
        "/v1/login/confirmations",
        api.confirm,
        "confirm one dangerous act",
        takes=bodies.Confirm,
        gives=bodies.Confirmed,
    ),
    _own("POST", "/v1/login/logout", api.logout, "log out", gives=bodies.Done),
    _own("GET", "/v1/login/account", api.show_account, "one's own factors and sessions", gives=bodies.Account),
    _own("POST", "/v1/login/totp", api.offer_totp, "offer a secret for an app", gives=bodies.TotpOffer),
    _own(
        "POST",
        "/v1/login/totp/confirm",
        api.enrol_totp,
        "enrol an app",
        takes=bodies.Ticketed,
        gives=bodies.Codes,
    ),
    _own("POST", "/v1/login/recovery", api.recovery_codes, "make recovery codes", gives=bodies.Codes),
    _own("POST", "/v1/login/passkeys/ask", api.ask_new_passkey, "ask for a new passkey", gives=Challenge),
    _own(
        "POST",
        "/v1/login/passkeys",
        api.add_passkey,
        "register a passkey",
        takes=bodies.NewPasskey,
        gives=bodies.Codes,
    ),
    _own("POST", "/v1/login/remove", api.remove, "remove a factor", takes=bodies.Removed, gives=bodies.Done),
    _own("POST", "/v1/login/sessions/end", api.end_sessions, "end sessions", takes=bodies.Ended, gives=bodies.Done),
    _own(
        "POST",
        "/v1/login/password",
        api.change_password,
        "change the password",
        takes=bodies.Passwords,
        gives=bodies.Done,
    ),
)
