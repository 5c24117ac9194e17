"""``torch.load(weights_only=False)``: whatever code the file holds is run.

What it means:
    The restriction to weights is switched off: by ``weights_only=False``, by another pickle module, or for the
    whole process by ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD``.

Why it matters:
    A model file is a program when it is read as a pickle; it runs with the rights and credentials of whoever loads
    it.

How it is found:
    Calls of ``torch.load`` whose argument is constantly false, also through names, ``functools.partial`` and ``**``
    of a dictionary; settings of the environment variable.

What to do:
    Load with ``weights_only=True``; classes that are really needed are named with
    ``torch.serialization.add_safe_globals``. Files of others: convert to safetensors in a sandbox.

Bad:
        import torch
        model = torch.load("model.pt", weights_only=False)

Good:
        import torch
        torch.serialization.add_safe_globals([MyConfig])
        state = torch.load("model.pt", weights_only=True)

Limits:
    A value that is computed is not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-042",
        name="torch-load-unsafe",
        threat="supply_chain",
        title="torch.load is told to run the code in a file",
        severity=Severity.HIGH,
        remedy="Pass weights_only=True and allow-list the classes it needs with torch.serialization.add_safe_globals.",
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

VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def check(module: Module) -> Iterator[Match]:
    """Yield the calls and settings that switch the restriction off."""
    for call in module.called("torch.load", "torch.serialization.load"):
        if call.value("weights_only") is False:
            yield Match(line=call.line, says="torch.load(weights_only=False) runs whatever code the file holds")
        elif call.argument("pickle_module", 2) is not None and call.value("weights_only") is None:
            yield Match(
                line=call.line, says="torch.load with a pickle module of its own runs code", confidence="likely"
            )
    for line, name, value in module.environment():
        if name == VARIABLE and value in ("1", "y", "yes", "true", "True"):
            yield Match(line=line, says=f"{VARIABLE} makes every torch.load run code")
