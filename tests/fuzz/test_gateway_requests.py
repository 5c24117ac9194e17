"""Requests made by hypothesis against a whole gateway: good ones with something hostile in them, by all roles.

Whatever is sent, the answer is no failure but 503 with Retry-After, tells nothing of what lies behind it, and the
gateway is alive, honest and no larger afterwards. `make slow` and `make fuzz` send more.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fortress import INFER, MINE, OTHER, PREDICT, ROLES, Fortress, Line, address, fortress, request, tensor
from tests.served import rows

from redan.service.routes import routes

TIMES = float(os.environ.get("FUZZ") or (6 if os.environ.get("REDAN_HYPOTHESIS") == "full" else 1))
AT_ONCE = 10
MOST_GROWTH_BYTES = 96 << 20
HUGE = "9" * 5000
SCALARS = [
    None,
    True,
    0,
    -1,
    1 << 31,
    1 << 63,
    1 << 64,
    -(1 << 63) - 1,
    0.5,
    -0.0,
    1e308,
    5e-324,
    "",
    "\x00",
    "x" * 5000,
    "é",
    "😀",
    "\u202e",
    "\u2028",
    "../../../../etc/passwd",
    "' OR 1=1 --",
    "%s%n",
    "${jndi:ldap://a}",
    "{{7*7}}",
    "<script>",
    "a\r\nb: c",
    "client:absent",
    "user:absent",
    "client:target",
    "*",
    "9" * 400,
    "1970-01-01",
    "../r1",
    "r1/../r1",
    [],
    {},
    [[]],
    [{}],
    [None],
    ["", 1],
    {"": ""},
    {"a": {"b": []}},
]
RAW = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    HUGE,
    "-" + HUGE,
    "1e-999",
    '"\\ud800"',
    '"\\u0000"',
    "[" * 40 + "]" * 40,
    '{"a":' * 40 + "1" + "}" * 40,
    "[" * 5000,
    '{"a":1,"a":2}',
    "0x10",
    "01",
    "tru",
    '"',
    "'a'",
    "/*a*/1",
    "\x00",
    "\ufeff1",
]
ROW = rows()[0][0].tolist()
GOOD: dict[str, Any] = {
    PREDICT: {"x": [ROW]},
    INFER: tensor(),
    "explain": {"x": ROW, "version": "1", "label": 1},
    "feedback": {"id": "0" * 16, "label": 1, "truths": [{"id": "0" * 16, "label": 1}]},
    "users": {"name": "new", "title": "somebody"},
    "clients": {"name": "new", "title": "something"},
    "grants": {"subject": "client:target", "role": "client", "model": MINE},
    "revoke": {"subject": "client:target", "role": "client", "model": "*"},
    "review": {"subject": "client:target", "role": "client", "model": "*", "decision": "keep", "note": "fine"},
    "keys": {"subject": "client:target", "title": "k", "scope": f"predict:{MINE}", "ttl_s": 900},
    "rotate": {"overlap_s": 60},
    "tokens": {"scope": f"predict:{MINE}", "ttl_s": 60},
    "login": {"name": "nobody", "password": "wrong"},
    "second": {"code": "000000", "ticket": "t", "answer": {"id": "a", "response": {"clientDataJSON": "a"}}},
    "passkey": {"ticket": "t", "answer": {"id": "a", "rawId": "a", "type": "public-key", "response": {}}},
    "confirmations": {"action": "models.promote", "resource": "/v1/models/m/promote", "user": "", "code": "000000"},
    "export": {"replica": "r1", "start": 0, "stop": 3},
    "incidents": {"title": "t", "severity": "low", "threat": "by-hand", "subject": "service", "client": ""},
    "notes": {"text": "seen"},
    "breach": {"text": "personal data"},
    "steps": {"step": "extraction/notify"},
    "contain": {"step": "extraction/throttle"},
    "approve": {"step": "extraction/throttle"},
    "release": {"step": "extraction/throttle"},
    "contained": {"text": "quiet"},
    "close": {"postmortem": "# What happened"},
    "promote": {"version": "1", "reason": "r"},
    "quarantine": {"version": "1"},
    "canary": {"reason": "r"},
    "rollback": {"reason": "r"},
}
LEFT_OUT = {"/console/live/events", "/v1/tokens/revoke"}
"""One has no end, the other ends the tokens that are asked with."""
TABLE = [(row.method, row.path) for row in routes(cast("Any", None)) if row.path not in LEFT_OUT]
WHO = [*["almighty"] * 16, *ROLES, "anonymous"]
PLANE = [
    ("POST", PREDICT),
    ("POST", INFER),
    ("POST", f"/v2/models/{MINE}/versions/1/infer"),
    ("GET", f"/v2/models/{MINE}"),
    ("GET", f"/v2/models/{MINE}/ready"),
    ("POST", "/v1/models/{name}/predict"),
    ("GET", "/v2/models/{name}"),
]
NAMES = st.sampled_from(
    [
        OTHER,
        "1",
        "0",
        "r1",
        "absent",
        "client:absent",
        "client:target",
        "a b",
        "%",
        "\x00",
        "../x",
        "é",
        "\ud7ff",
        "9" * 19,
        "9" * 5000,
        "-1",
        "1e3",
        "*",
        "a" * 300,
        "'",
        '"',
        "\n",
        "..",
        "{name}",
    ]
)
QUERIES = st.one_of(
    st.just(""),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "after",
                    "subject",
                    "limit",
                    "since_us",
                    "until_us",
                    "verdict",
                    "text",
                    "client",
                    "next",
                    "code",
                    "state",
                ]
            ),
            st.sampled_from(
                ["", "0", "-1", "9" * 30, HUGE, "1.2.3", "1.1.a\x00", "\x00", "é", "denied", "a" * 600, "%", "1e5", "٣"]
            ),
        ),
        max_size=3,
    ).map(lambda pairs: "?" + "&".join(f"{name}={quote(value)}" for name, value in pairs)),
    st.sampled_from(["?", "?%ff=%fe", "?a[]=1", "?" + "a=b&" * 900, "?after=%ed%a0%80", "?limit=1&limit=2"]),
)


@st.composite
def bodies(draw: st.DrawFn, good: Any) -> bytes:
    """A good body, with some of its nodes replaced, or text that is none."""
    how = draw(st.integers(0, 9))
    if how == 0:
        return draw(st.binary(max_size=60))
    text = json.dumps(_spoilt(draw, good, draw(st.integers(0, 3))))
    if how == 1:
        at = draw(st.integers(0, len(text)))
        return (text[:at] + draw(st.sampled_from(RAW)) + text[at:]).encode(errors="surrogatepass")
    if how == 2:
        places = [at for at, sign in enumerate(text) if sign == ":"] or [0]
        at = draw(st.sampled_from(places)) + 1
        return (text[:at] + draw(st.sampled_from(RAW)) + "," + text[at:]).encode(errors="surrogatepass")
    if how == 3:
        data = bytearray(text.encode())
        for _ in range(draw(st.integers(1, 4))):
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        return bytes(data)
    if how == 4:
        return text[: draw(st.integers(0, len(text)))].encode()
    return text.encode()


def _spoilt(draw: st.DrawFn, value: Any, times: int) -> Any:
    """Replace, add or leave out nodes of a JSON value."""
    for _ in range(times):
        value = _spoilt_once(draw, value)
    return value


def _spoilt_once(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(sorted(value)))
        rest = {key: one for key, one in value.items() if key != name}
        return rest | draw(
            st.sampled_from([{name: _spoilt_once(draw, value[name])}, {}, {name: value[name], "unknown": 1}])
        )
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _spoilt_once(draw, value[at]), *value[at + 1 :]]
    return draw(st.sampled_from(SCALARS))


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bool, str]:
    """A request, whether its answer has a body, and who sends it."""
    method, path = draw(st.sampled_from(TABLE + PLANE * 5))
    good = GOOD.get(path) or GOOD.get(path.rstrip("/").rpartition("/")[2], {})
    while "{" in path:
        start, _, rest = path.partition("{")
        path = start + quote(draw(NAMES), safe="") + rest.partition("}")[2]
    path += draw(QUERIES)
    if draw(st.integers(0, 19)) == 0:
        method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]))
    body = draw(bodies(good)) if method in {"POST", "PUT", "PATCH"} else b""
    who = draw(st.sampled_from(WHO))
    headers = draw(
        st.sampled_from(
            [
                {},
                {},
                {},
                {},
                {"content_type": ""},
                {"content_type": "text/xml"},
                {"content_encoding": "gzip"},
                {"content_type": "application/json; charset=utf-16"},
                {"content_type": "application/x-www-form-urlencoded"},
                {"content_type": "multipart/form-data; boundary=" + "a" * 200},
                {"content_type": "application/octet-stream", "inference_header_content_length": str(len(body) // 2)},
                {"inference_header_content_length": "-1"},
                {"inference_header_content_length": "9" * 30},
                {"content_type": "application/x-ndjson"},
                {"accept": "é" * 50},
                {"cookie": "redan=" + "a" * 43},
                {"cookie": "redan=\xff; redan=b; =; ;;"},
                {"traceparent": "00-" + "0" * 32 + "-x-01"},
                {"redan_confirmation": "a.b.c"},
                {"redan_confirmation": "\xff"},
                {"x_csrf_token": "\xe9"},
                {"origin": "http://[:"},
                {"origin": "null", "sec_fetch_site": "cross-site"},
                {"host": "a:b:c"},
                {"host": ""},
                {"user_agent": "\xff" * 300},
            ]
        )
    )
    return request(path, body, method=method, token=f"{{{who}}}", **headers), method != "HEAD", who


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    """A gateway of our own: what is sent may change who may do what."""
    with fortress(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


def test_nothing_that_is_sent_breaks_it_makes_it_talk_or_makes_it_grow(target: Fortress) -> None:
    now_s = int(time.time())
    tokens = {who: f"Bearer {target.token(f'client:{who}', mfa=now_s)}" for who in WHO} | {"anonymous": ""}
    line, seen = Line(target, address()), Counter[int]()
    asyncio.run(target.serves())
    before_bytes = target.rss_bytes()

    @settings(
        max_examples=int(200 * TIMES),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(requests(), min_size=AT_ONCE, max_size=AT_ONCE))
    def send(many: list[tuple[bytes, bool, str]]) -> None:
        for data, has_body, who in many:
            known = data.replace(b"{%s}" % who.encode(), tokens[who].encode())
            try:
                answer = line.ask(known, has_body=has_body)
            except Exception:
                line.close()
                raise
            seen[answer[0]] += 1
            target.judge(*answer, data[:3000])

    send()
    line.close()
    asyncio.run(target.serves())
    grown_bytes = target.rss_bytes() - before_bytes
    # each kind of verdict was seen, so that the requests reached what stands behind the door
    assert {200, 400, 401, 403, 404, 405, 415, 422} <= set(seen), seen
    assert seen[200] > seen.total() / 100, seen
    assert grown_bytes < MOST_GROWTH_BYTES, grown_bytes
    assert "Traceback" not in target.errors(), target.errors()[-4000:]
    print(f"{seen.total()} requests: {dict(sorted(seen.items()))}; grown by {grown_bytes >> 20} MiB")


def binary(
    rows_: bytes, *, shape: list[Any], datatype: str = "FP64", size: Any = None, **more: Any
) -> tuple[bytes, int]:
    """Write a request with a binary tensor that may lie."""
    parameters = {"binary_data_size": len(rows_) if size is None else size}
    head = json.dumps(
        {"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "parameters": parameters} | more]}
    )
    return head.encode() + rows_, len(head)


LIES = {
    "no bytes": ([1, 30], "FP64", 0),
    "fewer bytes than the shape": ([2, 30], "FP64", None),
    "more rows than memory": ([1 << 40, 30], "FP64", None),
    "a product that overflows": ([1 << 32, 1 << 32], "FP64", None),
    "a product that is zero by overflow": ([1 << 63, 2], "FP64", None),
    "a product of huge numbers": ([10**300, 10**300], "FP64", None),
    "a negative axis": ([-1, 30], "FP64", None),
    "two negative axes": ([-1, -30], "FP64", None),
    "no axes": ([], "FP64", None),
    "hundred axes": ([1] * 100, "FP64", None),
    "zero rows": ([0, 30], "FP64", None),
    "a size beyond the body": ([1, 30], "FP64", 1 << 40),
    "a negative size": ([1, 30], "FP64", -1),
    "a size of many digits": ([1, 30], "FP64", 10**200),
    "another datatype": ([1, 30], "FP32", None),
    "objects": ([1, 30], "OBJECT", None),
    "text": ([1, 30], "BYTES", None),
    "text by the length of numbers": ([30], "BYTES", None),
    "a fraction as axis": ([1.5, 30], "FP64", None),
    "a word as axis": (["1", "30"], "FP64", None),
    "nothing as axis": ([None, 30], "FP64", None),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_binary_tensor_that_lies_is_refused(gateway: Fortress, lie: str) -> None:
    shape, datatype, size = LIES[lie]
    line, data = Line(gateway, address()), np.asarray(ROW, "<f8").tobytes()
    for noise in (data, b"\xff" * len(data), b""):
        body, length = binary(noise, shape=shape, datatype=datatype, size=size)
        sent = request(INFER, body, token=gateway.tokens["client"], inference_header_content_length=str(length))
        answer = line.ask(sent)
        gateway.judge(*answer, lie)
        assert answer[0] in {400, 422}, (lie, answer)
    line.close()
    asyncio.run(gateway.serves())
