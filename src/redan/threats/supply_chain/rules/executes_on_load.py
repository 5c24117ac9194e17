"""Loading this file would run code of its author's choice.

What it means:
    The file imports a callable that can run code, start a process, open a file or a connection, or it builds such a
    callable in a way that hides it: computed import names, calls of call results, state written into imported
    objects, extension registry codes, templates that reach into Python. Whoever wrote the file runs with the rights
    of whoever loads it.

Why it matters:
    Model files are shared like data and loaded like programs. The code runs before the first prediction, with the
    credentials of the training or serving machine.

How it is found:
    The opcodes are interpreted abstractly; nothing is imported or called. Each finding names the member of the
    container and the byte offset, so that ``python -m pickletools`` shows the same place.

What to do:
    Do not load the file. Ask its publisher for safetensors, ONNX or another format without code, or retrain. If the
    callable is legitimate, add an ignore with a reason and an expiry date, and load in the sandbox (``--trust``).

Limits:
    The verdict is about loading. A file that loads safely can still be a bad or backdoored model.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-002",
        name="executes-on-load",
        threat="supply_chain",
        title="Loading the file runs code",
        severity=Severity.CRITICAL,
        remedy="Do not load it; get the weights as safetensors or ONNX, or retrain.",
        references=("cwe:502", "atlas:AML.T0018.002", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
