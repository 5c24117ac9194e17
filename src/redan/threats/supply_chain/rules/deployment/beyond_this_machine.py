"""The port is open to other machines.

What it means:
    The server listens on an address that other machines can reach.

Why it matters:
    Development servers and management ports are made for one user on one machine.

How it is found:
    The socket tables of this machine are read; nothing is sent.

What to do:
    Bind the server to 127.0.0.1 and let a gateway face the network.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-082",
        name="listens-beyond-loopback",
        threat="supply_chain",
        title="The port is open to other machines",
        severity=Severity.MEDIUM,
        remedy="Bind the server to 127.0.0.1 and let a gateway face the network.",
        references=("cwe:1327",),
    ),
    module=__name__,
    doc=__doc__,
)
