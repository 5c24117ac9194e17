"""A model was cleaned of planted behaviour: how well the trigger works before and after, and what cleaning cost.

What it means:
    One way of cleaning was chosen among several and compared with the model as it was. The gain is beyond noise when
    the 95 % interval of the difference excludes zero.

Why it matters:
    Cleaning costs accuracy, and an incomplete cleaning leaves the trigger at work.

How it is found:
    Candidates are compared on half of the test rows; the one that is taken is measured on the other half, with rows
    that carry the trigger where some are given, else with the trigger found by inversion.

What to do:
    Keep the rows that were set aside and ask where they came from; retrain from trusted rows where that is possible.

Limits:
    A trigger of another kind than those looked for stays unseen.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-POI-100",
        name="less-backdoor",
        threat="poisoning",
        title="A model was cleaned of planted behaviour, with the gain and its price",
        severity=Severity.INFO,
        remedy="Retrain on rows from sources you trust, and look at the rows that were set aside.",
        references=("atlas:AML.M0007", "arxiv:1805.12185"),
    ),
    module=__name__,
    doc=__doc__,
)
