"""Part of this file was not read, so nothing can be said about it.

What it means:
    The file is truncated or damaged, hides bytes after its end, is encrypted, exceeds a limit (opcodes, bytes,
    members, depth), or is of a format that this version of Redan has no reader for.

Why it matters:
    "Not tested" is never "safe": a scanner that stops at the first error and reports nothing found is the easiest one
    to deceive.

How it is found:
    Every reader must account for the whole file. Limits count opcodes, bytes and members, never seconds, so the same
    file has the same verdict on every machine.

What to do:
    Get the file again, or in a format that can be read; raise the limit if you trust its source; or load it only in
    the sandbox (``--trust``).

Limits:
    None: this is the rule that states limits.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-005",
        name="not-read",
        threat="supply_chain",
        title="Part of the file was not read",
        severity=Severity.MEDIUM,
        remedy="Get the file again or in a format that can be read.",
        references=("cwe:693", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
