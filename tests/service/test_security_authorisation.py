"""Every route by everybody: who may is worked out here from the roles alone, and every denial stands in the log once.

A new route needs its line in `ROUTES`: that somebody thought about who may use it is what this file proves.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from tests.fortress import MINE, OTHER, ROLES, Fortress, address, request, tensor
from tests.plane import Client
from tests.served import rows

from redan.service.audit.act import Act
from redan.service.gateway.refusal import FORBIDDEN
from redan.service.routes import routes
from redan.service.web.app import web_app
from redan.service.web.endpoint import Endpoint

MAY = {
    "client": "predict explain feedback",
    "monitor": "metrics.read",
    "viewer": "models.read metrics.read monitors.read reports.read identity.self",
    "operator": "models.read models.reload models.promote models.rollback models.quarantine metrics.read monitors.read"
    " reports.read incidents.read registry.read config.read identity.self",
    "responder": "models.read models.quarantine metrics.read monitors.read reports.read audit.read incidents.read"
    " incidents.act incidents.contain clients.throttle identity.self",
    "auditor": "models.read metrics.read monitors.read reports.read audit.read audit.export identity.read"
    " incidents.read registry.read config.read identity.self",
    "registrar": "models.read reports.read registry.read registry.push registry.promote identity.self",
    "administrator": "identity.read identity.write identity.self config.read metrics.read",
}
DANGEROUS = {
    "models.promote", "models.rollback", "models.quarantine", "audit.export", "identity.write", "incidents.contain",
    "clients.throttle", "registry.promote",
}  # fmt: skip
NOBODYS = """
GET /
GET /metrics
GET /health/live
GET /health/ready
GET /openapi.json
GET /console/style.css
GET /console/script.js
GET /login
POST /login
GET /login/second
POST /login/second
GET /login/oidc
GET /login/oidc/back
GET /login/style.css
GET /login/passkey.js
GET /logout
POST /logout
POST /v1/login
POST /v1/login/second
POST /v1/login/second/ask
POST /v1/login/passkey/ask
POST /v1/login/passkey
POST /v1/tokens
POST /v1/tokens/revoke
GET /v1/tokens/keys
"""
"""Anybody may ask these: their handlers look at who it is themselves, or there is nothing to hide."""
ROUTES = {
    "models.read": """
GET /console/models/{name}
GET /console/models/{name}/versions/{version}
GET /v1/models
GET /v1/models/{name}
GET /v1/models/{name}/versions/{version}/statements
GET /v1/models/{name}/comparison""",
    "models.promote": """
POST /v1/models/{name}/promote
POST /console/models/{name}/promote""",
    "models.rollback": """
POST /v1/models/{name}/rollback
POST /console/models/{name}/rollback""",
    "models.quarantine": """
POST /v1/models/{name}/quarantine
POST /console/models/{name}/quarantine""",
    "models.reload": """
POST /v1/models/reload
POST /console/reload""",
    "explain": "POST /v1/models/{name}/explain",
    "feedback": "POST /v1/models/{name}/feedback",
    "identity.read": """
GET /console/access
GET /v1/identity/users
GET /v1/identity/clients
GET /v1/identity/roles
GET /v1/identity/grants
GET /v1/identity/review
GET /v1/identity/keys""",
    "identity.write": """
POST /console/access/decide
POST /v1/identity/users
POST /v1/identity/clients
POST /v1/identity/subjects/{id}/disable
POST /v1/identity/subjects/{id}/enable
POST /v1/identity/subjects/{id}/sign-out
POST /v1/identity/grants
POST /v1/identity/grants/revoke
POST /v1/identity/review
POST /v1/identity/keys
POST /v1/identity/keys/{id}/rotate
POST /v1/identity/keys/{id}/revoke
POST /v1/identity/tokens/{jti}/revoke""",
    "identity.self": """
GET /console
GET /v1/identity/self
GET /v1/identity/self/keys
POST /v1/identity/self/keys
POST /v1/identity/self/keys/{id}/revoke
GET /account
POST /account/totp
POST /account/totp/confirm
POST /account/recovery
POST /account/remove
POST /account/sessions
POST /account/password
POST /account/link
POST /v1/login/step-up
POST /v1/login/confirmations
POST /v1/login/logout
GET /v1/login/account
POST /v1/login/totp
POST /v1/login/totp/confirm
POST /v1/login/recovery
POST /v1/login/passkeys/ask
POST /v1/login/passkeys
POST /v1/login/remove
POST /v1/login/sessions/end
POST /v1/login/password""",
    "audit.read": """
GET /console/audit
GET /console/audit/{replica}/{index}
GET /console/audit/{replica}/{index}/proof
GET /console/audit/{replica}/{index}/entry
GET /v1/audit
GET /v1/audit/{replica}/{index}""",
    "audit.export": """
POST /v1/audit/export
POST /console/audit/export""",
    "incidents.read": """
GET /console/incidents
GET /console/incidents/{number}
GET /console/incidents/{number}/postmortem
GET /console/incidents/{number}/notification
GET /console/clients
GET /v1/incidents
GET /v1/incidents/{number}
GET /v1/incidents/{number}/postmortem
GET /v1/incidents/{number}/notification
GET /v1/playbooks
GET /v1/clients/throttled""",
    "incidents.act": """
POST /console/incidents/open
POST /console/incidents/{number}/notes
POST /console/incidents/{number}/breach
POST /console/incidents/{number}/steps
POST /console/incidents/{number}/close
POST /v1/incidents
POST /v1/incidents/{number}/notes
POST /v1/incidents/{number}/breach
POST /v1/incidents/{number}/steps
POST /v1/incidents/{number}/close""",
    "incidents.contain": """
POST /console/incidents/{number}/contain
POST /console/incidents/{number}/contained
POST /console/incidents/{number}/approve
POST /console/incidents/{number}/release
POST /v1/incidents/{number}/contain
POST /v1/incidents/{number}/contained
POST /v1/incidents/{number}/approve
POST /v1/incidents/{number}/release""",
    "monitors.read": """
GET /console/live
GET /console/live/events""",
    "reports.read": """
GET /console/reports
GET /console/reports/{where}/{id}""",
    "clients.throttle": """
POST /console/clients/slow
POST /console/clients/release
POST /v1/clients/{client}/throttle
POST /v1/clients/{client}/release""",
    "registry.read": """
GET /console/registry
GET /console/registry/{name}
GET /v1/registry
GET /v1/registry/{name}""",
    "registry.promote": """
POST /console/registry/{name}/versions/{version}/promote
POST /console/registry/{name}/versions/{version}/canary
POST /console/registry/{name}/rollback
POST /v1/registry/{name}/versions/{version}/canary
POST /v1/registry/{name}/versions/{version}/promote
POST /v1/registry/{name}/rollback""",
}
TABLE: tuple[Endpoint, ...] = routes(cast("Any", None))
GUARDED: dict[str, str] = {line: action for action, lines in ROUTES.items() for line in lines.strip().splitlines()}
ENDLESS = "/console/live/events"
"""Goes on for ever once somebody may see it."""
NOBODY = ("anonymous", "disabled", "expired", "revoked")
VALUES = {"name": MINE, "version": "1", "id": "client:absent", "jti": "absent", "replica": "r1", "index": "0"}


def written(row: Endpoint) -> str:
    return f"{row.method} {row.path}"


def path_of(row: Endpoint, model: str = MINE) -> str:
    return re.sub(r"{(\w+)}", lambda found: {**VALUES, "name": model}.get(found[1], "999999"), row.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, and whose."""

    who: str
    line: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def verdict(self) -> str:
        """``login``, ``forbidden``, ``step-up``, or ``passed`` the door: whatever the handler said then."""
        if self.status == 303 and self.headers["location"].startswith("/login/second?"):
            return "step-up"
        if self.status == 401 or (self.status == 303 and self.headers["location"].startswith("/login?")):
            return "login"
        if self.status != 403:
            return "passed"
        if self.headers["content-type"].startswith("text/html"):
            return "forbidden" if html.escape(FORBIDDEN.say).encode() in self.body else "passed"
        told = json.loads(self.body)
        if told["error"] == "forbidden":
            # a handler that forbids says more than the door
            return "forbidden" if told["message"] == FORBIDDEN.say else "passed"
        return str(told["error"])


async def ask(client: Client, who: str, method: str, path: str, token: str, **more: str) -> Answer:
    """Send one request on a connection that stays open."""
    await client.send(request(path, b"" if method in {"GET", "HEAD"} else b"[]", method=method, token=token, **more))
    head = (await client.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    status = int(head[0].split()[1])
    length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
    body = await client.reader.readexactly(length)
    return Answer(who=who, line=f"{method} {path}", status=status, headers=headers, body=body)


async def everybody_asks(gateway: Fortress, asked: list[tuple[str, str, str]], who: dict[str, str]) -> list[Answer]:
    """Let everybody send every request (method, path, why it is sent), each on one connection."""

    async def all_of(name: str, token: str) -> list[Answer]:
        client = await gateway.connect(address())
        found = [await ask(client, name, method, path, token) for method, path, _ in asked]
        await client.close()
        return found

    many = await asyncio.gather(*(all_of(name, token) for name, token in who.items()))
    for answer in (found := [one for some in many for one in some]):
        gateway.judge(answer.status, answer.headers, answer.body, (answer.who, answer.line))
    return found


def expected(row: Endpoint, who: str, *, fresh: bool = False) -> str:
    """Work out the verdict from the roles."""
    action = GUARDED[written(row)]
    if who in NOBODY:
        return "login"
    if who in {"narrow", "keyed"}:
        allowed = action in ({"predict"} if who == "keyed" else {"predict", "explain", "feedback"})
    else:
        allowed = who != "nobody" and action in MAY[who].split()
    if not allowed:
        return "forbidden"
    return "step-up" if action in DANGEROUS and not fresh else "passed"


def fits(row: Endpoint, answer: Answer) -> bool:
    """Return whether a verdict is the expected one; one's own account is a session's alone, whatever a token may."""
    wanted = expected(row, answer.who)
    if wanted == "passed" and row.path.startswith(("/account", "/v1/login/")):
        return answer.verdict in {"passed", "login"}
    return answer.verdict == wanted


def denials(acts: list[Act]) -> Counter[tuple[str, int]]:
    """Count what was refused at the routes of the table, by line and status."""
    return Counter(
        (str(act.more["path"]), act.status) for act in acts if not act.ok and act.more and "path" in act.more
    )


def test_every_route_has_somebody_who_may_use_it_written_down_here_or_is_public_on_purpose() -> None:
    table = {written(row): row.action for row in TABLE}
    public = {line for line, action in table.items() if action is None}
    assert public == set(NOBODYS.split("\n")) - {""}, "a route that needs no permission: on purpose? then name it here"
    assert {line: action for line, action in table.items() if action is not None} == GUARDED


def test_every_route_tells_everybody_what_their_roles_say_and_each_denial_is_recorded_once(gateway: Fortress) -> None:
    who = {"anonymous": ""} | {
        name: gateway.tokens[name] for name in (*ROLES, "nobody", "narrow", "keyed", "disabled", "expired", "revoked")
    }
    guarded = [row for row in TABLE if row.action is not None and row.path != ENDLESS]
    lines = [(row.method, path_of(row), "") for row in guarded]
    began = gateway.recorded()
    answers = asyncio.run(everybody_asks(gateway, lines, who))
    wrong = []
    for number, answer in enumerate(answers):
        row = guarded[number % len(guarded)]
        if not fits(row, answer):
            wrong.append((answer.who, answer.line, answer.status, answer.verdict, expected(row, answer.who)))
    assert not wrong
    refused = Counter(
        (answer.line, 401 if answer.verdict == "login" else 403 if answer.verdict == "step-up" else answer.status)
        for answer in answers
        if answer.status >= 300
    )
    assert denials(gateway.acts(began)) == refused


def test_a_fresh_second_factor_opens_what_the_role_allows_and_nothing_else(gateway: Fortress) -> None:
    import time

    who = {role: f"Bearer {gateway.token(f'client:{role}', mfa=int(time.time()))}" for role in ROLES}
    old = {role: f"Bearer {gateway.token(f'client:{role}', mfa=int(time.time()) - 301)}" for role in ROLES}
    rows_ = [row for row in TABLE if row.action in DANGEROUS and "rollback" not in row.path]
    lines = [(row.method, path_of(row), "") for row in rows_]
    answers = asyncio.run(everybody_asks(gateway, lines, who))
    for number, answer in enumerate(answers):
        row = rows_[number % len(rows_)]
        assert answer.verdict == expected(row, answer.who, fresh=True), (answer.who, answer.line, answer.body)
    for number, answer in enumerate(asyncio.run(everybody_asks(gateway, lines, old))):
        assert answer.verdict == expected(rows_[number % len(rows_)], answer.who), (answer.who, answer.line)
    assert {answer.verdict for answer in answers} == {"passed", "forbidden"}


def test_a_permission_for_one_model_opens_no_other_and_does_not_tell_whether_there_is_one(gateway: Fortress) -> None:
    body = json.dumps({"x": rows()[0][:1].tolist()}).encode()
    infer = json.dumps(tensor()).encode()
    asked = [
        ("POST", "/v1/models/{}/predict", body), ("POST", "/v1/models/{}/versions/1/predict", body),
        ("POST", "/v2/models/{}/infer", infer), ("POST", "/v2/models/{}/versions/1/infer", infer),
        ("GET", "/v2/models/{}", b""), ("GET", "/v2/models/{}/ready", b""), ("GET", "/v2/models/{}/versions/1", b""),
        ("POST", "/v1/models/{}/explain", b"{}"), ("POST", "/v1/models/{}/feedback", b"{}"),
    ]  # fmt: skip

    async def main() -> None:
        for name in ("narrow", "keyed", "client", "nobody", "viewer", *NOBODY):
            addr, token = address(), gateway.tokens.get(name, "")
            for method, path, data in asked:
                got = {}
                for model in (MINE, OTHER, "absent"):
                    got[model] = await gateway.ask(request(path.format(model), data, method=method, token=token), addr)
                    gateway.judge(*got[model], (name, path, model))
                status = {model: answer[0] for model, answer in got.items()}
                mine = "explain" not in path and "feedback" not in path
                if name in NOBODY:
                    assert set(status.values()) == {401}, (name, path, status)
                elif name == "nobody" or (name == "viewer" and method == "POST"):
                    assert set(status.values()) == {403}, (name, path, status)
                elif name in {"narrow", "keyed"}:
                    assert (status[OTHER], status["absent"]) == (403, 403), (name, path, status)
                    # another model and none look the same
                    assert got[OTHER][2] == got["absent"][2]
                    assert (status[MINE] == 200) == mine, (name, path, status)
                else:
                    assert (status[MINE], status[OTHER]) == (200, 200) or not mine, (name, path, status)
                    assert status["absent"] in {400, 404}, (name, path, status)

    asyncio.run(main())


TRICKS = {
    "two slashes": lambda path: "/" + path,
    "two slashes inside": lambda path: path.replace("/", "//", 2)[1:],
    "slash behind": lambda path: path + "/",
    "slash and dot behind": lambda path: path + "/.",
    "a dot": lambda path: "/." + path,
    "two dots": lambda path: "/health/.." + path,
    "encoded dots": lambda path: "/health/%2e%2e" + path,
    "encoded dots once": lambda path: "/health/.%2E" + path,
    "twice encoded dots": lambda path: "/health/%252e%252e" + path,
    "encoded slash": lambda path: path[0] + path[1:].replace("/", "%2f", 1) if "/" in path[1:] else path + "%2f",
    "encoded letter": lambda path: "/%" + f"{ord(path[1]):x}" + path[2:],
    "semicolon": lambda path: path + ";a=b",
    "semicolon inside": lambda path: "/login;" + path,
    "backslash": lambda path: path.replace("/", "\\", 2).replace("\\", "/", 1),
    "null behind": lambda path: path + "%00",
    "line feed behind": lambda path: path + "%0a",
    "blank behind": lambda path: path + "%20",
    "capitals": lambda path: path[:2] + path[2:].upper() if path[2:].upper() != path[2:] else path + "X",
    "wide letter": lambda path: "/%ef%bd%96" + path[2:],
    "overlong slash": lambda path: path + "%c0%af",
    "file ending": lambda path: path + ".json",
}
OPEN_ENDED = {"blank behind", "file ending", "overlong slash", "capitals"}


@pytest.mark.parametrize("trick", TRICKS)
def test_another_way_to_write_a_path_leads_nowhere(gateway: Fortress, trick: str) -> None:
    """Nowhere for who may use the path as well, so that no proxy's rule about paths can be walked around."""
    twisted = [
        (row.method, TRICKS[trick](path_of(row)), written(row))
        for row in TABLE
        if row.action is not None and not row.path.startswith("/account") and row.path != ENDLESS
    ]
    twisted = [(method, path, line) for method, path, line in twisted if path != "/console"]
    model = [
        ("POST", TRICKS[trick](f"/v1/models/{MINE}/predict"), ""),
        ("GET", TRICKS[trick](f"/v2/models/{MINE}"), ""),
    ]
    who = {"anonymous": "", "operator": gateway.tokens["operator"]}
    began = gateway.recorded()
    answers = asyncio.run(everybody_asks(gateway, [*twisted, *model], who))
    for answer in answers:
        if trick in OPEN_ENDED:
            # it stands for another thing where the last segment is a name: judged by the same roles, or another method
            assert answer.status in {404, 405} or answer.verdict != "passed" or answer.who != "anonymous", answer
            assert answer.status >= 400 or answer.verdict == "login", answer
        else:
            assert answer.status == 404, answer
    assert len([act for act in gateway.acts(began) if not act.ok]) == len(answers)


def test_a_method_that_a_header_or_parameter_asks_for_is_not_the_method(gateway: Fortress) -> None:
    async def main() -> None:
        client, token = await gateway.connect(address()), gateway.tokens["viewer"]
        for name in ("x_http_method_override", "x_http_method", "x_method_override"):
            path = f"/v1/models/{MINE}"
            answer = await ask(client, "viewer", "GET", path, token, **{name: "POST"})
            assert answer.status == 200
            answer = await ask(client, "viewer", "POST", path, token, **{name: "GET"})
            assert answer.status == 405
            answer = await ask(client, "viewer", "POST", f"{path}?_method=GET", token, **{name: "GET"})
            assert answer.status == 405
            for header in ("x_original_url", "x_rewrite_url", "x_forwarded_prefix"):
                answer = await ask(client, "viewer", "GET", "/v1/identity/users", token, **{header: "/health/live"})
                assert answer.status == 403
                answer = await ask(client, "viewer", "GET", "/health/live", "", **{header: "/v1/identity/users"})
                assert answer.body == b'{"live":true}'
        await client.close()

    asyncio.run(main())


def test_other_methods_do_what_get_does_without_its_body_or_nothing(gateway: Fortress) -> None:
    paths = sorted({path_of(row) for row in TABLE if not row.path.startswith("/login/oidc")})
    lines = [(method, path, "") for path in paths for method in ("OPTIONS", "TRACE", "PATCH", "DELETE", "PUT", "PURGE")]
    began = gateway.recorded()
    answers = asyncio.run(everybody_asks(gateway, lines, {"anonymous": "", "operator": gateway.tokens["operator"]}))
    for answer in answers:
        assert answer.status in {400, 405}, answer
        assert "access-control-allow-origin" not in answer.headers
    assert denials(gateway.acts(began)) == Counter((one.line, one.status) for one in answers if one.status == 405)

    gets = {
        path_of(row): row for row in TABLE if row.method == "GET" and row.action is not None and row.path != ENDLESS
    }
    heads = asyncio.run(
        everybody_asks(
            gateway,
            [("HEAD", path, "") for path in gets],
            {"anonymous": "", "client": gateway.tokens["client"], "viewer": gateway.tokens["viewer"]},
        )
    )
    for answer in heads:
        row = gets[answer.line.removeprefix("HEAD ")]
        wanted = expected(row, answer.who)
        if wanted == "login":
            assert answer.status == 401 or row.kind == "page", answer
        elif wanted == "forbidden":
            assert answer.status == 403, answer
        else:
            assert answer.status not in {401, 403} or GUARDED[written(row)] == "identity.self", answer


def test_a_row_whose_parameter_would_be_converted_before_anybody_is_known_is_none(gateway: Fortress) -> None:
    row = next(row for row in TABLE if row.path == "/v1/incidents/{number}")
    with pytest.raises(ValueError, match="parameter with a type"):
        web_app(cast("Any", None), [replace(row, path="/v1/incidents/{number:int}")])

    async def main() -> None:
        for path in ("/v1/audit/r1/", "/v1/incidents/", "/console/incidents/", "/console/audit/r1/"):
            for token in ("", gateway.tokens["auditor"]):
                answer = await gateway.ask(request(path + "9" * 6000, method="GET", token=token), address())
                gateway.judge(*answer, path)
                assert answer[0] in {303, 401, 404}

    asyncio.run(main())
