"""Loading this file calls something that Redan does not know to be harmless.

What it means:
    The file imports a name that stands neither on the allow-list (constructors and rebuild functions of common
    frameworks, frozen with their versions) nor on the deny-list, and its arguments look harmless. It may be your own
    class; it may be a new trick.

Why it matters:
    Deny-lists are always one name behind. What is not known to be harmless is not called safe.

How it is found:
    Default deny: each import and each call of the stream is looked up; the verdict does not depend on what is
    installed on the machine.

What to do:
    Look at the name. If it is your own code, add an ignore with reason and expiry; better, save weights and rebuild
    the object in code.

Limits:
    The allow-list covers the frameworks named in it at the versions named in it.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-003",
        name="unlisted-callable",
        threat="supply_chain",
        title="Loading the file calls something unknown",
        severity=Severity.MEDIUM,
        remedy="Look at the name; if it is yours, ignore it with a reason and an expiry date.",
        references=("cwe:502", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
