"""A download reaches ``exec``, a shell, an import or a function that runs what a pickle says.

What it means:
    The bytes that another machine gives are run here, in the same program and without a look at them.

Why it matters:
    Whoever owns the address, the account or the way to it runs code here.

How it is found:
    Results of ``hf_hub_download``, ``snapshot_download``, ``urlopen``, ``requests.get`` and other downloads are
    followed through variables and functions to what executes or unpickles them.

What to do:
    Fetch safetensors or ONNX. Else write the SHA-256 into the code, or scan the file (``redan scan``) and load it
    in a sandbox.

Bad:
        import pickle
        import requests
        model = pickle.loads(requests.get("https://example.org/m.pkl", timeout=9).content)

Good:
        import requests
        from safetensors.torch import load
        weights = load(requests.get("https://example.org/m.safetensors", timeout=9).content)

Limits:
    A check of a hash in between is not understood; a download at a full commit counts all the same, with confidence
    ``possible``.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import EVALUATED, arguments, commands, unpicklings

RULE = rule(
    Rule(
        id="RDN-SUP-075",
        name="download-executed",
        threat="supply_chain",
        title="What is downloaded is executed or unpickled",
        severity=Severity.HIGH,
        remedy="Use a format without code; else pin the hash and scan before loading.",
        references=(
            "cwe:494",
            "cwe:502",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield what runs a download."""
    for found in (arguments(module, EVALUATED), commands(module), unpicklings(module)):
        for call, argument in found:
            origin = module.taint(argument).get("download")
            if origin:
                weights = call.names[0] == "torch.load" and call.value("weights_only") is None
                yield Match(
                    line=call.line,
                    says=f"{call.names[0]} runs what comes from {origin}",
                    confidence="possible" if weights else "likely",
                )
