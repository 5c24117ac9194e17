"""A model matches an owner's secret more often than models that have nothing to do with his.

What it means:
    The suspect was asked for the secret answers of a mark, or its weights for the secret bits. The p-value is the
    probability of so many matches for a model whose match rate is higher than that of 99 of 100 independent models.

Why it matters:
    Below one in a million the suspect was made from the owner's model; from one in a thousand on there is no sign.

How it is found:
    At least 20 independently trained models were counted when the mark was made; a beta-binomial distribution fitted
    to them gives the match rate that a suspect is judged against. Several marks of one file are corrected for by their
    number.

What to do:
    Have a third party check that the ownership file was published before the suspect was, and repeat the claim.

Limits:
    No sign is no proof: distillation and extraction leave no mark behind. A mark made after the suspect was known can
    be made to fit it; only the date in a log or with a witness excludes that.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-THE-010",
        name="ownership",
        threat="theft",
        title="A model matches an owner's secret, with the probability that it does so by chance",
        severity=Severity.HIGH,
        remedy="Prove that the ownership file is older than the suspect: redan log prove.",
        references=("atlas:AML.T0044", "arxiv:1802.04633", "arxiv:1701.04082", "arxiv:1910.12903"),
    ),
    module=__name__,
    doc=__doc__,
)
