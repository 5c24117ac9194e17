"""Jobs or models can be submitted without a credential.

What it means:
    An endpoint that takes jobs, models or notebooks answers without asking who is there.

Why it matters:
    A job is a program; submitting one is running code.

How it is found:
    The endpoint is asked for its list, nothing is submitted.

What to do:
    Switch the interface off, or put it behind a login and a network policy.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-087",
        name="takes-jobs",
        threat="supply_chain",
        title="Jobs or models can be submitted without a credential",
        severity=Severity.CRITICAL,
        remedy="Switch the interface off, or put it behind a login and a network policy.",
        references=("cwe:306", "atlas:AML.T0011"),
    ),
    module=__name__,
    doc=__doc__,
)
