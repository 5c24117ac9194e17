"""Malformed input is accepted or breaks the server.

What it means:
    NaN, wrong shapes, texts for numbers, deep nesting or very many numbers are accepted, answered with an error
    of the server, or answered slowly.

Why it matters:
    Each is a way to crash the server or to get answers that mean nothing.

How it is found:
    Eight bounded bodies are sent; anything but a quick status from 400 to 499 confirms.

What to do:
    Validate shape, type, range and size before the model sees the input.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-091",
        name="unvalidated-input",
        threat="supply_chain",
        title="Malformed input is accepted or breaks the server",
        severity=Severity.MEDIUM,
        remedy="Validate shape, type, range and size before the model sees the input.",
        references=("cwe:20", "cwe:1284"),
    ),
    module=__name__,
    doc=__doc__,
)
