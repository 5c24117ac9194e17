"""Lists and controls answer without a credential.

What it means:
    A model server lists its models, jobs or files to whoever asks.

Why it matters:
    Whoever reaches the port learns what runs there and often can change it: load another model, read artifacts,
    submit jobs. Most of these servers have no login of their own.

How it is found:
    The lists that each recognised product is known for are asked for without a credential; a status from 200 to
    299 confirms.

What to do:
    Put the server behind a proxy that asks for a credential, or bind it to the loopback address.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-081",
        name="open-server-lists",
        threat="supply_chain",
        title="Lists and controls answer without a credential",
        severity=Severity.HIGH,
        remedy="Put the server behind a proxy that asks for a credential, or bind it to the loopback address.",
        references=("cwe:306", "atlas:AML.T0040"),
    ),
    module=__name__,
    doc=__doc__,
)
