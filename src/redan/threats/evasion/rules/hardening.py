"""A model was hardened: what it withstands before and after, what that cost, and what else was tried.

What it means:
    One model was chosen among several candidates and compared with the model it came from on the same test rows.
    The gain is better beyond noise when the exact McNemar test over these pairs gives less than 0.05.

Why it matters:
    Every defence costs something: clean accuracy, training time, latency. A gain without its price, or measured on the
    rows it was chosen by, says little.

How it is found:
    Each mitigation that fits trains within its share of the budget on most of the training rows. The rest of them
    compare the candidates under a quick attack. The one that is taken, by the rule that the report states, is measured
    once on the test rows with the whole attack.

What to do:
    Look at the alternatives: the front shows what another choice between clean and robust accuracy would have given.
    Measure the model that was taken with attacks of another kind too, and with the checks for masked gradients.

Limits:
    The comparison holds for one norm and radius. Candidates that a budget cut short might have come out better. Rows
    that the first model was trained on may be among those that compare candidates, which can only flatter it.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-EVA-100",
        name="hardening",
        threat="evasion",
        title="A model was hardened, with its gain and its price",
        severity=Severity.INFO,
        remedy="Try other mitigations, a larger budget or more training data.",
        references=("atlas:AML.M0003", "arxiv:1706.06083"),
    ),
    module=__name__,
    doc=__doc__,
)
