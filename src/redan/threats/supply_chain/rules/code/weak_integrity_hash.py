"""MD5 or SHA-1 decides whether a model or data file is the right one.

What it means:
    Two files with the same MD5 or SHA-1 can be made, so that one is looked at and the other one is loaded.

Why it matters:
    A check that can be forged gives a false sense of safety.

How it is found:
    ``hashlib.md5`` and ``sha1`` without ``usedforsecurity=False`` in functions whose name speaks of checking or
    downloading, and ``md5_hash`` given to Keras' ``get_file``.

What to do:
    Use SHA-256. Where an old checksum must be compared, say ``usedforsecurity=False`` and check a strong one too.

Bad:
        import hashlib
        def verify_checkpoint(data, expected):
            return hashlib.md5(data).hexdigest() == expected

Good:
        import hashlib
        def verify_checkpoint(data, expected):
            return hashlib.sha256(data).hexdigest() == expected

Limits:
    The purpose is told by the function's name alone, so confidence is ``possible``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-066",
        name="weak-integrity-hash",
        threat="supply_chain",
        title="A file is checked with a hash that can be forged",
        severity=Severity.LOW,
        remedy="Use SHA-256, BLAKE2 or BLAKE3.",
        references=(
            "cwe:328",
            "cwe:327",
            "atlas:AML.T0010",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

PURPOSE = re.compile(r"verif|check|integrity|download|valid|authentic|signature", re.IGNORECASE)


def check(module: Module) -> Iterator[Match]:
    """Yield the weak hashes of files."""
    for call in module.called("hashlib.md5", "hashlib.sha1", "hashlib.new"):
        weak = call.names[0].rpartition(".")[2]
        if weak == "new":
            weak = str(call.value("name", 0)).lower()
        if weak not in ("md5", "sha1") or call.value("usedforsecurity") is False:
            continue
        if call.scope.kind == "function" and PURPOSE.search(call.scope.name.rpartition(".")[2]):
            yield Match(line=call.line, says=f"{weak.upper()} checks a file", confidence="possible")
    for call, _ in module.given("md5_hash"):
        if any(name.endswith("get_file") for name in call.names):
            yield Match(line=call.line, says="MD5 checks a download", confidence="likely")
