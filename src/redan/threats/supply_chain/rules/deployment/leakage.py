"""Errors hold stack traces or paths.

What it means:
    An error shows code, folders or versions.

Why it matters:
    It tells an attacker which library to attack and where files lie.

How it is found:
    Errors are provoked with harmless requests and searched for traces.

What to do:
    Answer errors with a number that leads to the log, and nothing else.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-092",
        name="errors-leak",
        threat="supply_chain",
        title="Errors hold stack traces or paths",
        severity=Severity.LOW,
        remedy="Answer errors with a number that leads to the log, and nothing else.",
        references=("cwe:209",),
    ),
    module=__name__,
    doc=__doc__,
)
