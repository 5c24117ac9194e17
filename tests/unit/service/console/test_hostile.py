"""Whatever an address, a form or a finding holds: pages answer with a page, and nothing of it becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.console_house import Console, finding, post, until

from redan.service.console.endpoints import ENDPOINTS

EVIL = "<img src=x onerror=alert(1)>\"'&{{7*7}}\u202e\x00\r\n"
_TEXT = st.text(max_size=30) | st.sampled_from(["", "0", "-1", "9" * 40, "..", "%00", "client:eve", EVIL, "1.2.r1"])
_PATHS = sorted({row.path for row in ENDPOINTS if row.method == "GET" and not row.path.endswith("/events")})
_NAMES = sorted({"client", "model", "act", "why", "since", "until", "after", "verdict", "text", "show", "who", "from"})
_FORMS = sorted({row.path for row in ENDPOINTS if row.method == "POST" and "reload" not in row.path})
_SLOW = settings(max_examples=60, deadline=None)


def filled(path: str, value: str) -> str:
    """Return an address with a value for each of its parameters."""
    return re.sub(r"\{\w+:int\}", "7", re.sub(r"\{\w+\}", lambda _: value or "-", path))


@pytest.fixture(scope="module")
def auditor(home: Console) -> Iterator[httpx.Client]:
    with home.browser("auditor", mfa=True) as client:
        yield client


@pytest.fixture(scope="module")
def responder(home: Console) -> Iterator[httpx.Client]:
    with home.browser("responder", mfa=True) as client:
        yield client


@_SLOW
@given(path=st.sampled_from(_PATHS), value=_TEXT, query=st.dictionaries(st.sampled_from(_NAMES), _TEXT, max_size=4))
def test_no_address_breaks_a_page(auditor: httpx.Client, path: str, value: str, query: dict[str, str]) -> None:
    answer = auditor.get(f"{filled(path, quote(value, safe=''))}?{urlencode(query, errors='replace')}")
    assert answer.status_code in (200, 303, 400, 403, 404, 409, 429), (answer.url, answer.text[-400:])
    assert "<img" not in answer.text


@_SLOW
@given(path=st.sampled_from(_FORMS), fields=st.dictionaries(_TEXT | st.sampled_from(["text", "step", "client"]), _TEXT))
def test_no_form_breaks_a_page(responder: httpx.Client, path: str, fields: dict[str, str]) -> None:
    fields = {key: value.encode(errors="replace").decode() for key, value in fields.items() if key.isprintable()}
    answer = post(responder, filled(path, "1"), **fields)
    assert answer.status_code in (303, 400, 403, 404, 409, 429), (path, fields, answer.text[-400:])
    assert "<img" not in answer.text


def test_what_a_finding_says_is_text_on_every_page(home: Console) -> None:
    home.parts.findings.publish(finding(f"client:{EVIL}", n=99))
    with home.browser("auditor") as client:
        for path in ("/console", "/console/incidents", "/console/live"):
            until(lambda path=path: "onerror" in client.get(path).text or path == "/console")
            text = client.get(path).text
            assert "<img" not in text
        number = max(map(int, re.findall(r"/console/incidents/(\d+)", client.get("/console/incidents").text)))
        assert "<img" not in client.get(f"/console/incidents/{number}").text
