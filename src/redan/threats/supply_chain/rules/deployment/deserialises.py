"""Request bodies can run code.

What it means:
    An endpoint takes bodies in a format that runs code when it is read.

Why it matters:
    Whoever can send a request runs code on the server.

How it is found:
    Empty bodies of such types are sent and the answers compared with that to a type that does not exist; no
    pickle is ever sent.

What to do:
    Take JSON, Arrow or protobuf; refuse every type of body that is not on a list.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-086",
        name="unpickles-requests",
        threat="supply_chain",
        title="Request bodies can run code",
        severity=Severity.CRITICAL,
        remedy="Take JSON, Arrow or protobuf; refuse every type of body that is not on a list.",
        references=("cwe:502", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
