"""A template outside of a sandbox is made from text that a request, a model or a download brings.

What it means:
    Jinja and Mako templates reach any Python object; a text that is compiled as one is a program.

Why it matters:
    Chat templates travel inside model files (CVE-2024-34359 in llama-cpp-python was this); answers and requests
    carry text of strangers.

How it is found:
    Such texts are followed to ``Template``, ``from_string`` of an ordinary environment and
    ``render_template_string``; attributes named ``chat_template`` count as coming from the model.

What to do:
    Render fixed templates with values; chat templates in ``ImmutableSandboxedEnvironment``, as transformers does.

Bad:
        from flask import Flask, render_template_string, request
        app = Flask(__name__)

        @app.route("/hello")
        def hello():
            return render_template_string("Hello " + request.args["name"])

Good:
        from flask import Flask, render_template_string, request
        app = Flask(__name__)

        @app.route("/hello")
        def hello():
            return render_template_string("Hello {{ name }}", name=request.args["name"])

Limits:
    Texts read from files are not followed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.calls import Argument
from redan.kernels.code.sinks import templates

RULE = rule(
    Rule(
        id="RDN-SUP-074",
        name="template-injection",
        threat="supply_chain",
        title="A text from outside is compiled as a template",
        severity=Severity.HIGH,
        remedy="Pass the text as a value; else use jinja2.sandbox.ImmutableSandboxedEnvironment.",
        references=(
            "cwe:1336",
            "cwe:94",
            "atlas:AML.T0051",
            "owasp:LLM05",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the templates that somebody else writes."""
    for call, argument in templates(module):
        taint = module.taint(argument)
        if taint:
            yield Match(
                line=call.line, says=f"a template is written by {next(iter(taint.values()))}", confidence="likely"
            )
        elif _chat(argument):
            yield Match(
                line=call.line, says="a model's chat template is compiled outside of a sandbox", confidence="likely"
            )


def _chat(argument: Argument) -> bool:
    for node in ast.walk(argument.node):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        if name in ("chat_template", "tokenizer.chat_template"):
            return True
    return False
