"""A server is started on ``0.0.0.0`` or ``::``.

What it means:
    Every machine that can route to this one reaches the server, also where nobody thought of it: in a cloud
    network, a conference's wireless network.

Why it matters:
    Model servers and their control planes mostly have no login of their own.

How it is found:
    Constant hosts of starting functions of web frameworks and model servers: ``run``, ``launch``, ``serve``,
    ``ray.init``, ``serve.start``.

What to do:
    Bind to the loopback address, or to the address of the network that is meant; in a container this is usual and
    may be ignored with a reason.

Bad:
        import uvicorn
        uvicorn.run("app:app", host="0.0.0.0")

Good:
        import uvicorn
        uvicorn.run("app:app", host="127.0.0.1")

Limits:
    A login or a firewall in front is not seen, so confidence is ``possible``.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-061",
        name="binds-everywhere",
        threat="supply_chain",
        title="A server listens on every interface",
        severity=Severity.LOW,
        remedy="Listen on 127.0.0.1 and put a proxy with a login in front.",
        references=(
            "cwe:668",
            "cwe:1327",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

EVERYWHERE = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104  # what is looked for
STARTING = (
    ".run",
    ".launch",
    ".serve",
    ".start",
    ".run_server",
    ".run_app",
    ".run_simple",
    ".serve_forever",
    ".TCPSite",
    ".listen",
)


def check(module: Module) -> Iterator[Match]:
    """Yield the servers that everybody reaches."""
    for word in ("host", "server_name", "http_host", "listen_address", "bind", "address"):
        for call, argument in module.given(word):
            value = argument.value
            if isinstance(value, str) and value in EVERYWHERE and call.names[0].endswith(STARTING):
                yield Match(line=call.line, says=f"{_short(call.names[0])} listens on {value}", confidence="possible")
    for call in module.called("flask.Flask().run"):
        value = call.value("host", 0)
        if isinstance(value, str) and value in EVERYWHERE and call.argument("host", -1) is None:
            yield Match(line=call.line, says=f"flask.Flask.run listens on {value}", confidence="possible")


def _short(name: str) -> str:
    return name.replace("()", "").replace("?.", "")
