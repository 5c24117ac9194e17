"""The console's session cookie, and the token that each of its forms carries against cross-site requests."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"


def cookie_name(*, https: bool) -> str:
    """Return the cookie's name; browsers let the prefix through from this host over HTTPS alone (RFC 6265bis)."""
    return "__Host-redan" if https else "redan"


def session_of(request: Request, *, https: bool) -> str:
    """Return the session's secret that a browser sent, or an empty string."""
    return request.cookies.get(cookie_name(https=https), "")


def set_session(response: Response, secret: str, *, https: bool, most_s: int) -> None:
    """Give a browser a session."""
    response.set_cookie(
        cookie_name(https=https), secret, max_age=most_s, path="/", secure=https, httponly=True, samesite="strict"
    )


def end_session(response: Response, *, https: bool) -> None:
    """Take a browser's session away."""
    response.delete_cookie(cookie_name(https=https), path="/", secure=https, httponly=True, samesite="strict")


def csrf_token(secret: str) -> str:
    """Return what forms of this session carry: derived from its secret, which no other site knows."""
    return hmac.digest(secret.encode(), b"redan csrf", sha256).hex()


def csrf_fits(secret: str, given: str) -> bool:
    """Return whether a form's token is that of the session; compared in constant time."""
    return bool(secret) and hmac.compare_digest(csrf_token(secret).encode(), given.encode())
