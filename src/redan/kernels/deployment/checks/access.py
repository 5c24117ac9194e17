"""Who gets in: wrong credentials, tricks with paths and methods, and how often one may ask."""

from __future__ import annotations

import base64
import json

from redan.kernels.deployment.exchange import Answer, Request
from redan.kernels.deployment.outcome import Ask, Facts, Outcome, shown, unseen, untested

REPEATS = 40
_REFUSED = (401, 403)


def authentication(ask: Ask, facts: Facts) -> Outcome:
    """A protected endpoint must refuse wrong, empty and unsigned credentials however its path is written."""
    path = facts.predict or _protected(ask, facts)
    if not path:
        return untested("no endpoint that asks for a credential was found")
    bare = ask(Request(path=path, identified=False))
    if bare is None:
        return untested(f"{path} did not answer")
    if bare.status not in _REFUSED:
        if bare.status in (404, 405) or not facts.credential:
            return untested(f"{path} does not ask for a credential (status {bare.status})")
        return Outcome(
            state="confirmed",
            said=f"{path} answers without a credential",
            shown=(shown(Request(path=path), bare),),
        )
    # an endpoint that wants another method says so only to whom it let in
    inside = ask(Request(path=path)) if facts.credential else None
    tried = [*_wrong(path), *_disguised(path)]
    for request in tried:
        answer = ask(request)
        if answer is not None and _let_in(answer, inside):
            return Outcome(
                state="confirmed", said="a request without a valid credential got in", shown=(_masked(request, answer),)
            )
    return unseen(f"{len(tried)} wrong credentials and disguised paths were refused")


def _let_in(answer: Answer, inside: Answer | None) -> bool:
    if answer.ok:
        # a page for people that every unknown path gets is no way in
        return "text/html" not in answer.headers.get("content-type", "")
    told_inside = inside is not None and inside.status in (400, 405, 415, 422)
    return told_inside and inside is not None and answer.status == inside.status


def _protected(ask: Ask, facts: Facts) -> str:
    for found in facts.products:
        for path in found.product.control:
            answer = ask(Request(path=path, identified=False))
            if answer is not None and answer.status in _REFUSED:
                return path
    return ""


def _wrong(path: str) -> list[Request]:
    unsigned = f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part({'sub': 'admin', 'role': 'admin', 'exp': 4102444800})}."
    expired = f"{_part({'alg': 'HS256'})}.{_part({'sub': 'admin', 'exp': 1})}.c2lnbmF0dXJl"
    values = (
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {unsigned}",
        f"Bearer {expired}",
        "Basic YWRtaW46YWRtaW4=",
    )
    return [Request(path=path, headers=(("Authorization", value),), identified=False) for value in values]


def _disguised(path: str) -> list[Request]:
    head, _, tail = path.rpartition("/")
    paths = (
        f"//{path.lstrip('/')}",
        f"{head}//{tail}",
        f"{path}/",
        f"{path};x=1",
        f"{head}/%2e/{tail}",
        f"{head}/./{tail}",
        path.upper(),
        f"/x/..{path}",
        f"{path}%00",
        f"{path}%20",
    )
    tricks = [Request(path=each, identified=False) for each in paths]
    overrides = ("X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL")
    tricks += [
        Request(
            path="/" if "URL" in name else path, headers=((name, path if "URL" in name else "GET"),), identified=False
        )
        for name in overrides
    ]
    tricks += [
        Request(path=path, headers=((name, "127.0.0.1"),), identified=False)
        for name in ("X-Forwarded-For", "X-Real-IP")
    ]
    return tricks


def _part(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _masked(request: Request, answer: Answer) -> str:
    names = ", ".join(
        f"{name}: {value[:12]}…" if len(value) > 12 else f"{name}: {value}" for name, value in request.headers
    )
    return f"{shown(request, answer)}" + (f" [{names}]" if names else "")


def rate_limit(ask: Ask, facts: Facts) -> Outcome:
    """Somebody who asks without pause must be told to wait."""
    path = facts.predict or "/"
    answered = 0
    for _ in range(REPEATS):
        answer = ask(Request(path=path))
        if answer is None:
            continue
        answered += 1
        if answer.status == 429:
            return unseen(f"{path} answered 429 after {answered} requests")
    if answered < REPEATS:
        return untested(f"{path} answered {answered} of {REPEATS} requests")
    return Outcome(
        state="confirmed",
        said=f"{REPEATS} requests without pause were all answered, none with 429",
        shown=(f"GET {path} x {REPEATS} -> no 429",),
    )
