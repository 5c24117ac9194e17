"""A model was made to treat groups more alike: the worst difference before and after, and what that cost.

What it means:
    One mitigation was chosen among several and compared with the model as it was. The gain is beyond noise when the
    95 % interval of the difference excludes zero.

Why it matters:
    Criteria of fairness contradict each other; what one mitigation equalises another measure may show apart, so all of
    them stand in the table.

How it is found:
    Each mitigation is applied to the training rows. Candidates are compared on half of the test rows; the one that is
    taken is measured on the other half.

What to do:
    Read every metric before and after, and check that no group fares worse than it did.

Limits:
    Groups too small to count are not tested, before and after.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-BIA-100",
        name="less-bias",
        threat="bias",
        title="A model was made to treat groups more alike, with the gain and its price",
        severity=Severity.INFO,
        remedy="Collect more rows of the groups that fare worst, and decide which criterion the use asks for.",
        references=("nist:ai-rmf-manage-2.2", "arxiv:1803.02453"),
    ),
    module=__name__,
    doc=__doc__,
)
