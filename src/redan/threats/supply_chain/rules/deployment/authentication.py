"""A request without a valid credential gets in.

What it means:
    A wrong, empty, expired or unsigned credential, or a disguised path, gets past the login.

Why it matters:
    The login protects nothing.

How it is found:
    Requests that must be refused are sent; one answer from 200 to 299 confirms.

What to do:
    Check the credential before routing, on the normalised path, with a library that refuses unsigned tokens.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-089",
        name="authentication-bypass",
        threat="supply_chain",
        title="A request without a valid credential gets in",
        severity=Severity.CRITICAL,
        remedy="Check credentials before routing, on the normalised path, with a library that refuses unsigned tokens.",
        references=("cwe:287", "cwe:347"),
    ),
    module=__name__,
    doc=__doc__,
)
