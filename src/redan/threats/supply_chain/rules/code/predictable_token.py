"""A token, password, key or salt is made with ``random`` or NumPy.

What it means:
    These generators are made for simulation: from some outputs the next ones follow, and with a known seed all of
    them.

Why it matters:
    Training code sets seeds for repeatability, and then the tokens repeat as well.

How it is found:
    Calls of ``random`` and ``numpy.random`` whose result is assigned to a name that speaks of a secret, or is
    returned by a function with such a name.

What to do:
    ``secrets.token_urlsafe()``, ``secrets.choice``.

Bad:
        import random
        api_key = "".join(random.choices("abcdef0123456789", k=32))

Good:
        import secrets
        api_key = secrets.token_hex(16)

Limits:
    ``token`` is also a word of language models: names such as ``next_token`` and ``token_ids`` are left out.
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
        id="RDN-SUP-067",
        name="predictable-token",
        threat="supply_chain",
        title="A secret is drawn from a generator that can be predicted",
        severity=Severity.MEDIUM,
        remedy="Use the module secrets.",
        references=(
            "cwe:338",
            "cwe:330",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

SECRET = re.compile(
    r"(^|_)(passwords?|passwd|secret|secret_key|api_?key|auth_token|access_token|session_token|session_id|csrf_token|"
    r"reset_token|nonce|otp|salt|private_key|signing_key|encryption_key)$",
    re.IGNORECASE,
)
GENERATORS = ("random.", "numpy.random.")
SAFE = ("random.SystemRandom",)


def check(module: Module) -> Iterator[Match]:
    """Yield the secrets that can be predicted."""
    drawn = {
        id(c.node) for c in module.calls if any(n.startswith(GENERATORS) and not n.startswith(SAFE) for n in c.names)
    }
    if not drawn:
        return
    says = "is drawn from a generator that can be predicted"
    for name, binding, _ in module.stored():
        if binding.node is not None and SECRET.search(name.lstrip(".")) and _holds(binding.node, drawn):
            yield Match(line=binding.node.lineno, says=f"{name.lstrip('.')} {says}", confidence="likely")
    for scope in module.scopes:
        own = scope.name.rpartition(".")[2]
        if scope.kind == "function" and SECRET.search(own):
            for node in scope.returns:
                if _holds(node, drawn):
                    yield Match(line=node.lineno, says=f"what {own} returns {says}", confidence="likely")


def _holds(node: ast.AST, drawn: set[int]) -> bool:
    return any(id(each) in drawn for each in ast.walk(node))
