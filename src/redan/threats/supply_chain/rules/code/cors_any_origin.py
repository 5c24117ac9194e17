"""Cross-origin requests are allowed from anywhere together with credentials.

What it means:
    With ``allow_origins=['*']`` and ``allow_credentials=True`` any website that a user visits can use the service
    in that user's name.

Why it matters:
    Prompts, documents and predictions of the user are read by a stranger's page.

How it is found:
    ``CORSMiddleware`` of FastAPI and Starlette and ``flask_cors.CORS`` with these constants.

What to do:
    Name the origins, or leave credentials out.

Bad:
        from fastapi import FastAPI
        from fastapi.middleware.cors import CORSMiddleware
        app = FastAPI()
        app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)

Good:
        from fastapi import FastAPI
        from fastapi.middleware.cors import CORSMiddleware
        app = FastAPI()
        app.add_middleware(CORSMiddleware, allow_origins=["https://app.example.org"], allow_credentials=True)

Limits:
    Settings that are computed are not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-073",
        name="cors-any-origin",
        threat="supply_chain",
        title="Every website may call the service with its users' credentials",
        severity=Severity.MEDIUM,
        remedy="List the origins that may call.",
        references=(
            "cwe:942",
            "cwe:346",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

ANY = frozenset({"*", ".*", "https?://.*", "http://*", "https://*"})


def check(module: Module) -> Iterator[Match]:
    """Yield the services that every website may call."""
    for call, origins in module.given("allow_origins"):
        if _any(origins.value) and call.value("allow_credentials") is True:
            yield Match(line=call.line, says="any origin may call with credentials")
    for call, pattern in module.given("allow_origin_regex"):
        if _any(pattern.value) and call.value("allow_credentials") is True:
            yield Match(line=call.line, says="any origin may call with credentials")
    for call in module.called("flask_cors.CORS", "flask_cors.cross_origin"):
        if call.value("supports_credentials") is True and _any(call.value("origins", default="*")):
            yield Match(line=call.line, says="any origin may call with credentials")


def _any(value: object) -> bool:
    return any(each in ANY for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, str))
