"""The loader resolved a name that the scan did not see.

What it means:
    The file was loaded once in the sandbox. Python's own unpickler asked for a module and a name there that the
    interpretation of the same bytes had not found: the scanner and the loader understand the file differently.

Why it matters:
    Everything that a scan promises rests on both seeing the same. A file in which they differ was either made to
    deceive scanners, or shows a gap in this one; its verdict cannot be relied on.

How it is found:
    The audit event ``pickle.find_class`` fires for each name before it is resolved. Names are told at once over a pipe,
    so that code which runs later can add to them and cannot take one back.

What to do:
    Do not load the file outside the sandbox. Report it to Redan, with the file if you may share it.

Limits:
    Only unpicklers that raise the event are seen: those of Python, joblib, numpy and torch.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-007",
        name="unseen-name",
        threat="supply_chain",
        title="The loader resolved a name that the scan did not see",
        severity=Severity.CRITICAL,
        remedy="Do not load it outside the sandbox; report the file to Redan.",
        references=("cwe:502", "atlas:AML.T0018.002", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
