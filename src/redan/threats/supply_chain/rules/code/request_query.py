"""Text of a request becomes part of a query's text.

What it means:
    A handler formats what it was sent into SQL.

Why it matters:
    A visitor reads or changes the database: labels, predictions, users.

How it is found:
    What handlers are given is followed to the text, not to the parameters, of ``execute``, ``read_sql`` and
    ``sqlalchemy.text``.

What to do:
    ``execute("… where id = ?", (value,))``.

Bad:
        import sqlite3
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/u")
        def user():
            return sqlite3.connect("x").execute(f"select * from u where id = {request.args['id']}").fetchall()

Good:
        import sqlite3
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/u")
        def user():
            return sqlite3.connect("x").execute("select * from u where id = ?", (request.args["id"],)).fetchall()

Limits:
    Objects of query builders that take values safely are not told apart, so confidence is ``likely``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import queries
from redan.kernels.code.values import followed

RULE = rule(
    Rule(
        id="RDN-SUP-070",
        name="request-query",
        threat="supply_chain",
        title="A query is put together from a request",
        severity=Severity.HIGH,
        remedy="Pass values as parameters of the query.",
        references=(
            "cwe:89",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the queries that a request writes."""
    for call, argument in queries(module):
        node, _ = followed(argument.node, argument.scope)
        written = isinstance(node, (ast.JoinedStr, ast.BinOp, ast.Name, ast.Subscript, ast.Attribute)) or _formats(node)
        origin = module.taint(argument).get("request")
        if origin and written:
            yield Match(line=call.line, says=f"a query is written by {origin}", confidence="likely")


def _formats(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("format", "join", "get")
    )
