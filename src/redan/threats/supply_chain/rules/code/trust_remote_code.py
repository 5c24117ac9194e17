"""``trust_remote_code=True``: Python files of the model's repository are imported.

What it means:
    Loading downloads the repository's code and runs it, at whatever state the branch is in that moment.

Why it matters:
    Whoever owns the account, or takes it over, runs code on every machine that loads the model.

How it is found:
    The argument on any call, with whatever library (transformers, datasets, sentence-transformers, vLLM, lm-eval
    …), also inside ``model_kwargs`` and the like, and in ``HF_DATASETS_TRUST_REMOTE_CODE``.

What to do:
    Use a model whose architecture the library has. Else read the code, pin ``revision`` to that commit, and load in
    a sandbox.

Bad:
        from transformers import AutoModel
        model = AutoModel.from_pretrained("org/model", trust_remote_code=True)

Good:
        from transformers import AutoModel
        model = AutoModel.from_pretrained("org/model", revision="8d0e4b1f4a1c6b7e2a9d3c5f7081b2c3d4e5f601")

Limits:
    A value that is computed is not told. With a full commit as revision the confidence is ``possible``, because the
    code may have been read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.calls import Argument, Call

RULE = rule(
    Rule(
        id="RDN-SUP-048",
        name="trust-remote-code",
        threat="supply_chain",
        title="Code of a model's repository is run",
        severity=Severity.HIGH,
        remedy="Leave trust_remote_code out; where it is needed, pin a commit that was read.",
        references=(
            "cwe:829",
            "cwe:494",
            "atlas:AML.T0010",
            "owasp:ML06",
            "owasp:LLM03",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

TABLES = (
    "model_kwargs",
    "tokenizer_kwargs",
    "config_kwargs",
    "engine_kwargs",
    "hf_kwargs",
    "model_args",
    "load_kwargs",
)
COMMIT = re.compile(r"[0-9a-f]{40}")


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that run a repository's code."""
    seen: set[int] = set()
    for call, argument in module.given("trust_remote_code"):
        if argument.value is True and id(call) not in seen:
            seen.add(id(call))
            yield _match(call)
    for word in TABLES:
        for call, argument in module.given(word):
            if id(call) not in seen and _inside(argument):
                seen.add(id(call))
                yield _match(call)
    for line, name, value in module.environment():
        if name in ("HF_DATASETS_TRUST_REMOTE_CODE", "TRUST_REMOTE_CODE") and value in ("1", "true", "True", "TRUE"):
            yield Match(line=line, says=f"{name} lets every data set run its repository's code")


def _match(call: Call) -> Match:
    revision = call.value("revision") if call.argument("revision") is not None else None
    pinned = isinstance(revision, str) and COMMIT.fullmatch(revision)
    says = "trust_remote_code=True runs the code of the model's repository"
    return Match(line=call.line, says=says, confidence="possible" if pinned else "confirmed")


def _inside(argument: Argument) -> bool:
    node = argument.node
    pairs = zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
    return any(
        isinstance(key, ast.Constant)
        and key.value == "trust_remote_code"
        and Argument(value, argument.scope).value is True
        for key, value in pairs
    )
