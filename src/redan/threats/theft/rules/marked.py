"""A model was given an owner's mark, or its fingerprint was taken: what is kept, and what it cost.

What it means:
    Accuracy, latency and training time before and after, and how many of the secrets the model gives. A mark that the
    model did not learn is a finding of medium severity: nothing can be claimed with it.

Why it matters:
    A mark is worth its price only if the model answers as well as before and the mark is told from chance.

How it is found:
    Both models answer the same test rows; the independent models of the ownership file are asked for the secrets too.

What to do:
    Keep the key secret, publish the ownership file's digest, and serve only the marked model.

Limits:
    What removes a mark is told on the page on ownership; a mark deters and helps to prove, it prevents no theft.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-THE-012",
        name="marked",
        threat="theft",
        title="A model was marked or its fingerprint taken, with the price",
        severity=Severity.INFO,
        remedy="Record the ownership file: redan log append.",
        references=("atlas:AML.M0013", "arxiv:1802.04633", "arxiv:1701.04082", "arxiv:1910.12903"),
    ),
    module=__name__,
    doc=__doc__,
)
