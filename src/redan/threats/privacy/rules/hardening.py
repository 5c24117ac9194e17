"""A model was made to tell less about its training data: what an attacker learns before and after, and what that cost.

What it means:
    One model or one way of answering was chosen among several and compared with the model it came from. The gain is
    beyond noise when the 95 % interval of the difference excludes zero.

Why it matters:
    What hides membership costs accuracy. A gain without its price says little, and one against a weak attack less.

How it is found:
    Each mitigation is applied to the training rows. Candidates are compared on half of the test rows with the
    membership attack, the one that is taken is measured on the other half.

What to do:
    Prefer training with differential privacy where the guarantee matters: rounding and temperature leave attacks that
    use labels alone where they were.

Limits:
    The number is what one attack reaches, not a bound; only differential privacy gives one.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-PRI-100",
        name="less-leakage",
        threat="privacy",
        title="A model was made to tell less, with the gain and its price",
        severity=Severity.INFO,
        remedy="Train with differential privacy and a smaller budget, or on more data; rounding hides little.",
        references=("atlas:AML.M0002", "arxiv:1607.00133"),
    ),
    module=__name__,
    doc=__doc__,
)
