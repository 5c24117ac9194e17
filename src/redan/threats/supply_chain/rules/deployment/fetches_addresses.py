"""The server fetches an address out of a request.

What it means:
    A request makes the server fetch an address that the caller chose.

Why it matters:
    Internal services and cloud metadata become reachable; models can be loaded from anywhere.

How it is found:
    The address given is a listener on this machine that Redan opens for the test; a fetch confirms.

What to do:
    Allow addresses by list, and refuse private ranges after the name is resolved.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-085",
        name="fetches-addresses",
        threat="supply_chain",
        title="The server fetches an address out of a request",
        severity=Severity.HIGH,
        remedy="Allow addresses by list, and refuse private ranges after the name is resolved.",
        references=("cwe:918",),
    ),
    module=__name__,
    doc=__doc__,
)
