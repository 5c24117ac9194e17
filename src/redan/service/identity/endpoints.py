"""Routes of identity: who there is, roles, keys, reviews; and tokens for keys."""

from __future__ import annotations

from redan.service.identity import handlers, handlers_keys, wire
from redan.service.web.endpoint import Endpoint, get, post

_PEOPLE: tuple[Endpoint, ...] = tuple(
    row
    for kind, path in (("person", "/v1/identity/users"), ("program", "/v1/identity/clients"))
    for row in (
        get(
            path,
            "identity.read",
            handlers.list_subjects("user:" if kind == "person" else "client:"),
            f"every {kind}, 500 at once: ?after=ID goes on",
            gives=list[wire.SubjectShown],
        ),
        post(
            path,
            "identity.write",
            handlers.add_subject("user:" if kind == "person" else "client:"),
            f"make a {kind}",
            takes=wire.NewSubject,
            gives=wire.SubjectShown,
        ),
    )
)

_SUBJECTS = (
    post(
        "/v1/identity/subjects/{id}/disable", "identity.write", handlers.disable, "accept nothing of somebody any more"
    ),
    post("/v1/identity/subjects/{id}/enable", "identity.write", handlers.enable, "accept somebody again"),
    post(
        "/v1/identity/subjects/{id}/sign-out", "identity.write", handlers.sign_out, "end somebody's sessions and tokens"
    ),
    get(
        "/v1/identity/roles",
        "identity.read",
        handlers.list_roles,
        "every role and what it allows",
        gives=list[wire.RoleShown],
    ),
    get(
        "/v1/identity/grants",
        "identity.read",
        handlers.list_grants,
        "who has which role: ?subject=ID",
        gives=list[wire.GrantShown],
    ),
    post(
        "/v1/identity/grants", "identity.write", handlers.give, "give a role", takes=wire.GrantAsked, gives=wire.Granted
    ),
    post("/v1/identity/grants/revoke", "identity.write", handlers.take, "take a role away", takes=wire.GrantAsked),
    get(
        "/v1/identity/review",
        "identity.read",
        handlers.show_review,
        "who has what, what of it is used, what is remarkable; the next subjects: ?after=ID",
        gives=list[wire.ReviewLine],
    ),
    post(
        "/v1/identity/review",
        "identity.write",
        handlers.decide,
        "keep a role in a hand, or take it away",
        takes=wire.DecisionMade,
    ),
)

_KEYS = (
    get(
        "/v1/identity/keys",
        "identity.read",
        handlers_keys.list_keys,
        "keys without their secrets: ?subject=ID",
        gives=list[wire.KeyShown],
    ),
    post(
        "/v1/identity/keys",
        "identity.write",
        handlers_keys.make,
        "make a key for a program; it is shown once",
        takes=wire.KeyAsked,
        gives=wire.KeyMade,
    ),
    post(
        "/v1/identity/keys/{id}/rotate",
        "identity.write",
        handlers_keys.rotate,
        "make a program's key anew; both are good for a while",
        takes=wire.RotationAsked,
        gives=wire.KeyMade,
    ),
    post("/v1/identity/keys/{id}/revoke", "identity.write", handlers_keys.revoke, "accept a key no more"),
    get(
        "/v1/identity/self", "identity.self", handlers_keys.myself, "who asks, and what they may do", gives=wire.Myself
    ),
    get("/v1/identity/self/keys", "identity.self", handlers_keys.list_own, "one's own keys", gives=list[wire.KeyShown]),
    post(
        "/v1/identity/self/keys",
        "identity.self",
        handlers_keys.make_own,
        "make a key for oneself, with a fresh second factor; it is shown once",
        takes=wire.OwnKeyAsked,
        gives=wire.KeyMade,
    ),
    post(
        "/v1/identity/self/keys/{id}/revoke",
        "identity.self",
        handlers_keys.revoke_own,
        "accept a key of one's own no more",
    ),
)

_TOKENS = (
    post(
        "/v1/tokens",
        None,
        handlers_keys.exchange,
        "a short-lived token for the API key that the request shows",
        takes=wire.TokenAsked,
        gives=wire.TokenGiven,
    ),
    post("/v1/tokens/revoke", None, handlers_keys.revoke_shown, "accept the token that the request shows no more"),
    get("/v1/tokens/keys", None, handlers_keys.key_set, "public keys that tokens are signed with", gives=wire.KeySet),
    post("/v1/identity/tokens/{jti}/revoke", "identity.write", handlers_keys.revoke_token, "accept a token no more"),
)

ENDPOINTS: tuple[Endpoint, ...] = _PEOPLE + _SUBJECTS + _KEYS + _TOKENS
