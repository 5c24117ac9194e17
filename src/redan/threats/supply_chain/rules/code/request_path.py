"""A path, or a part of one, that a request brings is opened or loaded.

What it means:
    A handler opens, loads, sends or removes a file whose name is in the request.

Why it matters:
    ``../`` and absolute paths reach any file that the server may read; a model that is loaded from there runs code.
    MLflow and Ray had this weakness several times.

How it is found:
    What handlers are given is followed to ``open``, loading functions of the frameworks, ``send_file`` and
    ``pathlib``. Numbers, ``os.path.basename`` and ``secure_filename`` end a flow.

What to do:
    Look names up in a table of yours; else ``resolve()`` the path and compare with the folder by
    ``is_relative_to``.

Bad:
        from fastapi import FastAPI
        app = FastAPI()

        @app.get("/model/{name}")
        def model(name: str):
            return open("models/" + name).read()

Good:
        from fastapi import FastAPI
        app = FastAPI()

        @app.get("/model/{name}")
        def model(name: str):
            return open(MODELS[name]).read()

Limits:
    A check in between is not understood, so confidence is ``possible``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import OPENED, arguments

RULE = rule(
    Rule(
        id="RDN-SUP-056",
        name="request-path",
        threat="supply_chain",
        title="A path from a request is opened",
        severity=Severity.MEDIUM,
        remedy="Choose from a list, or resolve the path and insist that it lies below your folder.",
        references=(
            "cwe:22",
            "cwe:73",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield what opens a path from a request."""
    for call, argument in arguments(module, OPENED):
        origin = module.taint(argument).get("request")
        if origin and not _resolved(module, call.scope):
            yield Match(line=call.line, says=f"{call.names[0]} opens a path from {origin}", confidence="possible")


def _resolved(module: Module, scope: object) -> bool:
    """Tell whether the function compares paths after resolving them."""
    node = getattr(scope, "node", None)
    if node is None:
        return False
    return any(
        isinstance(each, ast.Attribute) and each.attr in ("is_relative_to", "commonpath") for each in ast.walk(node)
    )
