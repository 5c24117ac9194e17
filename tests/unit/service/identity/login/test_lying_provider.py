"""A provider that lies: wrong nonce, issuer, audience, key, algorithm or time; and answers that never end well."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from joserfc.jws import JWSRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.login_house import Browser, House, house

from redan.core.errors import ConfigError
from redan.core.settings_service import Identity, Oidc
from redan.service.identity.login import oidc_provider
from redan.service.identity.login.oidc_provider import MOST_BYTES, open_provider

Change = Callable[[dict[str, Any]], None]


class Liar:
    """A provider whose next answers a test decides."""

    def __init__(self, url: str) -> None:
        self.url, self.key, self.other = url, self._key("real"), self._key("other")
        self.published: dict[str, Any] = {}
        self.reset()

    def _key(self, kid: str) -> RSAKey:
        return RSAKey.generate_key(2048, {"kid": kid, "alg": "RS256", "use": "sig"})

    def reset(self) -> None:
        self.claims: dict[str, Any] = {}
        self.sign = self.signed
        self.token: Callable[[str], Response] = lambda text: JSONResponse(
            {"access_token": "a", "token_type": "Bearer", "id_token": text}
        )
        self.nonce = ""

    def signed(self, claims: dict[str, Any], *, key: Any = None, alg: str = "RS256", kid: str = "real") -> str:
        registry = JWSRegistry(algorithms=[alg])
        return jwt.encode({"alg": alg, "kid": kid}, claims, key or self.key, registry=registry)

    async def discovery(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/auth", "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks", "authorization_response_iss_parameter_supported": True,
                **self.published,
            }
        )  # fmt: skip

    async def jwks(self, request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def give(self, request: Request) -> Response:
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": "ann", "aud": "redan", "exp": now + 60, "iat": now, "nonce": self.nonce,
            "groups": ["ops"], **self.claims,
        }  # fmt: skip
        return self.token(self.sign({name: value for name, value in claims.items() if value is not None}))


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio sends small answers at once on such sockets alone
    listening.bind(("127.0.0.1", 0))
    made = Liar(f"http://localhost:{listening.getsockname()[1]}")
    routes = [
        Route("/.well-known/openid-configuration", made.discovery),
        Route("/jwks", made.jwks),
        Route("/token", made.give, methods=["POST"]),
        Route("/elsewhere", lambda request: RedirectResponse("http://localhost:1/")),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
    thread.start()
    yield made
    server.should_exit = True
    thread.join(20)
    listening.close()


@pytest.fixture(scope="module")
def home(liar: Liar, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    oidc = Oidc(issuer=liar.url, client_id="redan", roles={"ops": "operator"})
    with house(tmp_path_factory.mktemp("house"), oidc=oidc) as running:
        yield running


@pytest.fixture(autouse=True)
def honest(liar: Liar) -> None:
    liar.reset()


def attempt(browser: Browser, liar: Liar, **changed: str | None) -> httpx.Response:
    away = browser.get("/login/oidc", params={"next": "/account"}).headers["location"]
    asked = {name: values[0] for name, values in parse_qs(urlsplit(away).query).items()}
    liar.nonce = liar.nonce or asked["nonce"]
    query = {"code": "c", "state": asked["state"], "iss": liar.url, **changed}
    return browser.get("/login/oidc/back", params={name: text for name, text in query.items() if text is not None})


def test_an_honest_answer_is_taken(home: House, browser: Browser, liar: Liar) -> None:
    assert attempt(browser, liar).status_code == 200
    assert browser.get("/account").status_code == 200


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"nonce": None}, {"iss": "https://evil.example"}, {"iss": None}, {"aud": "another"},
     {"aud": None}, {"aud": ["redan", "another"]}, {"aud": ["redan", "another"], "azp": "another"}, {"exp": 1},
     {"exp": None}, {"exp": "soon"}, {"iat": 4_000_000_000}, {"nbf": 4_000_000_000}, {"sub": None}, {"sub": ""},
     {"sub": 7}, {"sub": "x" * 300}, {"at_hash": "wrong"}],
    ids=str,
)  # fmt: skip
def test_claims_that_do_not_fit_are_refused(home: House, browser: Browser, liar: Liar, claims: dict[str, Any]) -> None:
    liar.claims = claims
    assert attempt(browser, liar).status_code == 401
    assert browser.get("/account").status_code == 303


def _none(liar: Liar) -> Callable[[dict[str, Any]], str]:
    import json
    from base64 import urlsafe_b64encode as b64

    def sign(claims: dict[str, Any]) -> str:
        parts = (json.dumps(part).encode() for part in ({"alg": "none", "kid": "real"}, claims))
        return ".".join(b64(part).decode().rstrip("=") for part in parts) + "."

    return sign


SIGNATURES: dict[str, Callable[[Liar], Callable[[dict[str, Any]], str]]] = {
    "alg none": _none,
    "another key under the known name": lambda liar: lambda claims: liar.signed(claims, key=liar.other),
    "another key under its own name": lambda liar: lambda claims: liar.signed(claims, key=liar.other, kid="other"),
    "HS256 with the public key": lambda liar: (
        lambda claims: liar.signed(claims, key=OctKey.import_key(liar.key.as_dict(private=False)["n"]), alg="HS256")
    ),
    "a changed signature": lambda liar: lambda claims: liar.signed(claims)[:-6] + "AAAAAA",
    "no token": lambda liar: lambda claims: "",
    "three dots": lambda liar: lambda claims: "...",
    "not text": lambda liar: lambda claims: "é.é.é",
}


@pytest.mark.parametrize("how", SIGNATURES)
def test_signatures_that_do_not_fit_are_refused(home: House, browser: Browser, liar: Liar, how: str) -> None:
    liar.sign = SIGNATURES[how](liar)  # type: ignore[method-assign]
    assert attempt(browser, liar).status_code == 401
    assert browser.get("/account").status_code == 303


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "another"},
        {"state": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"code": None},
        {"error": "x"},
    ],
    ids=str,
)
def test_answers_that_do_not_fit_the_departure_are_refused(
    home: House, browser: Browser, liar: Liar, changed: dict[str, str | None]
) -> None:
    assert attempt(browser, liar, **changed).status_code == 401
    assert browser.get("/account").status_code == 303


def test_a_parameter_given_twice_is_refused(home: House, browser: Browser, liar: Liar) -> None:
    away = browser.get("/login/oidc").headers["location"]
    state = parse_qs(urlsplit(away).query)["state"][0]
    query = [("code", "a"), ("code", "b"), ("state", state), ("iss", liar.url)]
    assert browser.client.get("/login/oidc/back", params=query).status_code == 400


@pytest.mark.parametrize(
    "answer",
    [
        Response(b"<html>", status_code=200), Response(b"{}", status_code=500), JSONResponse([]), JSONResponse({}),
        JSONResponse({"error": "invalid_grant"}, status_code=400), RedirectResponse("http://localhost:1/"),
        JSONResponse({"access_token": "a", "token_type": "Bearer"}),
        Response(b" " * (2 << 20), media_type="application/json"),
        JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": 7}),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_token_endpoint_that_answers_nonsense_lets_nobody_in(
    home: House, browser: Browser, liar: Liar, answer: Response
) -> None:
    liar.token = lambda text: answer
    found = attempt(browser, liar)
    assert found.status_code in (401, 503)
    assert "Traceback" not in found.text
    assert browser.get("/account").status_code == 303


class Endless:
    """A body in chunks that says no length and never ends; counts what was taken of it."""

    def __init__(self, piece: bytes, pause_s: float = 0.0) -> None:
        self.piece, self.pause_s, self.n_bytes = piece, pause_s, 0

    def answer(self, text: str) -> Response:
        return StreamingResponse(self._pieces(), media_type="application/json")

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            self.n_bytes += len(self.piece)
            yield self.piece
            await asyncio.sleep(self.pause_s)


def test_an_answer_without_end_is_left_at_a_megabyte(home: House, browser: Browser, liar: Liar) -> None:
    endless = Endless(b" " * 65_536)
    liar.token = endless.answer
    assert attempt(browser, liar).status_code == 503
    # what was on its way lies in buffers of sockets on both sides
    assert MOST_BYTES < endless.n_bytes < MOST_BYTES + (16 << 20)


def test_an_answer_that_drips_is_left_in_time(
    home: House, browser: Browser, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_provider, "ASKED_S", 0.3)
    liar.token = Endless(b" ", pause_s=0.05).answer
    assert attempt(browser, liar).status_code == 503


def test_a_packed_answer_is_not_unpacked(home: House, browser: Browser, liar: Liar) -> None:
    packed = gzip.compress(b" " * (64 << 20))
    liar.token = lambda text: Response(packed, media_type="application/json", headers={"content-encoding": "gzip"})
    assert attempt(browser, liar).status_code == 503
    assert browser.get("/account").status_code == 303


@pytest.mark.parametrize(
    "published",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example/token"}, {"jwks_uri": None},
     {"authorization_endpoint": "javascript:alert(1)"}],
    ids=str,
)  # fmt: skip
def test_metadata_that_does_not_fit_is_refused(
    home: House, browser: Browser, liar: Liar, published: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home.logins.provider, "_published", None)
    monkeypatch.setattr(liar, "published", published)
    answer = browser.get("/login/oidc")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert "evil" not in answer.text
    monkeypatch.setattr(liar, "published", {})
    assert browser.get("/login/oidc").status_code == 503, "left alone for a while, whoever asks"
    monkeypatch.setattr(home.logins.provider, "_silent_until_s", 0.0)
    assert browser.get("/login/oidc").status_code == 303


@pytest.mark.parametrize(
    ("oidc", "origin"),
    [
        (Oidc(issuer="http://evil.example", client_id="redan"), "https://g.example"),
        (Oidc(issuer="https://id.example", client_id=""), "https://g.example"),
        (Oidc(issuer="https://id.example", client_id="redan"), ""),
    ],
)
def test_settings_that_cannot_be_safe_are_refused(oidc: Oidc, origin: str) -> None:
    with pytest.raises(ConfigError):
        open_provider(Identity(oidc=oidc, origin=origin))
