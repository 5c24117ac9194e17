"""Nobody is told to wait.

What it means:
    Many requests without pause are all answered.

Why it matters:
    Extraction, evasion by queries and exhaustion all need many requests.

How it is found:
    Forty small requests; the first 429 ends the check.

What to do:
    Limit requests for each client, and answer 429 with Retry-After.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-090",
        name="no-rate-limit",
        threat="supply_chain",
        title="Nobody is told to wait",
        severity=Severity.MEDIUM,
        remedy="Limit requests for each client, and answer 429 with Retry-After.",
        references=("cwe:770", "atlas:AML.T0034", "atlas:AML.T0024"),
    ),
    module=__name__,
    doc=__doc__,
)
