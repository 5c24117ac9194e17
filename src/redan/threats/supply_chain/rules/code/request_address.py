"""A handler opens a connection to an address from the request.

What it means:
    The server asks whatever it is told to ask, with its own place in the network.

Why it matters:
    Visitors reach services behind the firewall and the cloud's metadata address, which hands out credentials.
    MLflow, Gradio and TorchServe had this weakness.

How it is found:
    What handlers are given is followed to the address of ``requests``, ``httpx``, ``aiohttp`` and ``urllib``.

What to do:
    Allow a list of hosts; resolve the name once, refuse private and link-local addresses, and connect to that
    address.

Bad:
        import requests
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/image")
        def image():
            return requests.get(request.args["url"], timeout=5).content

Good:
        import requests
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/image")
        def image():
            return requests.get(SOURCES[request.args["source"]], timeout=5).content

Limits:
    A check in between is not understood; an address with a constant host in front is left out. Confidence is
    ``likely``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import FETCHED, arguments

RULE = rule(
    Rule(
        id="RDN-SUP-071",
        name="request-address",
        threat="supply_chain",
        title="The server fetches an address that a request brings",
        severity=Severity.MEDIUM,
        remedy="Take names from a list; refuse private addresses after resolving.",
        references=(
            "cwe:918",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

FIXED_HOST = re.compile(r"https?://[^/{}]+/")


def check(module: Module) -> Iterator[Match]:
    """Yield what fetches an address from a request."""
    for call, argument in arguments(module, FETCHED):
        origin = module.taint(argument).get("request")
        value = argument.value
        if origin and not (isinstance(value, str) and FIXED_HOST.match(value)):
            yield Match(line=call.line, says=f"{call.names[0]} asks an address from {origin}", confidence="likely")
