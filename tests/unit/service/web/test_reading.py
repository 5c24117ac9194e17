"""Bodies: depth is counted before anything is built, and what a route does not take is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redan.service.gateway.refusal import MALFORMED, NOT_JSON
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.errors import Refused, refusal_of
from redan.service.web.reading import decoded, deeper

VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 0


@given(VALUES)
def test_depth_is_that_of_the_document(value: Any) -> None:
    body = json.dumps(value).encode()
    n = depth(value)
    assert not deeper(body, n)
    assert n == 0 or deeper(body, n - 1)


def test_a_bomb_is_refused_in_no_time() -> None:
    began = time.process_time()
    assert deeper(b"[" * 1_000_000, 16)
    assert not deeper(b'"' + b'\\"' * 500_000 + b"[" * 100, 16)
    assert time.process_time() - began < 1


class Why(msgspec.Struct, forbid_unknown_fields=True):
    why: str


async def handler(asked: Asked) -> Any:
    raise AssertionError


ROW = Endpoint(method="POST", path="/x", action=None, handler=handler, summary="x", takes=Why)


def test_what_fits_is_decoded() -> None:
    assert decoded(ROW, "application/json; charset=utf-8", b'{"why": "so"}', 4) == Why(why="so")


@pytest.mark.parametrize(
    ("content_type", "body", "refusal"),
    [
        ("text/plain", b'{"why": "so"}', NOT_JSON),
        ("", b'{"why": "so"}', NOT_JSON),
        ("application/json", b'{"why": ' + b"[" * 9, MALFORMED),
    ],
)
def test_what_does_not_is_refused(content_type: str, body: bytes, refusal: Any) -> None:
    with pytest.raises(Refused) as caught:
        decoded(ROW, content_type, body, 4)
    assert (caught.value.refusal.status, caught.value.refusal.why) == (refusal.status, refusal.why)


@pytest.mark.parametrize("body", [b"", b"{", b'{"why": 3}', b'{"why": "x", "more": 1}', b'{"why": "\xff"}', b"[]"])
def test_what_is_no_such_body_becomes_400(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, Refused)) as caught:
        decoded(ROW, "application/json", body, 4)
    assert refusal_of(caught.value).status == 400


def test_a_bug_tells_the_client_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = refusal_of(ZeroDivisionError("secret path /srv/models"))
    assert (refusal.status, refusal.retry_s > 0) == (503, True)
    assert "secret" not in refusal.say
    assert "secret path" in capsys.readouterr().err
