"""A model was made dearer to copy: how faithful a copy is before and after at the same number of queries.

What it means:
    One way of answering was chosen among several and compared with the model as it was, by the fidelity of a copy that
    the same number of queries buys. The gain is beyond noise when the 95 % interval of the difference excludes zero.

Why it matters:
    Whoever pays for queries decides by their number whether a copy is worth it.

How it is found:
    Candidates are compared on half of the test rows; the one that is taken is measured on the other half.

What to do:
    Set a query budget for each client and watch streams of queries; mark the model so that a copy can be recognised.

Limits:
    A thief with more queries, or with data like yours, copies any model that answers.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-THE-100",
        name="dearer-copies",
        threat="theft",
        title="A model was made dearer to copy, with the gain and its price",
        severity=Severity.INFO,
        remedy="Bound the queries of each client; outputs that are rounded slow a copy down and do not stop it.",
        references=("atlas:AML.M0002", "atlas:AML.M0004", "arxiv:1812.02766"),
    ),
    module=__name__,
    doc=__doc__,
)
