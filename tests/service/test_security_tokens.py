"""Tokens, keys, confirmations, sessions and cookies that somebody forged, found, planted or kept."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.fortress import MINE, OTHER, PASSWORD, PREDICT, Fortress, address, request
from tests.served import rows

from redan.core.settings import Settings
from redan.evidence.keys import generate
from redan.service.database import open_database
from redan.service.identity import directory
from redan.service.identity.authority import bound, open_authority
from redan.service.identity.login import sessions
from redan.service.identity.token_keys import signing_key
from redan.service.identity.tokens import Claims, head, mint
from redan.service.web.session_cookie import cookie_name, csrf_token

BODY = json.dumps({"x": rows()[0][:1].tolist()}).encode()


def encoded(data: bytes | dict[str, Any]) -> str:
    raw = json.dumps(data).encode() if isinstance(data, dict) else data
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    first, second, third = token.split(".")
    from base64 import urlsafe_b64decode

    return json.loads(urlsafe_b64decode(first + "==")), json.loads(urlsafe_b64decode(second + "==")), third


def forged(gateway: Fortress) -> dict[str, str]:
    """Make every forgery that books on tokens tell of, of a token that would be good."""
    good = gateway.token("client:client")
    header, claims, signature = parts(good)
    public = gateway.signing.private.public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    stranger, now_s = signing_key(generate("ed25519")), int(time.time())
    issuer = gateway.settings.identity.issuer
    whole = Claims(iss=issuer, aud=issuer, sub="client:client", iat=now_s, exp=now_s + 900, jti="forged")

    def unsigned(**changed: Any) -> str:
        return f"{encoded(header | changed)}.{encoded(claims)}."

    def signed_by(secret: bytes, alg: str, digest: Any) -> str:
        text = f"{encoded(header | {'alg': alg})}.{encoded(claims)}"
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), digest))}"

    def resigned(changed_header: dict[str, Any], changed: dict[str, Any]) -> str:
        text = f"{encoded(header | changed_header)}.{encoded(claims | changed)}"
        return f"{text}.{encoded(gateway.signing.private.sign(text.encode()))}"

    first, second, _ = good.split(".")
    found = {
        "alg none": unsigned(alg="none"),
        "alg None": unsigned(alg="None"),
        "alg NONE": unsigned(alg="NONE"),
        "alg none with a signature": unsigned(alg="none") + signature,
        "no alg": unsigned(alg=None),
        "no signature": f"{first}.{second}.",
        "two parts": f"{first}.{second}",
        "four parts": f"{good}.{signature}",
        "HS256 with the raw public key": signed_by(raw, "HS256", sha256),
        "HS256 with the PEM": signed_by(pem, "HS256", sha256),
        "HS512 with the PEM": signed_by(pem, "HS512", sha512),
        "HS256 with nothing": signed_by(b"", "HS256", sha256),
        "ES256": unsigned(alg="ES256") + signature,
        "a stranger's key": mint(whole, "at+jwt", stranger),
        "a stranger's key under our name": f"{head('at+jwt', gateway.signing.kid).decode()}"
        f".{mint(whole, 'at+jwt', stranger).partition('.')[2]}",
        "its own key beside it": resigned({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": encoded(raw)}}, {}),
        "a key to fetch": resigned({"jku": "http://127.0.0.1:9/keys"}, {}),
        "a certificate": resigned({"x5u": "http://a"}, {}),
        "kid as path": resigned({"kid": "../../../../dev/null"}, {}),
        "kid as SQL": resigned({"kid": "' OR 1=1 --"}, {}),
        "kid as number": resigned({"kid": 0}, {}),
        "kid as list": resigned({"kid": [gateway.signing.kid]}, {}),
        "kid of a file": resigned({"kid": str(gateway.folder / "token.key")}, {}),
        "no kid": resigned({"kid": ""}, {}),
        "critical": resigned({"crit": ["exp"]}, {}),
        "not encoded": resigned({"b64": False, "crit": ["b64"]}, {}),
        "packed": resigned({"zip": "DEF"}, {}),
        "another type": resigned({"typ": "JWT"}, {}),
        "a confirmation": gateway.token("client:client", kind="confirm+jwt"),
        "expired": gateway.token("client:client", iat=now_s - 900, exp=now_s - 1),
        "for ever": gateway.token("client:client", exp=now_s + 10**9),
        "exp of no end": gateway.token("client:client", exp=2**62),
        "exp before iat": gateway.token("client:client", iat=now_s + 10, exp=now_s + 5),
        "to come": gateway.token("client:client", iat=now_s + 3600, exp=now_s + 4000),
        "of another issuer": gateway.token("client:client", iss="other"),
        "for another": gateway.token("client:client", aud="other"),
        "of nobody": gateway.token(""),
        "of somebody unknown": gateway.token("client:unknown"),
        "of a role": gateway.token("client"),
        "of a person by another way": gateway.token("USER:operator"),
        "with a null": gateway.token("client:client\x00"),
        "a field more": resigned({}, {"admin": True}),
        "roles in it": resigned({}, {"roles": ["administrator"]}),
        "an empty scope": gateway.token("client:client", scope=""),
        "numbers as text": resigned({}, {"exp": str(now_s + 900)}),
        "a fraction": resigned({}, {"exp": now_s + 900.5}),
        "another order": f"{first}.{encoded(dict(reversed(claims.items())))}."
        + encoded(gateway.signing.private.sign(f"{first}.{encoded(dict(reversed(claims.items())))}".encode())),
        "padded": good + "=",
        "standard base64": f"{first}.{second}." + signature[:-1] + "+",
        "spare bits": good[:-1] + chr(ord(good[-1]) + 1),
        "a blank inside": f"{first}. {second}.{signature}",
        "huge": f"{first}.{'A' * 8000}.{signature}",
        "huge signature": good + "A" * 7000,
        "dots": "." * 4000,
        "two dots": "..",
        "a key of nobody": "redan_" + "a" * 12 + "_" + "A" * 43,
        "a key cut off": "redan_",
        "another key": "sk-" + "a" * 40,
    }
    assert good not in found.values()
    return found


def test_no_forged_token_opens_anything_and_all_are_told_the_same(gateway: Fortress) -> None:
    async def main() -> None:
        told = set()
        for name, token in forged(gateway).items():
            for path, method, body in ((PREDICT, "POST", BODY), ("/v1/models", "GET", b"")):
                sent = request(path, body, method=method, token=f"Bearer {token}")
                # one address each: who guesses often must wait, which is not what is tested here
                status, headers, answer = await gateway.ask(sent, address())
                gateway.judge(status, headers, answer, name)
                if name == "an empty scope":
                    assert status == 403
                    continue
                assert status == 401, (name, status, answer)
                told.add(answer)
        assert len(told) == 1
        await gateway.serves()

    asyncio.run(main())


def test_every_changed_character_of_a_token_and_a_key_matters(gateway: Fortress) -> None:
    token, key = gateway.token("client:client"), gateway.tokens["keyed"].removeprefix("Bearer ")

    async def main() -> None:
        for text in (token, key):
            for at in range(0, len(text), 7 if text is token else 3):
                for other in {"A", "_", "0"} - {text[at]}:
                    changed = text[:at] + other + text[at + 1 :]
                    sent = request(PREDICT, BODY, token=f"Bearer {changed}")
                    assert (await gateway.ask(sent, address()))[0] == 401, (at, other)
                    break

    asyncio.run(main())


def test_another_scheme_two_headers_or_a_header_and_a_cookie_do_not_mix(gateway: Fortress) -> None:
    good, viewer = gateway.tokens["client"], gateway.session("viewer")
    bare = good.removeprefix("Bearer ")

    async def status(path: str, method: str, *headers: str, body: bytes = BODY) -> int:
        sent = request(path, body if method == "POST" else b"", method=method, token="")
        more = "".join(f"{header}\r\n" for header in headers).encode()
        answer = await gateway.ask(sent.replace(b"\r\n", b"\r\n" + more, 1), address())
        gateway.judge(*answer)
        return answer[0]

    async def main() -> None:
        for path, method in ((PREDICT, "POST"), ("/v1/tokens/keys", "GET"), ("/v1/models", "GET")):
            fine = {PREDICT: 200, "/v1/tokens/keys": 200, "/v1/models": 403}[path]
            nobody = {PREDICT: 401, "/v1/tokens/keys": 200, "/v1/models": 401}[path]
            assert await status(path, method, f"authorization: {good}") == fine
            assert await status(path, method, f"authorization: bEARER   {bare}") == fine
            for wrong in (
                bare,
                f"Basic {bare}",
                f"Bearer{bare}",
                f"Bearer {bare} x",
                f"Bearer {bare},{bare}",
                "Bearer",
                f'Bearer "{bare}"',
                f"Digest {bare}",
                f"Bearer\t{bare}",
                f"token={bare}",
            ):
                assert await status(path, method, f"authorization: {wrong}") == nobody, wrong
            twice = (f"authorization: {good}", "authorization: Bearer x")
            assert await status(path, method, *twice) == nobody
            assert await status(path, method, *reversed(twice)) == nobody
            assert await status(path, method, f"authorization: {good}", f"authorization: {good}") == nobody
            assert await status(path, method, f"proxy-authorization: {good}") == nobody
            assert await status(f"{path}?access_token={bare}", method) == nobody
        # the header says who it is, whatever cookie comes along; one that is worth nothing is not helped by a cookie
        cookie = f"cookie: {gateway.cookie}={viewer}"
        assert await status("/v1/models", "GET", cookie) == 200
        assert await status("/v1/models", "GET", cookie, f"authorization: {good}") == 403
        assert await status("/v1/models", "GET", cookie, "authorization: Bearer x") == 401
        assert await status("/v1/models", "GET", cookie, "authorization:") == 401
        # sessions are for the console: they open no predictions
        assert await status(PREDICT, "POST", f"cookie: {gateway.cookie}={gateway.session('client')}") == 401

    asyncio.run(main())


@pytest.fixture
def browser(gateway: Fortress) -> Iterator[httpx.Client]:
    """A browser that comes from an address of its own."""
    with gateway.http(address()) as client:
        yield client


def judged(gateway: Fortress, answer: httpx.Response) -> int:
    gateway.judge(answer.status_code, dict(answer.headers), answer.content, str(answer.request.url))
    return answer.status_code


def test_a_confirmation_is_good_for_one_act_of_one_person_at_one_place_once(gateway: Fortress) -> None:
    path = f"/v1/models/{MINE}/rollback"
    now_s = int(time.time())
    place = bound(path, sha256(b"").hexdigest())
    good = {"kind": "confirm+jwt", "act": "models.rollback", "res": place}

    async def status(confirmation: str, who: str = "operator", body: bytes = b"") -> tuple[int, str]:
        sent = request(path, body, token=gateway.tokens[who], redan_confirmation=confirmation)
        answer = await gateway.ask(sent, address())
        gateway.judge(*answer)
        return answer[0], json.loads(answer[2]).get("error", "")

    async def main() -> None:
        assert await status("") == (403, "step-up")
        wrong = {
            "another's": gateway.token("client:responder", **good),
            "another act": gateway.token("client:operator", **good | {"act": "models.promote"}),
            "another place": gateway.token("client:operator", **good | {"res": place.replace(MINE, OTHER)}),
            "a path alone": gateway.token("client:operator", **good | {"res": path}),
            "expired": gateway.token("client:operator", **good, iat=now_s - 900, exp=now_s - 1),
            "an access token": gateway.token("client:operator"),
            "a stranger's": mint(
                Claims(
                    iss="redan",
                    aud="redan",
                    sub="client:operator",
                    iat=now_s,
                    exp=now_s + 60,
                    jti="a",
                    act="models.rollback",
                    res=place,
                ),
                "confirm+jwt",
                signing_key(generate("ed25519")),
            ),
            "nonsense": "a.b.c",
            "no ASCII": "\xe9",
        }
        for name, token in wrong.items():
            assert await status(token) == (403, "step-up"), name
        assert await status(gateway.token("client:operator", **good), body=b"{}") == (403, "step-up"), "another body"
        # for who may not, it changes nothing
        assert await status(gateway.token("client:viewer", **good), "viewer") == (403, "forbidden")
        once = gateway.token("client:operator", **good)
        first = await asyncio.gather(*(status(once) for _ in range(8)))
        # there is nothing to roll back to, which only who is let through gets to know
        assert sorted(first) == [(403, "step-up")] * 7 + [(409, "conflict")]
        assert await status(once) == (403, "step-up")

    asyncio.run(main())


def test_a_session_that_was_planted_or_is_half_or_another_gateways_opens_nothing(
    gateway: Fortress, browser: httpx.Client, tmp_path: Path
) -> None:
    planted = "A" * 43
    browser.cookies.set(gateway.cookie, planted, domain="127.0.0.1")
    answer = browser.post("/v1/login", json={"name": "viewer", "password": PASSWORD})
    assert judged_login(gateway, answer) == 200
    secret = next(cookie.value for cookie in answer.cookies.jar if cookie.name == gateway.cookie)
    assert secret not in {planted, None}
    set_cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in set_cookie
    assert "samesite=strict" in set_cookie
    assert ("secure" in set_cookie) == (gateway.tls is not None)
    with gateway.http(address()) as thief:
        for cookie in (
            planted,
            gateway.session("operator", state="half"),
            secret[:-1],
            secret + "A",
            "",
            "a" * 5000,
            "é",
        ):
            headers = {b"cookie": f"{gateway.cookie}={cookie}".encode("latin-1")}
            status = judged(gateway, thief.get("/v1/models", headers=headers))
            assert status == 401, cookie
        # a cookie under the name that HTTPS uses is none over HTTP, and the other way round
        elsewhere = cookie_name(https=gateway.tls is None)
        assert thief.get("/v1/models", headers={"cookie": f"{elsewhere}={secret}"}).status_code == 401
        good = thief.get("/v1/models", headers={"cookie": f"{gateway.cookie}={secret}"})
        assert good.status_code == 200
        # neither is what another gateway gave to people and programs of the same names
        foreign, token = of_another(tmp_path)
        shown = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        assert judged(gateway, thief.post(PREDICT, content=BODY, headers=shown)) == 401
        for path in ("/v1/models", "/v1/identity/users"):
            assert judged(gateway, thief.get(path, headers={"cookie": f"{gateway.cookie}={foreign}"})) == 401
        # after logging out the cookie is worth nothing, whoever kept it
        left = browser.post(
            "/v1/login/logout", headers={"x-csrf-token": csrf_token(secret), "cookie": f"{gateway.cookie}={secret}"}
        )
        assert left.status_code == 200
        assert thief.get("/v1/models", headers={"cookie": f"{gateway.cookie}={secret}"}).status_code == 401


def of_another(folder: Path) -> tuple[str, str]:
    """Return the secret of a session of ``user:viewer`` and a token of ``client:client`` at another gateway."""
    database = open_database("service.db", root=folder)
    authority = open_authority(Settings(), database, folder)
    with database.writing() as connection:
        for id, role in (("user:viewer", "viewer"), ("client:client", "client")):
            directory.add(connection, id, by="test")
            directory.grant(connection, authority.recognition.roles, id, role, by="test")
        secret = sessions.begin(
            connection, "user:viewer", state="full", method="password", ttl_s=900, addr="127.0.0.1", agent=""
        )
    database.close()
    return secret, authority.token("client:client")[0]


def judged_login(gateway: Fortress, answer: httpx.Response) -> int:
    """Judge an answer whose cookie is a secret on purpose."""
    headers = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
    gateway.judge(answer.status_code, headers, answer.content)
    return answer.status_code


def test_a_new_factor_makes_a_new_cookie_and_the_old_one_ends(gateway: Fortress, browser: httpx.Client) -> None:
    half = browser.post("/v1/login", json={"name": "operator", "password": PASSWORD})
    assert half.json()["state"] == "half"
    old = browser.cookies[gateway.cookie]
    assert browser.get("/v1/models").status_code == 401
    code = pyotp.TOTP(gateway.authenticator).now()
    full = browser.post("/v1/login/second", json={"code": code}, headers={"x-csrf-token": half.json()["csrf"]})
    assert full.json()["state"] == "full", full.text
    assert browser.cookies[gateway.cookie] != old
    assert browser.get("/v1/models").status_code == 200
    with gateway.http(address()) as thief:
        for path in ("/v1/models", "/account"):
            assert thief.get(path, headers={"cookie": f"{gateway.cookie}={old}"}).status_code in {303, 401}
        # and a code is good once
        again = thief.post("/v1/login", json={"name": "operator", "password": PASSWORD})
        replay = thief.post("/v1/login/second", json={"code": code}, headers={"x-csrf-token": again.json()["csrf"]})
        assert replay.status_code == 401


FORMS = (
    "/v1/login/logout",
    "/v1/login/recovery",
    "/v1/login/sessions/end",
    "/v1/models/reload",
    "/account/sessions",
    "/logout",
    "/v1/identity/self/keys",
    "/console/reload",
)


def test_what_changes_something_in_a_session_needs_its_own_token(gateway: Fortress, browser: httpx.Client) -> None:
    """Missing, wrong, of another session, in another place; also beside a header that proves nothing."""
    secret, other = gateway.session("operator", mfa=True), gateway.session("operator", mfa=True)
    cookie = {"cookie": f"{gateway.cookie}={secret}"}
    began = gateway.recorded()
    for path in FORMS:
        tries: list[dict[str, Any]] = [
            {},
            {"headers": {"x-csrf-token": ""}},
            {"headers": {"x-csrf-token": "0" * 64}},
            {"headers": {"x-csrf-token": csrf_token(other)}},
            {"headers": {"x-csrf-token": csrf_token("")}},
            {"headers": {"x-csrf-token": csrf_token(secret).upper()}},
            {"headers": {b"x-csrf-token": b"\xe9" * 64}},
            {"data": {"csrf": csrf_token(other)}},
            {"data": {"csrf": [csrf_token(secret), csrf_token(other)]}},
            {"params": {"csrf": csrf_token(secret)}},
            {"json": {"csrf": csrf_token(secret)}},
            {"headers": {"authorization": "Basic YTpi"}},
            {"headers": {"authorization": ""}},
        ]
        for how in tries:
            headers = {**cookie, **how.pop("headers", {})}
            status = judged(gateway, browser.post(path, headers=headers, **how))
            assert status in ({401, 403} if "authorization" in headers else {403}), (path, how, headers, status)
    assert browser.get("/v1/models", headers=cookie).status_code == 200
    assert browser.get("/v1/models", headers={"cookie": f"{gateway.cookie}={other}"}).status_code == 200
    done = [act for act in gateway.acts(began) if act.ok and act.who == "user:operator"]
    assert not done
    right = browser.post("/v1/models/reload", headers={**cookie, "x-csrf-token": csrf_token(secret)})
    assert right.status_code == 200


def test_another_sites_page_cannot_log_a_browser_in(gateway: Fortress, browser: httpx.Client) -> None:
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        answer = browser.post("/v1/login", json={"name": "viewer", "password": PASSWORD}, headers=headers)
        assert judged(gateway, answer) == 403
        assert "set-cookie" not in answer.headers
        answer = browser.post("/login", data={"name": "viewer", "password": PASSWORD}, headers=headers)
        assert judged(gateway, answer) == 403
        assert "set-cookie" not in answer.headers
    # nor may another site's script read anything or ask with a header of its own
    for method in ("OPTIONS", "GET", "POST"):
        answer = browser.request(
            method,
            "/v1/models",
            headers={
                "origin": "https://evil.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization",
            },
        )
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_after_login_nobody_is_sent_to_another_site(gateway: Fortress, browser: httpx.Client) -> None:
    for then in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%5cevil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/login\r\nset-cookie: a=b",
        "///evil.example",
        "/@evil.example",
        " /x",
        "/é",
    ):
        secret = gateway.session("viewer")
        fields = {"name": "viewer", "password": PASSWORD, "next": then}
        answer = browser.post("/login", data=fields, headers={"cookie": f"{gateway.cookie}={secret}"})
        location = answer.headers["location"]
        assert answer.status_code == 303
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
        assert location == "/console" or httpx.URL(gateway.url).join(location).host == "127.0.0.1"
