"""A web server is started with its debugger on.

What it means:
    ``app.run(debug=True)`` of Flask gives everyone who reaches it and guesses the PIN a Python console; other
    frameworks show source, settings and tracebacks.

Why it matters:
    Demonstrations of models are often started this way and stay on.

How it is found:
    ``debug`` constantly true at ``run`` of Flask, Quart, Dash, Bottle and Sanic, at the constructors of FastAPI and
    Starlette, and at ``tornado.web.Application``; ``reload`` of uvicorn on all interfaces.

What to do:
    Read the mode from the environment and leave it off by default.

Bad:
        from flask import Flask
        app = Flask(__name__)
        app.run(debug=True)

Good:
        from flask import Flask
        app = Flask(__name__)
        app.run(debug=False)

Limits:
    A value that is computed is not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-058",
        name="debug-server",
        threat="supply_chain",
        title="A server is started in debug mode",
        severity=Severity.HIGH,
        remedy="Start without debug; use a production server (gunicorn, uvicorn without reload).",
        references=(
            "cwe:489",
            "cwe:94",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

APPLICATIONS = ("flask.Flask()", "quart.Quart()", "dash.Dash()", "sanic.Sanic()", "bottle.Bottle()")
RUNNERS = (*(f"{app}.run" for app in APPLICATIONS), "dash.Dash().run_server", "bottle.run", "quart.Quart().run_task")
EVERYWHERE = "0.0.0.0"  # noqa: S104  # what is looked for
CONSTRUCTORS = ("fastapi.FastAPI", "starlette.applications.Starlette", "tornado.web.Application")


def check(module: Module) -> Iterator[Match]:
    """Yield the servers with a debugger."""
    for call in module.called(*RUNNERS, *CONSTRUCTORS):
        if call.value("debug") is True:
            yield Match(line=call.line, says=f"{call.names[0].replace('()', '')}(debug=True)")
    for call in module.called("uvicorn.run"):
        if call.value("reload") is True and call.value("host") == EVERYWHERE:
            yield Match(line=call.line, says="uvicorn reloads changed code and listens on every interface")
