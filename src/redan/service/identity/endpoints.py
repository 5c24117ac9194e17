"""Routes of identity: who there is, roles, keys, reviews; and tokens for keys."""

from __future__ import annotations

from redan.service.identity import handlers, handlers_keys, wire
from redan.service.web.endpoint import Endpoint

_PEOPLE: tuple[Endpoint, ...] = tuple(
    row
    for kind, path in (("person", "/v1/identity/users"), ("program", "/v1/identity/clients"))
    for row in (
        Endpoint(
            method="GET",
            path=path,
            action="identity.read",
            handler=handlers.list_subjects("user:" if kind == "person" else "client:"),
            summary=f"every {kind}, 500 at once: ?after=ID goes on",
            gives=list[wire.SubjectShown],
        ),
        Endpoint(
            method="POST",
            path=path,
            action="identity.write",
            handler=handlers.add_subject("user:" if kind == "person" else "client:"),
            summary=f"make a {kind}",
            takes=wire.NewSubject,
            gives=wire.SubjectShown,
        ),
    )
)

_SUBJECTS = (
    Endpoint(
        method="POST",
        path="/v1/identity/subjects/{id}/disable",
        action="identity.write",
        handler=handlers.disable,
        summary="accept nothing of somebody any more",
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/subjects/{id}/enable",
        action="identity.write",
        handler=handlers.enable,
        summary="accept somebody again",
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/subjects/{id}/sign-out",
        action="identity.write",
        handler=handlers.sign_out,
        summary="end somebody's sessions and tokens",
    ),
    Endpoint(
        method="GET",
        path="/v1/identity/roles",
        action="identity.read",
        handler=handlers.list_roles,
        summary="every role and what it allows",
        gives=list[wire.RoleShown],
    ),
    Endpoint(
        method="GET",
        path="/v1/identity/grants",
        action="identity.read",
        handler=handlers.list_grants,
        summary="who has which role: ?subject=ID",
        gives=list[wire.GrantShown],
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/grants",
        action="identity.write",
        handler=handlers.give,
        summary="give a role",
        takes=wire.GrantAsked,
        gives=wire.Granted,
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/grants/revoke",
        action="identity.write",
        handler=handlers.take,
        summary="take a role away",
        takes=wire.GrantAsked,
    ),
    Endpoint(
        method="GET",
        path="/v1/identity/review",
        action="identity.read",
        handler=handlers.show_review,
        summary="who has what, what of it is used, what is remarkable; the next subjects: ?after=ID",
        gives=list[wire.ReviewLine],
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/review",
        action="identity.write",
        handler=handlers.decide,
        summary="keep a role in a hand, or take it away",
        takes=wire.DecisionMade,
    ),
)

_KEYS = (
    Endpoint(
        method="GET",
        path="/v1/identity/keys",
        action="identity.read",
        handler=handlers_keys.list_keys,
        summary="keys without their secrets: ?subject=ID",
        gives=list[wire.KeyShown],
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/keys",
        action="identity.write",
        handler=handlers_keys.make,
        summary="make a key for a program; it is shown once",
        takes=wire.KeyAsked,
        gives=wire.KeyMade,
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/keys/{id}/rotate",
        action="identity.write",
        handler=handlers_keys.rotate,
        summary="make a program's key anew; both are good for a while",
        takes=wire.RotationAsked,
        gives=wire.KeyMade,
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/keys/{id}/revoke",
        action="identity.write",
        handler=handlers_keys.revoke,
        summary="accept a key no more",
    ),
    Endpoint(
        method="GET",
        path="/v1/identity/self",
        action="identity.self",
        handler=handlers_keys.myself,
        summary="who asks, and what they may do",
        gives=wire.Myself,
    ),
    Endpoint(
        method="GET",
        path="/v1/identity/self/keys",
        action="identity.self",
        handler=handlers_keys.list_own,
        summary="one's own keys",
        gives=list[wire.KeyShown],
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/self/keys",
        action="identity.self",
        handler=handlers_keys.make_own,
        summary="make a key for oneself, with a fresh second factor; it is shown once",
        takes=wire.OwnKeyAsked,
        gives=wire.KeyMade,
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/self/keys/{id}/revoke",
        action="identity.self",
        handler=handlers_keys.revoke_own,
        summary="accept a key of one's own no more",
    ),
)

_TOKENS = (
    Endpoint(
        method="POST",
        path="/v1/tokens",
        action=None,
        handler=handlers_keys.exchange,
        summary="a short-lived token for the API key that the request shows",
        takes=wire.TokenAsked,
        gives=wire.TokenGiven,
    ),
    Endpoint(
        method="POST",
        path="/v1/tokens/revoke",
        action=None,
        handler=handlers_keys.revoke_shown,
        summary="accept the token that the request shows no more",
    ),
    Endpoint(
        method="GET",
        path="/v1/tokens/keys",
        action=None,
        handler=handlers_keys.key_set,
        summary="public keys that tokens are signed with",
        gives=wire.KeySet,
    ),
    Endpoint(
        method="POST",
        path="/v1/identity/tokens/{jti}/revoke",
        action="identity.write",
        handler=handlers_keys.revoke_token,
        summary="accept a token no more",
    ),
)

ENDPOINTS: tuple[Endpoint, ...] = _PEOPLE + _SUBJECTS + _KEYS + _TOKENS
