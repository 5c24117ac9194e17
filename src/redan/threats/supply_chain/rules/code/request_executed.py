"""Text of a request reaches ``eval``, ``exec``, an import, a shell or a program's arguments.

What it means:
    A handler runs what it was sent, as Python or as a command.

Why it matters:
    One request is enough to take the server over.

How it is found:
    What handlers are given is followed through variables and functions to what executes it.

What to do:
    Look the wanted action up in a table of functions; pass arguments as a list to a fixed program.

Bad:
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/eval")
        def evaluate():
            return str(eval(request.args["q"]))

Good:
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/eval")
        def evaluate():
            return str(ACTIONS[request.args["q"]]())

Limits:
    Arguments of a fixed program count only where a shell reads them.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import EVALUATED, arguments, commands

RULE = rule(
    Rule(
        id="RDN-SUP-069",
        name="request-executed",
        threat="supply_chain",
        title="What a request brings is executed",
        severity=Severity.CRITICAL,
        remedy="Never execute what comes from outside; choose from a list of actions.",
        references=(
            "cwe:94",
            "cwe:78",
            "cwe:95",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield what executes a request."""
    for found in (arguments(module, EVALUATED), commands(module)):
        for call, argument in found:
            origin = module.taint(argument).get("request")
            if origin:
                yield Match(line=call.line, says=f"{call.names[0]} runs what comes from {origin}", confidence="likely")
