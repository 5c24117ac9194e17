"""Transport and headers.

What it means:
    The way to the server is not encrypted, trusts any web page, or leaves pages for developers open.

Why it matters:
    Inputs and answers can be read or changed on the way; a web page can ask in a visitor's name.

How it is found:
    Headers of one answer are read and a list of well-known pages is asked for.

What to do:
    Use TLS, name the origins you trust, and switch developers' pages off.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-088",
        name="weak-transport",
        threat="supply_chain",
        title="Transport and headers",
        severity=Severity.MEDIUM,
        remedy="Use TLS, name the origins you trust, and switch developers' pages off.",
        references=("cwe:319", "cwe:942"),
    ),
    module=__name__,
    doc=__doc__,
)
