"""A file outside the served folder comes back.

What it means:
    A path with encoded or doubled separators leads out of the folder that is served.

Why it matters:
    Keys, tokens and other people's models can be read.

How it is found:
    Only a canary file that the operator made is asked for; its content in an answer confirms.

What to do:
    Upgrade, and serve files only through a resolver that refuses paths outside its folder.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-084",
        name="path-traversal",
        threat="supply_chain",
        title="A file outside the served folder comes back",
        severity=Severity.CRITICAL,
        remedy="Upgrade, and serve files only through a resolver that refuses paths outside its folder.",
        references=("cwe:22", "atlas:AML.T0049"),
    ),
    module=__name__,
    doc=__doc__,
)
