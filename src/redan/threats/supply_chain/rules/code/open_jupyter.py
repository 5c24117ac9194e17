"""A notebook server is configured to let everyone in.

What it means:
    An empty token and password mean that whoever reaches the port runs code.

Why it matters:
    Open notebook servers are found within hours and are used for mining and theft of credentials.

How it is found:
    Settings of ``token`` and ``password`` to empty strings in configuration files, and options such as
    ``--NotebookApp.token=''`` in commands.

What to do:
    Keep the token; for a shared server use JupyterHub.

Bad:
        c = get_config()
        c.ServerApp.token = ""

Good:
        c = get_config()
        c.ServerApp.ip = "127.0.0.1"

Limits:
    Whether the port can be reached from outside is not known.
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
        id="RDN-SUP-060",
        name="open-jupyter",
        threat="supply_chain",
        title="Jupyter is started without a token",
        severity=Severity.HIGH,
        remedy="Leave the token on, or set a password hash.",
        references=(
            "cwe:306",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

OPTION = re.compile(r"""--(?:NotebookApp|ServerApp|IdentityProvider)\.(?:token|password)=(?:''|"")?\s*$""")
INSIDE = re.compile(r"""--(?:NotebookApp|ServerApp|IdentityProvider)\.(?:token|password)=(?:''|""|\s)""")
APPLICATIONS = ("NotebookApp", "ServerApp", "IdentityProvider", "PasswordIdentityProvider")


def check(module: Module) -> Iterator[Match]:
    """Yield the settings that let everyone in."""
    if not module.mentions(*APPLICATIONS):
        return
    for line, text in module.texts():
        if OPTION.search(text) or INSIDE.search(text):
            yield Match(line=line, says="Jupyter is started without a token")
    for node in ast.walk(module.source.tree):
        if isinstance(node, ast.Assign) and _empties(node):
            yield Match(line=node.lineno, says="Jupyter is configured without a token")


def _empties(node: ast.Assign) -> bool:
    target = node.targets[0]
    return (
        isinstance(target, ast.Attribute)
        and target.attr == "token"
        and isinstance(target.value, ast.Attribute)
        and target.value.attr in APPLICATIONS
        and isinstance(node.value, ast.Constant)
        and node.value.value == ""
    )
