"""A handler checks who may do something with ``assert``.

What it means:
    Python leaves assert statements out when it is started with ``-O``; the check is then gone.

Why it matters:
    Whoever starts the server with optimisation opens it without knowing.

How it is found:
    Assert statements in functions that answer requests whose condition speaks of users, tokens, roles or rights.

What to do:
    ``if not allowed: raise HTTPException(403)``.

Bad:
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/admin")
        def admin():
            assert request.headers["X-Token"] == TOKEN
            return "ok"

Good:
        from flask import Flask, abort, request
        app = Flask(__name__)

        @app.route("/admin")
        def admin():
            if request.headers["X-Token"] != TOKEN:
                abort(403)
            return "ok"

Limits:
    The meaning is told by names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-072",
        name="assert-guards",
        threat="supply_chain",
        title="A check of rights is an assert",
        severity=Severity.MEDIUM,
        remedy="Raise an error of the framework instead.",
        references=(
            "cwe:617",
            "cwe:285",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

RIGHTS = re.compile(
    r"token|auth|admin|permission|role\b|allowed|password|secret|api_?key|is_owner|session", re.IGNORECASE
)


def check(module: Module) -> Iterator[Match]:
    """Yield the asserts that guard something."""
    for scope in module.scopes:
        if scope.asserts and module.handler_of(scope):
            for statement in scope.asserts:
                if any(RIGHTS.search(word) for word in _words(statement.test)):
                    yield Match(
                        line=statement.lineno,
                        says="an assert decides who may do this; python -O removes it",
                        confidence="likely",
                    )


def _words(test: ast.expr) -> Iterator[str]:
    for node in ast.walk(test):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
