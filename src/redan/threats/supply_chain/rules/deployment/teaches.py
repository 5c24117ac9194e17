"""Answers hold full-precision scores and no budget.

What it means:
    Scores of full precision are returned without a budget.

Why it matters:
    They are what model extraction and score-based evasion need; see Tramèr et al. 2016 (arXiv 1609.02943).

How it is found:
    One prediction is asked for and its numbers are looked at.

What to do:
    Round scores or answer labels, and give each client a budget of queries.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-093",
        name="answers-teach",
        threat="supply_chain",
        title="Answers hold full-precision scores and no budget",
        severity=Severity.MEDIUM,
        remedy="Round scores or answer labels, and give each client a budget of queries.",
        references=("atlas:AML.T0024.002", "owasp:ML05"),
    ),
    module=__name__,
    doc=__doc__,
)
