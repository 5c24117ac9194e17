"""What goes in and comes out: bodies that run code, inputs no model expects, errors that tell, answers that teach."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from redan.kernels.deployment.exchange import Answer, Request
from redan.kernels.deployment.outcome import Ask, Facts, Outcome, shown, unseen, untested

SLOW_S = 2.0
_JSON = ("Content-Type", "application/json")
_EXECUTING = (
    "application/vnd.bentoml+pickle",
    "application/x-pickle",
    "application/python-pickle",
    "application/x-python-serialize",
    "application/x-joblib",
    "application/java-serialized-object",
)
_TRACE = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|\bat [\w.$]+\([\w]+\.java:\d+\)|/site-packages/"
)
_ABSENT = (404, 405, 501)
_DEEP = 2000
_WIDE = 200_000


def deserialises(ask: Ask, facts: Facts) -> Outcome:
    """Types of bodies that run code when they are read must be refused; the bodies sent are empty."""
    paths = [facts.predict] if facts.predict else ["/predict", "/invocations", "/"]
    looked = 0
    for path in paths:
        refused = ask(Request(method="POST", path=path, headers=(("Content-Type", "application/x-redan-unknown"),)))
        if refused is None or refused.status in _ABSENT:
            continue
        looked += 1
        for kind in _EXECUTING:
            request = Request(method="POST", path=path, headers=(("Content-Type", kind),))
            answer = ask(request)
            # a server that does not look at the type treats both alike; one that knows it treats it otherwise
            if answer is not None and refused.status == 415 and answer.status not in (415, 401, 403):
                return Outcome(
                    state="confirmed", said=f"{path} takes bodies of type {kind}", shown=(shown(request, answer),)
                )
            if answer is not None and re.search(r"pickle|EOFError: Ran out of input|joblib", answer.text):
                return Outcome(state="confirmed", said=f"{path} unpickles bodies", shown=(shown(request, answer),))
    if not looked:
        return untested("no endpoint that takes a body was found; put its path into the address")
    return unseen(f"{len(_EXECUTING)} types of bodies that run code were not taken")


def validation(ask: Ask, facts: Facts) -> Outcome:
    """Inputs that no model expects must be refused with a status from 400 to 499, quickly."""
    if not facts.predict:
        return untested("the endpoint that predicts is not known; put its path into the address")
    faults, lines = [], []
    for what, body in _bodies():
        request = Request(method="POST", path=facts.predict, headers=(_JSON,), body=body)
        answer = ask(request)
        if answer is not None and answer.status in _ABSENT:
            return untested(f"{facts.predict} takes no POST (status {answer.status})")
        if fault := _fault(answer):
            faults.append(f"{what}: {fault}")
            lines.append(f"{what}: {shown(request, answer)}")
    if faults:
        return Outcome(state="confirmed", said="; ".join(faults), shown=tuple(lines))
    return unseen(f"{len(_bodies())} kinds of malformed input were refused")


def _fault(answer: Answer | None) -> str:
    if answer is None:
        return "no answer"
    if answer.status >= 500:
        return f"status {answer.status}"
    if answer.ok:
        return "accepted"
    return f"{answer.took_s:.1f} s" if answer.took_s > SLOW_S else ""


def _bodies() -> list[tuple[str, bytes]]:
    def rows(value: Any) -> bytes:
        return json.dumps({"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [value]}]}).encode()

    return [
        ("no JSON", b"{"),
        ("an empty object", b"{}"),
        ("a text for a number", rows("a")),
        ("NaN", rows(math.nan)),
        ("infinity", rows(math.inf)),
        ("a wrong shape", json.dumps({"instances": [[[[]]]], "inputs": [{"shape": [-1], "data": []}]}).encode()),
        ("deep nesting", b"[" * _DEEP + b"]" * _DEEP),
        ("very many numbers", json.dumps({"instances": [[0] * _WIDE]}).encode()),
    ]


def leakage(ask: Ask, facts: Facts) -> Outcome:
    """An error must not tell the caller about code, folders or versions."""
    requests = [
        Request(path="/redan-no-such-path"),
        Request(path="/%ff%fe"),
        Request(method="POST", path=facts.predict or "/", headers=(_JSON,), body=b'{"inputs": '),
        Request(method="POST", path=facts.predict or "/", headers=(("Content-Type", "multipart/form-data"),)),
    ]
    answered = [(request, answer) for request in requests if (answer := ask(request)) is not None]
    if not answered:
        return untested("the server did not answer")
    lines = [shown(r, a) for r, a in answered if _TRACE.search(a.text)]
    if lines:
        return Outcome(state="confirmed", said="errors hold stack traces or paths of the server", shown=tuple(lines))
    return unseen(f"{len(answered)} provoked errors held no stack trace and no path")


def teaches(ask: Ask, facts: Facts) -> Outcome:
    """Full-precision scores without a budget let somebody copy the model from its answers."""
    if not facts.predict:
        return untested("the endpoint that predicts is not known; put its path into the address")
    for body in ({"instances": [[0.0]]}, {"inputs": [[0.0]]}, {"inputs": "hello"}):
        request = Request(method="POST", path=facts.predict, headers=(_JSON,), body=json.dumps(body).encode())
        answer = ask(request)
        if answer is None or not answer.ok:
            continue
        precise = [value for value in _numbers(answer) if len(repr(value).rstrip("0").partition(".")[2]) > 4]
        if len(precise) > 1 and not any(name.startswith("x-ratelimit") for name in answer.headers):
            return Outcome(
                state="confirmed",
                said=f"answers hold {len(precise)} scores with more than four decimals and name no budget",
                shown=(shown(request, answer),),
            )
        return unseen("the answer holds no scores of full precision, or names a budget")
    return untested("no input was accepted, so no answer could be looked at")


def _numbers(answer: Answer) -> list[float]:
    found: list[float] = []
    pending = [answer.document]
    while pending and len(found) < 1000:
        value = pending.pop()
        if isinstance(value, float):
            found.append(value)
        elif isinstance(value, list):
            pending += value[:1000]
        elif isinstance(value, dict):
            pending += list(value.values())[:1000]
    return found
