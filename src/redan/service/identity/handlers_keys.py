"""Handlers: keys of programs, one's own keys, and tokens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.responses import Response

from redan.core.errors import UnknownName
from redan.core.settings import age_s
from redan.service.gateway.refusal import FORBIDDEN, STEP_UP
from redan.service.identity import directory, keys, scopes, token_keys, void, wire
from redan.service.identity.answering import authority_of, who
from redan.service.identity.freshness import fresh
from redan.service.web.answers import done, json, read, write
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.identity.keys import ApiKey
    from redan.service.identity.scopes import Grants
    from redan.service.web.endpoint import Asked

_LONGEST_JTI = 64


async def list_keys(asked: Asked) -> Response:
    """List keys without their secrets."""
    subject = asked.request.query_params.get("subject")
    found = await read(asked, lambda connection: keys.listed(connection, subject))
    return json([wire.key_shown(key) for key in found])


async def make(asked: Asked) -> Response:
    """Make a key for a program; people make their own, so that nobody acts in another's name."""
    subject = asked.body.subject
    if directory.kind_of(subject) == "person":
        raise Refused(FORBIDDEN, "people make their own keys: POST /v1/identity/self/keys")
    return await _make(asked, subject)


async def make_own(asked: Asked) -> Response:
    """Make a key for oneself; a stolen session must not become a key that outlives it."""
    _require_fresh(asked)
    return await _make(asked, who(asked).id)


async def _make(asked: Asked, subject: str) -> Response:
    body, by = asked.body, who(asked).id
    scope = _scope(body.scope)
    asked.note.update(did="key made", subject=subject[:200], scope=(body.scope or "")[:1000])
    made, text = await write(
        asked,
        lambda connection: keys.make(connection, subject, by=by, ttl_s=body.ttl_s, scope=scope, title=body.title),
    )
    asked.note["key"] = made.id
    return json(wire.KeyMade(key=wire.key_shown(made), secret=text), 201)


async def rotate(asked: Asked) -> Response:
    """Make a program's key anew."""
    id, overlap_s, by = _id(asked, "key rotated"), asked.body.overlap_s, who(asked).id
    key = await read(asked, lambda connection: keys.get_key(connection, id))
    if directory.kind_of(key.subject) == "person":
        raise Refused(FORBIDDEN, "people make their own keys: POST /v1/identity/self/keys")
    made, text = await write(asked, lambda connection: keys.rotate(connection, id, by=by, overlap_s=overlap_s))
    asked.note["new"] = made.id
    return json(wire.KeyMade(key=wire.key_shown(made), secret=text), 201)


async def revoke(asked: Asked) -> Response:
    """Accept a key no more."""
    id = _id(asked, "key revoked")
    await write(asked, lambda connection: keys.revoke(connection, id))
    return done()


async def myself(asked: Asked) -> Response:
    """Say who asks."""
    principal = who(asked)
    return json(
        wire.Myself(
            id=principal.id,
            kind=principal.kind,
            roles=sorted(principal.roles),
            scope=scopes.shown(principal.grants),
            credential=principal.credential,
            expires_s=principal.expires_s,
            mfa_s=principal.mfa_s,
        )
    )


async def list_own(asked: Asked) -> Response:
    """List one's own keys."""
    id = who(asked).id
    found = await read(asked, lambda connection: keys.listed(connection, id))
    return json([wire.key_shown(key) for key in found])


async def revoke_own(asked: Asked) -> Response:
    """Accept a key of one's own no more; others' look as if there were none."""
    id, own = _id(asked, "key revoked"), who(asked).id
    key = await read(asked, lambda connection: _found(keys.listed(connection, own), id))
    await write(asked, lambda connection: keys.revoke(connection, key.id))
    return done()


async def exchange(asked: Asked) -> Response:
    """Give a token for the API key that the request shows; a token is given for no token, so that each one ends."""
    principal = who(asked)
    kind, _, id = principal.credential.partition(":")
    if kind != "key":
        raise Refused(FORBIDDEN, "a token is given for an API key alone")
    scope = _scope(asked.body.scope)
    text, claims = authority_of(asked).token(
        principal.id, scope=None if scope is None else scopes.shown(scope), key=id, ttl_s=max(0, asked.body.ttl_s)
    )
    asked.note.update(did="token given", token=claims.jti)
    return json(
        wire.TokenGiven(
            access_token=text,
            expires_in=claims.exp - claims.iat,
            jti=claims.jti,
            scope=scopes.shown(principal.grants)
            if scope is None
            else scopes.shown(scopes.narrowed(principal.grants, scope)),
        )
    )


async def revoke_shown(asked: Asked) -> Response:
    """Accept the token that the request shows no more."""
    kind, _, jti = who(asked).credential.partition(":")
    if kind != "token":
        raise Refused(FORBIDDEN, "show the token that is to end")
    asked.note.update(did="token revoked", token=jti)
    await write(asked, lambda connection: void.revoke(connection, jti))
    return done()


async def revoke_token(asked: Asked) -> Response:
    """Accept a token no more."""
    jti = str(asked.request.path_params["jti"])
    if len(jti) > _LONGEST_JTI:
        raise UnknownName("no token has so long an identifier")
    asked.note.update(did="token revoked", token=jti)
    await write(asked, lambda connection: void.revoke(connection, jti))
    return done()


async def key_set(asked: Asked) -> Response:
    """Give the public keys that tokens are signed with."""
    return json(token_keys.jwks(authority_of(asked).recognition.ring.public))


def _scope(text: str | None) -> Grants | None:
    return None if text is None else scopes.parsed(text)


def _id(asked: Asked, did: str) -> str:
    id = str(asked.request.path_params["id"])[:64]
    asked.note.update(did=did, key=id)
    return id


def _found(own: list[ApiKey], id: str) -> ApiKey:
    for key in own:
        if key.id == id:
            return key
    raise UnknownName("you have no such key")


def _require_fresh(asked: Asked) -> None:
    principal, within_s = who(asked), float(age_s(asked.parts.settings.identity.step_up) or 0)
    if not fresh(principal.credential, principal.mfa_s, within_s=within_s, now_s=time.time()):
        raise Refused(STEP_UP)
