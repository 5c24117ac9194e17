"""Bytes of a request reach a function that runs what a pickle says.

What it means:
    A handler of a web framework or model server passes what it was sent to pickle, joblib, torch, NumPy with
    pickles, or an unsafe YAML loader.

Why it matters:
    One request is enough to run code with the rights of the server: the model, its data and its credentials are
    lost.

How it is found:
    Parameters and request objects of handlers (Flask, FastAPI, Django, aiohttp, Tornado, BentoML, Gradio,
    TorchServe, SageMaker and others) are followed through variables and functions, also of other files, to the
    loading functions.

What to do:
    Take a format without code: JSON, NumPy without pickles, Arrow, safetensors.

Bad:
        import pickle
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/predict", methods=["POST"])
        def predict():
            return str(pickle.loads(request.data))

Good:
        import json
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/predict", methods=["POST"])
        def predict():
            return str(json.loads(request.data))

Limits:
    Flows know no types: a path that was checked before still counts. Frameworks that register handlers by
    configuration are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import unpicklings

RULE = rule(
    Rule(
        id="RDN-SUP-055",
        name="request-unpickled",
        threat="supply_chain",
        title="What a request brings is unpickled",
        severity=Severity.CRITICAL,
        remedy="Take JSON, Arrow or safetensors; never unpickle what comes from outside.",
        references=(
            "cwe:502",
            "atlas:AML.T0049",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield what unpickles a request."""
    for call, argument in unpicklings(module):
        origin = module.taint(argument).get("request")
        if origin:
            yield Match(line=call.line, says=f"{call.names[0]} runs what comes from {origin}", confidence="likely")
