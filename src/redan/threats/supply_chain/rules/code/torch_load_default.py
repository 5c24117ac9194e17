"""``torch.load`` is called without saying ``weights_only``.

What it means:
    The file is a pickle. What is loaded from it depends on the installed version: since torch 2.6 (January 2025)
    only weights are read unless told otherwise, before that any code in the file runs.

Why it matters:
    The same program is safe on one machine and runs a stranger's code on the next one with an older torch.

How it is found:
    Calls of ``torch.load`` under any name, also through ``functools.partial``, without ``weights_only``.

What to do:
    Write ``weights_only=True``, which every version since 1.13 knows, and scan the file first; or use safetensors.

Bad:
        import torch
        state = torch.load("model.pt", map_location="cpu")

Good:
        import torch
        state = torch.load("model.pt", map_location="cpu", weights_only=True)

Limits:
    The installed version is not asked, because it is not part of the code. Calls with ``**kwargs`` that cannot be
    read are not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-041",
        name="torch-load-default",
        threat="supply_chain",
        title="torch.load runs code in files before torch 2.6",
        severity=Severity.MEDIUM,
        remedy="Pass weights_only=True, or load safetensors.",
        references=(
            "cwe:502",
            "atlas:AML.T0018.002",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that leave it to the version of torch."""
    for call in module.called("torch.load", "torch.serialization.load"):
        if call.argument("pickle_module", 2) is None and call.value("weights_only") is None:
            yield Match(
                line=call.line, says="torch.load without weights_only runs code before torch 2.6", confidence="likely"
            )
