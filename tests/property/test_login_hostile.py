"""Whatever strangers send to login, nobody comes in and nothing fails: refusals alone."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.login_house import House, house

from redan.service.identity.login.common_passwords import is_common
from redan.service.identity.login.endpoints import ENDPOINTS
from redan.service.identity.login.pages import HOME, local

ROWS = ("/v1/login", "/v1/login/second", "/v1/login/passkey", "/v1/login/step-up", "/v1/login/totp/confirm", "/login")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KINDS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
FIELDS = ["ticket", "code", "answer", "title", "kind", "id", "old", "new", "action", "resource", "user"]
ENCODED = st.binary(max_size=300).map(lambda data: urlsafe_b64encode(data).decode().rstrip("="))
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as running:
        running.person("ann", app=True)
        running.person("bob")
        yield running


@few
@given(path=st.sampled_from(ROWS), body=JSON | st.fixed_dictionaries({"code": st.text(max_size=20)}))
def test_json_of_any_shape_lets_nobody_in(home: House, path: str, body: Any) -> None:
    home.forget_failures()
    with home.browser() as stranger:
        answer = stranger.client.post(path, json=body)
        assert 400 <= answer.status_code < 500
        assert "Traceback" not in answer.text
        assert "redan" not in stranger.client.cookies


@few
@given(
    ticket=ENCODED,
    client=JSON.map(lambda value: urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")) | ENCODED,
    data=ENCODED,
    more=JSON,
)
def test_answers_of_no_passkey_let_nobody_in(home: House, ticket: str, client: str, data: str, more: Any) -> None:
    home.forget_failures()
    with home.browser() as stranger:
        given_ticket = stranger.client.post("/v1/login/passkey/ask").json()["ticket"]
        for shown in (ticket, given_ticket):
            answer = {
                "id": data, "rawId": data, "type": "public-key", "more": more,
                "response": {"authenticatorData": data, "clientDataJSON": client, "signature": data},
            }  # fmt: skip
            found = stranger.client.post("/v1/login/passkey", json={"ticket": shown, "answer": answer})
            assert found.status_code == 401
        assert "redan" not in stranger.client.cookies


@few
@given(
    body=st.binary(max_size=400),
    kind=st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]),
)
def test_forms_of_any_bytes_let_nobody_in(home: House, body: bytes, kind: str) -> None:
    home.forget_failures()
    with home.browser() as stranger:
        answer = stranger.client.post("/login", content=body, headers={"content-type": kind} if kind else {})
        assert 400 <= answer.status_code < 500
        assert "redan" not in stranger.client.cookies


@given(path=st.text(max_size=80) | st.text("/\\.:@%?#a", max_size=30))
def test_where_a_login_leads_is_a_path_of_this_gateway(path: str) -> None:
    from urllib.parse import urljoin, urlsplit

    found = local(path)
    assert found in (path, HOME)
    assert urlsplit(urljoin("https://gateway.example/login", found)).netloc == "gateway.example"
    assert found.isprintable()


@given(password=st.text(min_size=12, max_size=256), own=st.text(max_size=20))
def test_judging_a_password_always_ends(password: str, own: str) -> None:
    assert is_common(password, own) in (True, False)


OWN = [row.path for row in ENDPOINTS if row.takes is not None and row.action == "identity.self"]


@few
@given(path=st.sampled_from(OWN), body=JSON | st.dictionaries(st.sampled_from(FIELDS), JSON | ENCODED, max_size=5))
def test_whoever_is_logged_in_gets_refusals_for_nonsense_too(home: House, path: str, body: Any) -> None:
    home.forget_failures()
    with home.browser() as bob:
        bob.log_in("bob")
        answer = bob.json(path, body)
        assert answer.status_code < 500, answer.text
        assert "Traceback" not in answer.text
