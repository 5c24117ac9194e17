"""Loading the file tried something that no model needs.

What it means:
    The file was loaded once in the sandbox, and while it loaded it tried to write or change files, to read files that
    are not its own, to reach the network, to start a process or to signal one. The sandbox refused.

Why it matters:
    Outside the sandbox nothing would have refused: the act would have run with your rights and credentials.

How it is found:
    The kernel refuses (Landlock, seccomp); Python's audit events give the act its name. What installed libraries look
    for on the machine while they are imported is not counted.

What to do:
    Do not use the file. Ask its publisher for safetensors or ONNX, or retrain.

Limits:
    An act of native code is refused and has no name here; loading then usually fails.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-008",
        name="acts-on-load",
        threat="supply_chain",
        title="Loading the file tried something that no model needs",
        severity=Severity.CRITICAL,
        remedy="Do not use it; get the weights as safetensors or ONNX, or retrain.",
        references=("cwe:502", "atlas:AML.T0018.002", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
